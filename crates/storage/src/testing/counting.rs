//! A store that counts what it is asked for, so that cost is measured without time.

use std::sync::Weak;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::future::BoxFuture;

use crate::{Batch, Key, Leadership, MemoryStore, Physical, Seek, Seq, StorageError, Stored, Watcher};

/// A store in memory that counts.
#[derive(Default)]
pub struct Counting {
    disk: MemoryStore,
    gets: AtomicU64,
    keys: AtomicU64,
    commits: AtomicU64,
}

impl Counting {
    /// Records asked for by key, keys met while going through a range, and commits, since the last time this was asked.
    pub fn taken(&self) -> (u64, u64, u64) {
        let take = |counter: &AtomicU64| counter.swap(0, Ordering::Relaxed);
        (take(&self.gets), take(&self.keys), take(&self.commits))
    }
}

impl Physical for Counting {
    fn kind(&self) -> &'static str {
        self.disk.kind()
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Stored>, StorageError>> {
        self.gets.fetch_add(1, Ordering::Relaxed);
        self.disk.get(key)
    }

    fn page<'a>(
        &'a self,
        prefix: &'a Key,
        seek: Seek<'a>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(Key, Stored)>, StorageError>> {
        Box::pin(async move {
            let page = self.disk.page(prefix, seek, limit).await?;
            self.keys.fetch_add(page.len() as u64, Ordering::Relaxed);
            Ok(page)
        })
    }

    fn keys<'a>(
        &'a self,
        prefix: &'a Key,
        seek: Seek<'a>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Key>, StorageError>> {
        Box::pin(async move {
            let keys = self.disk.keys(prefix, seek, limit).await?;
            self.keys.fetch_add(keys.len() as u64, Ordering::Relaxed);
            Ok(keys)
        })
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'static, Result<Seq, StorageError>> {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.disk.commit(batch)
    }

    fn applied(&self) -> Seq {
        self.disk.applied()
    }

    fn watch(&self, watcher: Weak<dyn Watcher>) {
        self.disk.watch(watcher);
    }

    fn leadership(&self) -> &dyn Leadership {
        self.disk.leadership()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StorageError>> {
        self.disk.close()
    }
}
