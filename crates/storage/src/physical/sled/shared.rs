//! What readers, the committer and the keeper share of one open store.
//!
//! Invariants: readers never wait for a commit, only for a rebuild; an index that broke is never read again.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use super::guard::Trouble;
use super::index::Index;
use super::open::Home;
use super::space::Space;
use crate::export::Contents;
use crate::log::Log;
use crate::log::manifest::{Manifest, Position};
use crate::rebuild::Rebuilt;
use crate::{Batch, Epoch, Key, Seq, StorageError, Watcher};

/// Answers one commit.
pub(crate) type Answer<T> = oneshot::Sender<Result<T, StorageError>>;

/// What the committer is asked to do.
pub(crate) enum Message {
    Commit(Batch, Answer<Seq>),
    Acquire(Answer<Epoch>),
    Release(Answer<()>),
    /// The index of this generation broke under a reader.
    Broken(u64, Trouble),
    /// Answered when everything accepted before is done and all files are closed.
    Close(Answer<()>),
}

/// What the keeper is asked to do.
pub(crate) enum Task {
    Checkpoint,
    /// A new base export; without an answer it is one that the log's size asks for.
    Export(Option<Answer<Contents>>),
    /// An export for someone else, beside the store's own.
    Backup(std::path::PathBuf, Answer<Contents>),
    Stop,
}

/// The way to the records.
#[derive(Clone)]
pub(crate) enum Door {
    Open(u64, Arc<Index>),
    /// Being rebuilt: readers wait.
    Repairing,
    /// Not to be had: why.
    Shut(String),
}

pub(crate) struct Shared {
    pub(crate) home: Home,
    pub(crate) door: watch::Sender<Door>,
    pub(crate) applied: AtomicU64,
    pub(crate) watchers: Mutex<Vec<Weak<dyn Watcher>>>,
    pub(crate) log: Mutex<Log>,
    pub(crate) manifest: Mutex<Manifest>,
    /// Behind the newest frame that readers see.
    pub(crate) visible: Mutex<Position>,
    pub(crate) space: Space,
    pub(crate) committer: Sender<Message>,
    pub(crate) keeper: Mutex<Sender<Task>>,
    pub(crate) keeper_thread: Mutex<Option<JoinHandle<()>>>,
    /// Counts indices, so that a late report does not harm the next one.
    pub(crate) generation: AtomicU64,
    pub(crate) stopping: AtomicBool,
    /// Tasks that the log's size asked for and that are not done yet.
    pub(crate) checkpoint_asked: AtomicBool,
    pub(crate) export_asked: AtomicBool,
    pub(crate) export_after: u64,
    pub(crate) opened_in: Duration,
    pub(crate) rebuilt: Mutex<Option<Rebuilt>>,
}

/// A lock whose holder panicked guards plain values that are whole all the same.
pub(crate) fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn shut(why: &str) -> StorageError {
    StorageError::Unavailable(why.to_owned())
}

impl Shared {
    /// The open index and its generation.
    pub(crate) fn index(&self) -> Option<(u64, Arc<Index>)> {
        match &*self.door.borrow() {
            Door::Open(generation, index) => Some((*generation, Arc::clone(index))),
            Door::Repairing | Door::Shut(_) => None,
        }
    }

    pub(crate) fn next_generation(&self) -> u64 {
        self.generation.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// The committer hears that the index of this generation is of no use, and nobody reads a broken one any more.
    pub(crate) fn report_broken(&self, generation: u64, trouble: Trouble) {
        if matches!(trouble, Trouble::Stuck(_)) {
            // Without room it stays as it is, and may be read where it still answers.
            let _ = self.committer.send(Message::Broken(generation, trouble));
            return;
        }
        let shut = self.door.send_if_modified(|door| {
            let same = matches!(door, Door::Open(open, _) if *open == generation);
            if same {
                *door = Door::Repairing;
            }
            same
        });
        if shut {
            tracing::error!(%trouble, "sled failed; the store is rebuilt from export and log");
            let _ = self.committer.send(Message::Broken(generation, trouble));
        }
    }

    /// Reads; when the index turns out broken, waits for the new one and reads that.
    pub(crate) async fn read<T>(
        &self,
        work: impl Fn(&Index) -> Result<T, Trouble>,
    ) -> Result<T, StorageError> {
        loop {
            let (generation, index) = self.opened().await?;
            match work(&index) {
                Ok(found) => return Ok(found),
                Err(trouble) => {
                    if let Some(error) = self.failed(generation, trouble) {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// What a reader hears of sled's failure; `None`: it is rebuilt, and can be read then.
    pub(crate) fn failed(&self, generation: u64, trouble: Trouble) -> Option<StorageError> {
        let heard = match &trouble {
            Trouble::Io(why) => return Some(shut(why)),
            Trouble::Stuck(why) => Some(shut(why)),
            Trouble::Held | Trouble::Broken(_) => None,
        };
        self.report_broken(generation, trouble);
        heard
    }

    /// The open index, once there is one.
    pub(crate) async fn opened(&self) -> Result<(u64, Arc<Index>), StorageError> {
        if let Some(open) = self.index() {
            return Ok(open);
        }
        let mut door = self.door.subscribe();
        let closed = |_| shut("the store is closed");
        match &*door.wait_for(|door| !matches!(door, Door::Repairing)).await.map_err(closed)? {
            Door::Open(generation, index) => Ok((*generation, Arc::clone(index))),
            Door::Shut(why) => Err(shut(why)),
            Door::Repairing => Err(shut("the store is being rebuilt")),
        }
    }

    /// Tells watchers of a commit that is visible now.
    pub(crate) fn committed(&self, seq: Seq, keys: &[Key]) {
        self.applied.fetch_max(seq.0, Ordering::AcqRel);
        held(&self.watchers).retain(|watcher| {
            watcher.upgrade().is_some_and(|watcher| {
                watcher.committed(seq, keys);
                true
            })
        });
    }

    pub(crate) fn ask(&self, task: Task) {
        let _ = held(&self.keeper).send(task);
    }
}
