//! Gathers changes, of one view or several, that become durable together or not at all.
//!
//! Records are sealed when they are added, so a change that cannot be stored fails where it is made. Should the keyring
//! rotate before the commit, the records carry the term before, which stays good.
//!
//! Invariants: holds no plaintext. Knows nothing of the store.

use super::Place;
use super::record::Record;
use super::view::View;
use crate::{Batch, Claim, Epoch, Expect, Op, Seq, Stamp, StampRule, StorageError};

/// One atomic change in the making. All views must belong to the barrier that commits it.
#[derive(Debug, Default)]
#[must_use = "changes do nothing until they are committed"]
pub struct Changes {
    batch: Batch,
}

impl Changes {
    /// No changes yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stores `record` at `place`, replacing what is there.
    pub fn put<R: Record>(
        &mut self,
        view: &View,
        place: &Place,
        record: &R,
    ) -> Result<&mut Self, StorageError> {
        let key = view.key(place)?;
        let sealed = view.barrier().slot().seal(view.barrier().entropy(), &key, record)?;
        self.batch.ops.push(Op::Put { key, sealed, stamp: StampRule::New });
        Ok(self)
    }

    /// Removes what is at `place`; nothing there is fine.
    pub fn delete(&mut self, view: &View, place: &Place) -> Result<&mut Self, StorageError> {
        self.batch.ops.push(Op::Delete { key: view.key(place)? });
        Ok(self)
    }

    /// Fails the whole with `Conflict` when something is at `place`.
    pub fn expect_absent(&mut self, view: &View, place: &Place) -> Result<&mut Self, StorageError> {
        self.batch.expect.push((view.key(place)?, Expect::Absent));
        Ok(self)
    }

    /// Fails the whole with `Conflict` unless the record at `place` still carries `stamp`.
    pub fn expect(&mut self, view: &View, place: &Place, stamp: Stamp) -> Result<&mut Self, StorageError> {
        self.batch.expect.push((view.key(place)?, Expect::Unchanged(stamp)));
        Ok(self)
    }

    /// Lets the whole use the space kept back for what must not fail on a full disk: outcomes of refreshes, deletions,
    /// revocations, sealing.
    pub fn reserved(&mut self) -> &mut Self {
        self.batch.claim = Claim::Reserved;
        self
    }

    /// Adds all changes and expectations of `other` behind these; the whole is reserved when either was.
    pub fn join(&mut self, other: Self) -> &mut Self {
        self.batch.ops.extend(other.batch.ops);
        self.batch.expect.extend(other.batch.expect);
        if other.batch.claim == Claim::Reserved {
            self.batch.claim = Claim::Reserved;
        }
        self
    }

    /// Adds a batch whose records are fit for the store already: a wrapped keyring, a header in the clear.
    pub fn beside(&mut self, batch: Batch) -> &mut Self {
        self.join(Self { batch })
    }

    /// Whether there is nothing to do and nothing to check.
    pub fn is_empty(&self) -> bool {
        self.batch.ops.is_empty() && self.batch.expect.is_empty()
    }

    /// How many records are put or deleted.
    pub fn len(&self) -> usize {
        self.batch.ops.len()
    }

    pub(super) fn into_batch(self, epoch: Epoch) -> Batch {
        Batch { epoch, ..self.batch }
    }
}

/// What a put leaves behind: the stamp is the number of its commit.
impl From<Seq> for Stamp {
    fn from(seq: Seq) -> Self {
        Self(seq.0)
    }
}
