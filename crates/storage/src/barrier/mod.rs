//! Encrypts everything on its way to a [`Physical`] store, and offers typed [`View`]s of it; exists only while unsealed.
//!
//! A [`Barrier`] is a handle to one shared state, and so is every view made from it. [`Barrier::empty`] takes the keyring
//! away from all of them at once: from then on each call answers [`StorageError::Sealed`].
//!
//! Invariants: what reaches the store is sealed, names that users chose included; every batch carries the epoch that the
//! barrier was opened with. Knows nothing of mounts, leadership or where the keyring itself is kept.

mod changes;
mod listing;
mod place;
mod record;
mod rewrap;
mod slot;
mod view;

use std::fmt;
use std::sync::{Arc, Weak};

use vestal_crypto::{Entropy, Keyring};

pub use changes::Changes;
pub use listing::Child;
pub use place::{Part, Place, SegmentId};
pub use record::{Empty, Plaintext, RECORD_LIMIT, RawBytes, Record, Stamped};
pub use rewrap::Rewrapped;
pub use slot::NAME_LIMIT;
pub use view::{Cursor, Item, Page, View};

use crate::{Batch, Epoch, Key, Physical, Seq, StorageError, Watcher};
use slot::KeySlot;

/// The encrypting layer above one store.
#[derive(Clone)]
pub struct Barrier {
    inner: Arc<Inner>,
}

struct Inner {
    physical: Arc<dyn Physical>,
    slot: KeySlot,
    epoch: Epoch,
    entropy: Arc<dyn Entropy>,
}

impl Barrier {
    /// A barrier that uses `keyring` until it is emptied, and writes as the leader of `epoch`.
    pub fn open(
        physical: Arc<dyn Physical>,
        keyring: Keyring,
        epoch: Epoch,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self { inner: Arc::new(Inner { physical, slot: KeySlot::new(keyring), epoch, entropy }) }
    }

    /// The part of the store below `place`.
    pub fn view(&self, place: &Place) -> View {
        View::new(self.clone(), &Ok(Key::root()), place)
    }

    /// Makes the changes durable, all or none. No changes at all are durable already.
    pub async fn commit(&self, changes: Changes) -> Result<Seq, StorageError> {
        self.inner.slot.with(|_| ())?;
        if changes.is_empty() {
            return Ok(self.applied());
        }
        self.inner.physical.commit(changes.into_batch(self.inner.epoch)).await
    }

    /// Commits a batch whose records are already fit for the store: the wrapped keyring, a header in the clear. The
    /// epoch becomes the barrier's own.
    pub async fn commit_sealed(&self, batch: Batch) -> Result<Seq, StorageError> {
        self.inner.slot.with(|_| ())?;
        self.inner.physical.commit(Batch { epoch: self.inner.epoch, ..batch }).await
    }

    /// Drops and wipes the keyring, whoever still holds this barrier or a view of it.
    pub fn empty(&self) {
        self.inner.slot.empty();
    }

    /// Whether the keyring has been dropped.
    pub fn is_empty(&self) -> bool {
        self.inner.slot.with(|_| ()).is_err()
    }

    /// The id of `input` in `domain`, in hex: an HMAC that is the same for ever and means nothing without the keyring.
    pub fn id(&self, domain: &str, input: &[u8]) -> Result<String, StorageError> {
        self.with_keyring(|keyring| keyring.macs().hex_id(domain, input))
    }

    /// Lends the keyring, for wrapping it or asking its term. `work` must not call the barrier.
    pub fn with_keyring<T>(&self, work: impl FnOnce(&Keyring) -> T) -> Result<T, StorageError> {
        self.inner.slot.with(work)
    }

    /// A copy of the keyring with one more term. It is not in use: store it wrapped, then [`replace_keyring`].
    ///
    /// [`replace_keyring`]: Self::replace_keyring
    pub fn rotated_keyring(&self, now_unix_millis: u64) -> Result<Keyring, StorageError> {
        let mut keyring = self.with_keyring(Clone::clone)?;
        keyring.rotate(self.inner.entropy.as_ref(), now_unix_millis);
        Ok(keyring)
    }

    /// Uses `keyring` from now on. It must be durable already, or what it seals is lost with the process. One that
    /// lacks the newest term in use is refused with `Conflict`.
    pub fn replace_keyring(&self, keyring: Keyring) -> Result<(), StorageError> {
        self.inner.slot.replace(keyring)
    }

    /// The store below.
    pub fn physical(&self) -> &Arc<dyn Physical> {
        &self.inner.physical
    }

    /// The epoch that every batch carries.
    pub fn epoch(&self) -> Epoch {
        self.inner.epoch
    }

    /// The newest commit that reads can see. A cache asks before it reads, and drops what it read when an invalidation of
    /// that key carries a later number.
    pub fn applied(&self) -> Seq {
        self.inner.physical.applied()
    }

    /// Has `watcher` hear of every commit, before it is answered.
    pub fn watch(&self, watcher: Weak<dyn Watcher>) {
        self.inner.physical.watch(watcher);
    }

    fn slot(&self) -> &KeySlot {
        &self.inner.slot
    }

    fn entropy(&self) -> &dyn Entropy {
        self.inner.entropy.as_ref()
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier")
            .field("store", &self.inner.physical.kind())
            .field("epoch", &self.inner.epoch)
            .field("empty", &self.is_empty())
            .finish()
    }
}

#[cfg(test)]
mod tests;
