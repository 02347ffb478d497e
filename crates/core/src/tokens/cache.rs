//! Keeps the tokens in use in memory, never longer than they are true.
//!
//! A fill says which commit it read at; a commit that touches the token bars older fills and drops what is kept, before
//! that commit is answered. Both happen under the lock of the token's slot, so a stale entry is never seen, not even for
//! a moment.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quick_cache::sync::Cache;
use vestal_storage::{Key, Segment, Seq, Watcher};

use super::store::Found;

/// How many tokens are kept.
const CAPACITY: usize = 16_384;
/// How many tokens share what is remembered of invalidations: a shared slot only costs a fill.
const SLOTS: usize = 256;

/// Tokens by id.
pub(super) struct EntryCache {
    prefix: Key,
    kept: Cache<String, Found>,
    /// The newest commit that touched a token of the slot.
    touched: Vec<Mutex<Seq>>,
}

impl EntryCache {
    /// Keeps what lies below `prefix`.
    pub(super) fn new(prefix: Key) -> Arc<Self> {
        let touched = (0..SLOTS).map(|_| Mutex::default()).collect();
        Arc::new(Self { prefix, kept: Cache::new(CAPACITY), touched })
    }

    pub(super) fn get(&self, id: &str) -> Option<Found> {
        self.kept.get(id)
    }

    /// Keeps what was read when `read_at` was the newest commit, unless it has been changed since.
    pub(super) fn fill(&self, id: &str, read_at: Seq, found: Found) {
        let Some(touched) = self.slot(id) else { return };
        if *touched <= read_at {
            self.kept.insert(id.to_owned(), found);
        }
    }

    /// Ids are hex, so their first two digits spread them over the slots.
    fn slot(&self, id: &str) -> Option<MutexGuard<'_, Seq>> {
        let index = id.get(..2).and_then(|digits| usize::from_str_radix(digits, 16).ok())?;
        let slot = self.touched.get(index)?;
        Some(slot.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn forget(&self, seq: Seq, key: &Key) {
        let Some(Segment::Plain(id)) = key.segments().and_then(|mut segments| segments.pop()) else { return };
        let Some(mut touched) = self.slot(&id) else { return };
        *touched = seq.max(*touched);
        self.kept.remove(id.as_str());
    }
}

impl Watcher for EntryCache {
    fn committed(&self, seq: Seq, keys: &[Key]) {
        for key in keys.iter().filter(|key| self.prefix.covers(key)) {
            self.forget(seq, key);
        }
    }
}
