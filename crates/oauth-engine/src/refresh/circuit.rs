//! What is known of each server's health: whether it is worth a call now.
//!
//! Two things hold calls back: a circuit that opens when the provider does not serve and is tried again after a growing
//! wait, and a verdict that the server's own settings are refused, which only new settings lift. Both are in memory: a
//! restart costs one call to learn them again.
//!
//! Invariants: one server's health never touches another's; what a person asks for (connecting) is never held back.
//! Knows nothing of credentials.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use vestal_logical::Timestamp;

use super::backoff::SERVER;
use crate::server::Server;

/// Failures in a row after which readers do not call either.
const FIRM: u32 = 5;

/// Why a call failed, as far as the server is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trip {
    /// It cannot be reached, does not answer, or is busy, and may have said how long.
    Down(Option<Duration>),
    /// It answered something of no use; it takes several in a row to mean the server.
    Odd,
}

/// Whether a call may be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Admission {
    Go,
    /// Not before then.
    Wait(Timestamp),
    /// Not before its settings change; the text says why.
    Refused(String),
}

/// Who wants to call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asker {
    Reader,
    Schedule,
}

/// Refreshes of one server that may be with its provider at a time, readers' and the schedule's together.
const CROWD: usize = 256;

#[derive(Default)]
struct Circuit {
    failures: u32,
    /// The last failure.
    since: Timestamp,
    until: Option<Timestamp>,
    /// The provider itself named the wait.
    asked: bool,
    refused: Option<(u64, String)>,
    /// The revision of the settings that served last.
    proven: Option<u64>,
}

impl Circuit {
    /// Until when calls wait, unless the clock was set back behind the failure that asks for it.
    fn held_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.until.filter(|_| self.since <= now)
    }
}

/// The health of all servers of a mount.
#[derive(Default)]
pub(crate) struct Circuits {
    servers: Mutex<HashMap<String, Circuit>>,
    doors: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl Circuits {
    /// Whether to call now.
    pub(crate) fn admit(&self, server: &Server, asker: Asker, now: Timestamp) -> Admission {
        let servers = self.servers();
        let Some(circuit) = servers.get(&server.id) else { return Admission::Go };
        if let Some((revision, text)) = &circuit.refused
            && *revision == server.revision
        {
            return Admission::Refused(text.clone());
        }
        match circuit.held_until(now) {
            Some(until) if until > now => {
                let firm = circuit.asked || circuit.failures >= FIRM;
                if asker == Asker::Reader && !firm { Admission::Go } else { Admission::Wait(until) }
            }
            _ => Admission::Go,
        }
    }

    /// As the schedule sees a server that it knows by id only: when it may call, or never until the settings change.
    pub(crate) fn open_until(&self, id: &str, now: Timestamp) -> Option<Timestamp> {
        let servers = self.servers();
        let circuit = servers.get(id)?;
        if circuit.refused.is_some() { Some(Timestamp::MAX) } else { circuit.held_until(now) }
    }

    /// Why all credentials of a server wait, when these very settings are refused.
    pub(crate) fn refusal(&self, server: &Server) -> Option<String> {
        let servers = self.servers();
        let (revision, text) = servers.get(&server.id)?.refused.as_ref()?;
        (*revision == server.revision).then(|| text.clone())
    }

    /// Waits until the provider has room for one more refresh. The place is given back when the permit goes; `None` is
    /// never the answer as long as there are doors.
    pub(crate) async fn enter(&self, id: &str) -> Option<OwnedSemaphorePermit> {
        let door = {
            let mut doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(doors.entry(id.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(CROWD))))
        };
        door.acquire_owned().await.ok()
    }

    /// A call brought tokens.
    pub(crate) fn served(&self, server: &Server) {
        let well = Circuit { proven: Some(server.revision), ..Circuit::default() };
        self.servers().insert(server.id.clone(), well);
    }

    /// Whether these very settings have brought tokens.
    pub(crate) fn proven(&self, server: &Server) -> bool {
        let servers = self.servers();
        server.proven
            || servers.get(&server.id).is_some_and(|circuit| circuit.proven == Some(server.revision))
    }

    /// A call was answered, though not with tokens.
    pub(crate) fn healthy(&self, id: &str) {
        if let Some(circuit) = self.servers().get_mut(id) {
            *circuit = Circuit { proven: circuit.proven, ..Circuit::default() };
        }
    }

    /// A call failed for reasons of the server's. Returns until when it is left alone, if it is.
    pub(crate) fn failed(&self, id: &str, trip: Trip, now: Timestamp) -> Option<Timestamp> {
        let mut servers = self.servers();
        let circuit = servers.entry(id.to_owned()).or_default();
        circuit.failures = circuit.failures.saturating_add(1);
        let wish = match trip {
            Trip::Down(wish) => wish,
            Trip::Odd if circuit.failures < FIRM => return circuit.until,
            Trip::Odd => None,
        };
        let until = now.plus(SERVER.after_wish(circuit.failures, id, wish));
        circuit.since = now;
        let longer = circuit.until.is_none_or(|before| before < until);
        if longer {
            circuit.until = Some(until);
            circuit.asked = wish.is_some();
        }
        tracing::warn!(
            server = id,
            failures = circuit.failures,
            "the authorization server does not serve, calls wait"
        );
        circuit.until
    }

    /// The provider refuses the server's settings. True when that is news.
    pub(crate) fn refused(&self, server: &Server, text: &str) -> bool {
        let mut servers = self.servers();
        let circuit = servers.entry(server.id.clone()).or_default();
        let news = circuit.refused.as_ref().is_none_or(|(revision, _)| *revision != server.revision);
        circuit.refused = Some((server.revision, text.to_owned()));
        news
    }

    /// The server was written or deleted: nothing that was known holds any more.
    pub(crate) fn forget(&self, id: &str) {
        self.servers().remove(id);
    }

    fn servers(&self) -> MutexGuard<'_, HashMap<String, Circuit>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
