//! One atomic change: operations, what they expect, and who leads.

use vestal_crypto::Sealed;

use crate::Key;

/// The number of a commit, counted from 1 in the order of becoming durable. 0 is the empty store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Seq(pub u64);

/// The commit that last changed a record *logically*; rewrapping under a new key keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Stamp(pub u64);

/// The fencing number of a leader. It travels in every batch and is compared inside the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch(pub u64);

/// Which stamp a put leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StampRule {
    /// A logical change: the number of this commit.
    New,
    /// The same content sealed anew: the stamp that is there stays.
    Keep,
}

/// One operation of a [`Batch`].
#[derive(Debug, Clone)]
pub enum Op {
    /// Store `sealed` at `key`, replacing what is there.
    Put {
        /// Where.
        key: Key,
        /// What.
        sealed: Sealed,
        /// Which stamp it leaves.
        stamp: StampRule,
    },
    /// Remove what is at `key`; nothing there is fine.
    Delete {
        /// Where.
        key: Key,
    },
}

impl Op {
    /// The key this operation touches.
    #[must_use]
    pub fn key(&self) -> &Key {
        match self {
            Self::Put { key, .. } | Self::Delete { key } => key,
        }
    }
}

/// What must hold about a key when the batch is committed, checked by the committer against everything durable before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Nothing is there.
    Absent,
    /// Something is there, with this stamp.
    Unchanged(Stamp),
}

/// Whether a batch may use the space kept back for what must not fail on a full disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Claim {
    /// New writes and intents: refused below the soft limit.
    #[default]
    Ordinary,
    /// Outcomes of refreshes, deletions, revocations, sealing: accepted while the reserve lasts.
    Reserved,
}

/// Operations that become durable together or not at all.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Applied in order; a later operation on the same key wins.
    pub ops: Vec<Op>,
    /// All must hold, or the commit answers [`StorageError::Conflict`](crate::StorageError::Conflict).
    pub expect: Vec<(Key, Expect)>,
    /// The writer's epoch; a newer one in the store answers [`StorageError::Fenced`](crate::StorageError::Fenced).
    pub epoch: Epoch,
    /// Which part of the disk it may use.
    pub claim: Claim,
}
