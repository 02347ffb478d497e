//! What can go wrong below the barrier, in the few classes a caller can act on.

/// A failure of storage. Texts name files and offsets, never keys or values.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StorageError {
    /// An expectation of the batch did not hold: someone else changed the record. Read again and decide anew.
    #[error("the record was changed meanwhile")]
    Conflict,
    /// The batch carries the epoch of a leader that has been deposed. Nothing was written.
    #[error("this node no longer leads the store")]
    Fenced,
    /// The barrier has been sealed while the caller still held a view of it.
    #[error("the barrier is sealed")]
    Sealed,
    /// The record is larger than the store takes (1 MiB).
    #[error("the record is larger than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The disk's soft limit is reached: new writes are refused, reads and outcomes of refreshes go on.
    #[error("the disk is too full for new writes: {0}")]
    Full(String),
    /// The store cannot take or give anything now; trying later may help. Nothing was written.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// It is unknown whether the batch was written. Read and compare, never assume.
    #[error("it is unknown whether the write took place: {0}")]
    Undetermined(String),
    /// Stored bytes are damaged, or were sealed with other keys.
    #[error("stored bytes are damaged: {0}")]
    Corrupt(String),
}
