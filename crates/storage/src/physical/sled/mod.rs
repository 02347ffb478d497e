//! The durable store: our own commit log in front of sled 0.34.
//!
//! | file | duty |
//! |---|---|
//! | `committer`, `group` | the one writer: checks, one frame, one fdatasync, applies, answers |
//! | `index`, `record`, `guard` | records in sled, every call caught |
//! | `open`, `repair`, `closing` | beginning, trouble and end |
//! | `keeper` | checkpoints and exports in the background |
//! | `space` | the soft limit and the reserve |
//!
//! sled alone loses the whole database at a power cut, and may panic at any time; here it is an index that can be made
//! anew. Invariants: `Ok` from a commit means durable in the log and visible in sled; everything acknowledged is in the
//! base export or the log; one process at a time. Knows nothing of what sealed bytes mean.

mod closing;
mod committer;
mod group;
pub(crate) mod guard;
pub(crate) mod index;
mod keeper;
mod offline;
pub(crate) mod open;
pub(crate) mod record;
mod repair;
mod shared;
mod space;
mod start;

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use tokio::sync::oneshot;
use vestal_crypto::Sealed;

use self::shared::{Door, Message, Shared, Task, held, shut};
use super::{Leadership, Physical, Seek, Stored, Watcher};
use crate::log::disk::{Disk, RealDisk};
use crate::log::frame::Content;
use crate::rebuild::Rebuilt;
use crate::{Batch, Epoch, Key, Op, Seq, Stamp, StorageError};

pub use self::offline::{compact, restore};

/// A record may be so large before sealing; sealing adds a little.
const RECORD_LIMIT: usize = 1 << 20;
const SEALING_ADDS: usize = 64 << 10;
/// Longer keys would make sled's pages too large for it.
const KEY_LIMIT: usize = 16 << 10;
/// No batch is larger than this.
const BATCH_LIMIT: usize = 64 << 20;

/// How a [`SledStore`] is opened.
#[derive(Clone)]
pub struct SledOptions {
    /// Where everything lies; made when it is not there.
    pub directory: PathBuf,
    /// sled's page cache, in bytes (64 MB). It takes about 3.5 times as much memory.
    pub cache_bytes: u64,
    /// Below this many free bytes new writes are refused; else 5 % of the disk, within 48 MiB and 1 GiB, and never more
    /// than half of it.
    pub soft_limit: Option<u64>,
    /// Bytes set aside for what must not fail on a full disk; else 64 MiB, 24 MiB on small disks.
    pub reserve: Option<u64>,
    /// A base export is made when the log is longer than this and than the live data (256 MiB).
    pub export_after: u64,
    pub(crate) disk: Arc<dyn Disk>,
}

impl SledOptions {
    /// The usual settings for a store in `directory`.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            cache_bytes: 64 << 20,
            soft_limit: None,
            reserve: None,
            export_after: 256 << 20,
            disk: Arc::new(RealDisk),
        }
    }
}

/// What there is to know of an open store, for metrics and people.
#[derive(Debug, Clone)]
pub struct StoreFacts {
    /// Bytes on disk: sled, log, exports, all of the directory.
    pub bytes_on_disk: u64,
    /// Bytes of the log, and in how many segments.
    pub log_bytes: u64,
    /// Segments of the log.
    pub segments: usize,
    /// Records, and bytes of their keys and sealed contents.
    pub records: u64,
    /// Bytes of keys and sealed contents.
    pub live_bytes: u64,
    /// How long opening took.
    pub opened_in: Duration,
    /// The last rebuild since opening, opening included.
    pub rebuilt: Option<Rebuilt>,
    /// Why nothing can be read or written now, if so.
    pub unavailable: Option<String>,
}

/// What an export holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exported {
    /// Everything up to this commit is in it.
    pub seq: Seq,
    /// Entries written.
    pub entries: u64,
    /// Its size in bytes.
    pub bytes: u64,
}

/// The durable store.
pub struct SledStore {
    shared: Arc<Shared>,
    committer: Mutex<Option<JoinHandle<()>>>,
}

impl SledStore {
    /// Opens the store, or makes a new one in an empty directory. Blocks: call it off the async workers. A store whose
    /// sled cannot be trusted is rebuilt here, with progress in the log.
    pub fn open(options: &SledOptions) -> Result<Self, StorageError> {
        let (shared, committer) = start::start(options)?;
        Ok(Self { shared, committer: Mutex::new(Some(committer)) })
    }

    /// Sizes and states, read at this moment. Walks the directory: call it off the async workers.
    pub fn facts(&self) -> StoreFacts {
        let sum = self.shared.index().map(|(_, index)| index.mark().sum).unwrap_or_default();
        let (log_bytes, segments) = {
            let log = held(&self.shared.log);
            (log.bytes(), log.segments().len())
        };
        let unavailable = match &*self.shared.door.borrow() {
            Door::Open(..) => None,
            Door::Repairing => Some("the store is being rebuilt".to_owned()),
            Door::Shut(why) => Some(why.clone()),
        };
        StoreFacts {
            bytes_on_disk: size_of(&self.shared.home.directory),
            log_bytes,
            segments,
            records: sum.records,
            live_bytes: sum.bytes,
            opened_in: self.shared.opened_in,
            rebuilt: held(&self.shared.rebuilt).clone(),
            unavailable,
        }
    }

    /// Makes a new base export now, and lets the log before it go.
    pub async fn export(&self) -> Result<Exported, StorageError> {
        self.exported(|answer| Task::Export(Some(answer))).await
    }

    /// Writes everything into a new file at `path`: a backup that [`restore`] reads.
    pub async fn backup(&self, path: &Path) -> Result<Exported, StorageError> {
        self.exported(|answer| Task::Backup(path.to_owned(), answer)).await
    }

    async fn exported(
        &self,
        task: impl FnOnce(shared::Answer<crate::export::Contents>) -> Task,
    ) -> Result<Exported, StorageError> {
        let (answer, answered) = oneshot::channel();
        self.shared.ask(task(answer));
        let contents = answered.await.map_err(|_| shut("the store is closed"))??;
        Ok(Exported { seq: Seq(contents.end.seq), entries: contents.entries, bytes: contents.bytes })
    }

    fn ask<T: Send + 'static>(
        &self,
        message: impl FnOnce(shared::Answer<T>) -> Message,
    ) -> BoxFuture<'static, Result<T, StorageError>> {
        let (answer, answered) = oneshot::channel();
        if self.shared.committer.send(message(answer)).is_err() {
            return ready(Err(shut("the store is closed"))).boxed();
        }
        let shared = Arc::clone(&self.shared);
        async move {
            answered.await.unwrap_or_else(|_| match &*shared.door.borrow() {
                // The queue was closed with this still in it: it was never begun.
                Door::Shut(why) => Err(shut(why)),
                _ => Err(StorageError::Undetermined("the committer ended".to_owned())),
            })
        }
        .boxed()
    }
}

impl Drop for SledStore {
    fn drop(&mut self) {
        let (answer, _) = oneshot::channel();
        let _ = self.shared.committer.send(Message::Close(answer));
        if let Some(thread) = held(&self.committer).take() {
            let _ = thread.join();
        }
    }
}

fn size_of(directory: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => size_of(&entry.path()),
            Ok(found) => std::os::unix::fs::MetadataExt::blocks(&found) * 512,
            Err(_) => 0,
        })
        .sum()
}

fn stored(content: Content) -> Stored {
    Stored { sealed: Sealed::read_back(content.bytes), stamp: Stamp(content.stamp) }
}

/// A range that every seek below a prefix comes down to; `None` when nothing can be in it.
fn range(prefix: &Key, seek: Seek<'_>) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
    let from = match seek {
        Seek::Start => Vec::new(),
        Seek::After(key) => [key.as_bytes(), &[0]].concat(),
        Seek::Past(key) => key.range_end()?,
    };
    let from = from.max(prefix.as_bytes().to_vec());
    let to = prefix.range_end();
    to.as_ref().is_none_or(|to| from < *to).then_some((from, to))
}

/// Refuses what sled cannot hold well.
fn check_sizes(batch: &Batch) -> Result<(), StorageError> {
    let mut whole = 0_usize;
    for op in &batch.ops {
        whole += op.key().as_bytes().len();
        if op.key().as_bytes().len() > KEY_LIMIT {
            return Err(StorageError::TooLarge { limit: KEY_LIMIT });
        }
        if let Op::Put { sealed, .. } = op {
            whole += sealed.len();
            if sealed.len() > RECORD_LIMIT + SEALING_ADDS {
                return Err(StorageError::TooLarge { limit: RECORD_LIMIT });
            }
        }
    }
    if whole > BATCH_LIMIT { Err(StorageError::TooLarge { limit: BATCH_LIMIT }) } else { Ok(()) }
}

/// Runs a walk on the blocking pool: it may take long, and sled blocks.
async fn walk<T: Send + 'static>(
    shared: &Arc<Shared>,
    work: impl Fn(&index::Index) -> Result<T, guard::Trouble> + Send + Sync + 'static,
) -> Result<T, StorageError> {
    let work = Arc::new(work);
    loop {
        let (generation, index) = shared.opened().await?;
        let job = Arc::clone(&work);
        let done = tokio::task::spawn_blocking(move || job(&index)).await;
        match done {
            Ok(Ok(found)) => return Ok(found),
            Ok(Err(trouble)) => {
                if let Some(error) = shared.failed(generation, trouble) {
                    return Err(error);
                }
            }
            Err(_) => return Err(shut("the walk was cancelled")),
        }
    }
}

impl Physical for SledStore {
    fn kind(&self) -> &'static str {
        "sled"
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Stored>, StorageError>> {
        async move {
            let found = self.shared.read(|index| index.get(key.as_bytes())).await?;
            Ok(found.map(stored))
        }
        .boxed()
    }

    fn page<'a>(
        &'a self,
        prefix: &'a Key,
        seek: Seek<'a>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(Key, Stored)>, StorageError>> {
        async move {
            let Some((from, to)) = range(prefix, seek) else { return Ok(Vec::new()) };
            let page = walk(&self.shared, move |index| index.page(&from, to.as_deref(), limit)).await?;
            page.into_iter().map(|(key, content)| Ok((decoded(&key)?, stored(content)))).collect()
        }
        .boxed()
    }

    fn keys<'a>(
        &'a self,
        prefix: &'a Key,
        seek: Seek<'a>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Key>, StorageError>> {
        async move {
            let Some((from, to)) = range(prefix, seek) else { return Ok(Vec::new()) };
            let keys = walk(&self.shared, move |index| index.keys(&from, to.as_deref(), limit)).await?;
            keys.iter().map(|key| decoded(key)).collect()
        }
        .boxed()
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'static, Result<Seq, StorageError>> {
        match check_sizes(&batch) {
            Ok(()) => self.ask(|answer| Message::Commit(batch, answer)),
            Err(error) => ready(Err(error)).boxed(),
        }
    }

    fn applied(&self) -> Seq {
        Seq(self.shared.applied.load(Ordering::Acquire))
    }

    fn watch(&self, watcher: Weak<dyn Watcher>) {
        held(&self.shared.watchers).push(watcher);
    }

    fn leadership(&self) -> &dyn Leadership {
        self
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StorageError>> {
        let closing = self.ask(Message::Close);
        async move {
            match closing.await {
                // Closed already.
                Err(StorageError::Unavailable(_)) => Ok(()),
                other => other,
            }
        }
        .boxed()
    }
}

fn decoded(key: &[u8]) -> Result<Key, StorageError> {
    Key::decode(key).ok_or_else(|| StorageError::Corrupt("a key in sled cannot be read".to_owned()))
}

impl Leadership for SledStore {
    fn acquire(&self) -> BoxFuture<'_, Result<Epoch, StorageError>> {
        self.ask(Message::Acquire)
    }

    fn release(&self) -> BoxFuture<'_, Result<(), StorageError>> {
        self.ask(Message::Release)
    }
}

#[cfg(test)]
mod tests;
