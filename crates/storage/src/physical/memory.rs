//! Keeps everything in memory: for dev mode and tests, with the same rules as every other store.
//!
//! A commit is done when [`Physical::commit`] returns its future, so dropping that future loses nothing. Watchers run
//! under the writers' lock, so they hear of commits in order; readers are not held up by them.
//!
//! Invariants: nothing touches a disk; a deposed epoch never writes. Knows nothing of what the bytes mean.

use std::collections::BTreeMap;
use std::collections::btree_map::Range;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

use futures::FutureExt;
use futures::future::{BoxFuture, ready};

use super::{Leadership, Physical, Seek, Stored, Watcher};
use crate::{Batch, Epoch, Expect, Key, Op, Seq, Stamp, StampRule, StorageError};

/// No page carries more sealed bytes than this, except when its first record alone does.
const PAGE_BYTES: usize = 4 << 20;

/// A volatile store.
#[derive(Default)]
pub struct MemoryStore {
    records: RwLock<BTreeMap<Key, Stored>>,
    writer: Mutex<Writer>,
    applied: AtomicU64,
    closed: AtomicBool,
}

#[derive(Default)]
struct Writer {
    granted: Epoch,
    leading: bool,
    watchers: Vec<Weak<dyn Watcher>>,
}

impl MemoryStore {
    /// An empty store that nobody leads yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn open(&self) -> Result<(), StorageError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(StorageError::Unavailable("the store is closed".to_owned()));
        }
        Ok(())
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<Key, Stored>> {
        self.records.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<Key, Stored>> {
        self.records.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn commit_now(&self, batch: Batch) -> Result<Seq, StorageError> {
        let mut writer = self.writer();
        self.open()?;
        if !writer.leading || batch.epoch < writer.granted {
            return Err(StorageError::Fenced);
        }
        check(&self.read(), &batch.expect)?;
        let seq = Seq(self.applied.load(Ordering::Acquire) + 1);
        let keys: Vec<Key> = batch.ops.iter().map(|op| op.key().clone()).collect();
        {
            let mut records = self.write();
            apply(&mut records, batch.ops, seq);
            // Under the records' lock: whoever reads a number has at least that commit before its eyes.
            self.applied.store(seq.0, Ordering::Release);
        }
        writer.watchers.retain(|watcher| {
            watcher.upgrade().is_some_and(|watcher| {
                watcher.committed(seq, &keys);
                true
            })
        });
        Ok(seq)
    }

    fn select<T>(
        &self,
        prefix: &Key,
        seek: Seek<'_>,
        limit: usize,
        mut pick: impl FnMut(&Key, &Stored) -> (T, usize),
    ) -> Result<Vec<T>, StorageError> {
        self.open()?;
        let records = self.read();
        let Some(range) = below(&records, prefix, seek) else { return Ok(Vec::new()) };
        let mut picked = Vec::with_capacity(limit.min(1024));
        let mut carried = 0_usize;
        for (key, stored) in range.take(limit) {
            let (item, size) = pick(key, stored);
            carried = carried.saturating_add(size);
            if carried > PAGE_BYTES && !picked.is_empty() {
                break;
            }
            picked.push(item);
        }
        Ok(picked)
    }
}

/// Fails with a conflict unless every expectation holds.
fn check(records: &BTreeMap<Key, Stored>, expect: &[(Key, Expect)]) -> Result<(), StorageError> {
    let holds = expect.iter().all(|(key, expected)| match (expected, records.get(key)) {
        (Expect::Absent, found) => found.is_none(),
        (Expect::Unchanged(stamp), found) => found.is_some_and(|found| found.stamp == *stamp),
    });
    if holds { Ok(()) } else { Err(StorageError::Conflict) }
}

fn apply(records: &mut BTreeMap<Key, Stored>, ops: Vec<Op>, seq: Seq) {
    for op in ops {
        match op {
            Op::Put { key, sealed, stamp } => {
                let stamp = match (stamp, records.get(&key)) {
                    (StampRule::Keep, Some(there)) => there.stamp,
                    _ => Stamp(seq.0),
                };
                records.insert(key, Stored { sealed, stamp });
            }
            Op::Delete { key } => {
                records.remove(&key);
            }
        }
    }
}

/// The records below `prefix` from where `seek` says, or `None` when the range is empty by its bounds alone.
fn below<'m>(
    records: &'m BTreeMap<Key, Stored>,
    prefix: &Key,
    seek: Seek<'_>,
) -> Option<Range<'m, Key, Stored>> {
    let past;
    let start = match seek {
        Seek::Start => Bound::Included(prefix.as_bytes()),
        Seek::After(key) if key.as_bytes() < prefix.as_bytes() => Bound::Included(prefix.as_bytes()),
        Seek::After(key) => Bound::Excluded(key.as_bytes()),
        Seek::Past(key) => {
            past = key.range_end()?;
            Bound::Included(past.as_slice().max(prefix.as_bytes()))
        }
    };
    let end = prefix.range_end();
    let (Bound::Included(first) | Bound::Excluded(first)) = start else { return None };
    if end.as_deref().is_some_and(|end| first >= end) {
        return None;
    }
    let end = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    Some(records.range::<[u8], _>((start, end)))
}

impl Physical for MemoryStore {
    fn kind(&self) -> &'static str {
        "inmem"
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Stored>, StorageError>> {
        ready(self.open().map(|()| self.read().get(key).cloned())).boxed()
    }

    fn page<'a>(
        &'a self,
        prefix: &'a Key,
        seek: Seek<'a>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(Key, Stored)>, StorageError>> {
        let page = self.select(prefix, seek, limit, |key, stored| {
            ((key.clone(), stored.clone()), stored.sealed.as_bytes().len())
        });
        ready(page).boxed()
    }

    fn keys<'a>(
        &'a self,
        prefix: &'a Key,
        seek: Seek<'a>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Key>, StorageError>> {
        let keys = self.select(prefix, seek, limit, |key, _| (key.clone(), key.as_bytes().len()));
        ready(keys).boxed()
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'static, Result<Seq, StorageError>> {
        ready(self.commit_now(batch)).boxed()
    }

    fn applied(&self) -> Seq {
        Seq(self.applied.load(Ordering::Acquire))
    }

    fn watch(&self, watcher: Weak<dyn Watcher>) {
        self.writer().watchers.push(watcher);
    }

    fn leadership(&self) -> &dyn Leadership {
        self
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StorageError>> {
        // The writers' lock lets a commit that has begun come to its end.
        let _writer = self.writer();
        self.closed.store(true, Ordering::Release);
        ready(Ok(())).boxed()
    }
}

impl Leadership for MemoryStore {
    fn acquire(&self) -> BoxFuture<'_, Result<Epoch, StorageError>> {
        let mut writer = self.writer();
        if let Err(error) = self.open() {
            return ready(Err(error)).boxed();
        }
        writer.granted = Epoch(writer.granted.0 + 1);
        writer.leading = true;
        ready(Ok(writer.granted)).boxed()
    }

    fn release(&self) -> BoxFuture<'_, Result<(), StorageError>> {
        self.writer().leading = false;
        ready(Ok(())).boxed()
    }
}
