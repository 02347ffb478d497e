//! The contract of a store: untrusted, ordered, durable, and only ever given sealed bytes.

pub mod memory;
pub mod sled;

use std::sync::Weak;

use futures::future::BoxFuture;
use vestal_crypto::Sealed;

use crate::{Batch, Epoch, Key, Seq, Stamp, StorageError};

/// What lies at a key.
#[derive(Debug, Clone)]
pub struct Stored {
    /// The sealed record.
    pub sealed: Sealed,
    /// The commit of its last logical change.
    pub stamp: Stamp,
}

/// Where a page begins, within its prefix.
#[derive(Debug, Clone, Copy)]
pub enum Seek<'a> {
    /// At the first key.
    Start,
    /// Behind this key; keys below it still come.
    After(&'a Key),
    /// Behind this key and everything below it.
    Past(&'a Key),
}

/// Hears of every commit after it is applied and before it is answered, so that caches are never older than an answer.
pub trait Watcher: Send + Sync {
    /// `keys` were written or deleted by commit `seq`. Must be quick and must not call the store.
    fn committed(&self, seq: Seq, keys: &[Key]);
}

/// Who may write. Embedded stores lock a file and bump the epoch at open; SQL keeps a row lease.
pub trait Leadership: Send + Sync {
    /// Waits until this process leads, and returns the number that its batches must carry.
    fn acquire(&self) -> BoxFuture<'_, Result<Epoch, StorageError>>;
    /// Gives leadership back; batches of the released epoch are refused from now on.
    fn release(&self) -> BoxFuture<'_, Result<(), StorageError>>;
}

/// Untrusted, ordered, durable storage of sealed bytes.
///
/// Reads see every acknowledged commit and no unacknowledged one that is not durable. Implementations choose whether to
/// answer in place or on a blocking pool; no caller ever flushes.
pub trait Physical: Send + Sync + 'static {
    /// The configured name of this kind of store: `sled`, `inmem`.
    fn kind(&self) -> &'static str;

    /// The record at `key`.
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Stored>, StorageError>>;

    /// Up to `limit` records below `prefix` (itself included) in the order of their encoded keys. Pages are bounded in bytes too, so fewer
    /// may come; only an empty page means the end.
    fn page<'a>(
        &'a self,
        prefix: &'a Key,
        seek: Seek<'a>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(Key, Stored)>, StorageError>>;

    /// As [`page`](Self::page), keys only.
    fn keys<'a>(
        &'a self,
        prefix: &'a Key,
        seek: Seek<'a>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Key>, StorageError>>;

    /// Checks epoch and expectations and makes the batch durable, atomically. The work goes on when the future is dropped.
    fn commit(&self, batch: Batch) -> BoxFuture<'static, Result<Seq, StorageError>>;

    /// The newest commit that reads can see.
    fn applied(&self) -> Seq;

    /// Registers a watcher; it is forgotten when its last strong reference goes.
    fn watch(&self, watcher: Weak<dyn Watcher>);

    /// Who may write.
    fn leadership(&self) -> &dyn Leadership;

    /// Finishes what was accepted and lets go of files and locks. Later calls answer `Unavailable`.
    fn close(&self) -> BoxFuture<'_, Result<(), StorageError>>;
}
