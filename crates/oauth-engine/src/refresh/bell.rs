//! Wakes the scheduler: something is due earlier than it knows, or a server changed.
//!
//! Invariants: never blocks who rings; holds at most one note per server, however often it rings. Knows nothing of what
//! the scheduler does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use vestal_logical::Timestamp;

/// What was rung since the last look.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Notes {
    /// The earliest new entry of each server.
    pub(crate) due: BTreeMap<String, Timestamp>,
    /// Servers that were written or deleted.
    pub(crate) changed: BTreeSet<String>,
    /// Servers that a success proved to be well.
    pub(crate) well: BTreeSet<String>,
}

/// The bell of one mount.
#[derive(Default)]
pub(crate) struct Bell {
    notes: Mutex<Notes>,
    rung: Notify,
}

impl Bell {
    /// A server's index has an entry at this instant.
    pub(crate) fn due(&self, server: String, at: Timestamp) {
        let mut notes = self.notes();
        let earliest = notes.due.entry(server).or_insert(at);
        *earliest = at.min(*earliest);
        drop(notes);
        self.rung.notify_one();
    }

    /// A server was written or deleted.
    pub(crate) fn changed(&self, server: String) {
        self.notes().changed.insert(server);
        self.rung.notify_one();
    }

    /// A server answered as it should, though the schedule may have given it up.
    pub(crate) fn well(&self, server: &str) {
        self.notes().well.insert(server.to_owned());
        self.rung.notify_one();
    }

    /// Waits for the next ring, or one since the last wait.
    pub(crate) async fn wait(&self) {
        self.rung.notified().await;
    }

    /// All notes, taken off.
    pub(crate) fn take(&self) -> Notes {
        std::mem::take(&mut *self.notes())
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
