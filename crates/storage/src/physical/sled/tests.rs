use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use vestal_crypto::Sealed;

use super::{SledOptions, SledStore};
use crate::log::faulty::FaultyDisk;
use crate::testing::conformance::{Subject, run};
use crate::testing::random::Random;
use crate::{Batch, Claim, Epoch, Key, Op, Physical, Seek, Seq, Stamp, StampRule, StorageError};

mod crash;
mod crowd;
mod damage;
mod disk;
mod offline;
mod outside;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sled_store_conforms() {
    run(async || {
        let directory = Arc::new(tempfile::tempdir().unwrap());
        let options = SledOptions::new(directory.path().join("store"));
        let store: Arc<dyn Physical> = Arc::new(SledStore::open(&options).unwrap());
        let reopen = move || -> futures::future::BoxFuture<'static, Arc<dyn Physical>> {
            let _kept = &directory;
            let store: Arc<dyn Physical> = Arc::new(SledStore::open(&options).unwrap());
            Box::pin(std::future::ready(store))
        };
        Subject::durable(store, Box::new(reopen))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sled_store_conforms_behind_the_fault_store() {
    run(async || {
        let directory = Arc::new(tempfile::tempdir().unwrap());
        let options = SledOptions::new(directory.path().join("store"));
        let store = crate::testing::FaultStore::new(Arc::new(SledStore::open(&options).unwrap()));
        let kept = Arc::clone(&store);
        let reopen = move || -> futures::future::BoxFuture<'static, Arc<dyn Physical>> {
            let _kept = &directory;
            let store: Arc<dyn Physical> = kept.reopen();
            Box::pin(std::future::ready(store))
        };
        Subject::durable(store, Box::new(reopen))
    })
    .await;
}

/// What a store should hold: contents and stamps.
type Model = BTreeMap<Key, (Vec<u8>, Stamp)>;

/// A directory, a disk that fails as told, and the settings of a store in it.
struct Bench {
    directory: TempDir,
    disk: FaultyDisk,
    options: SledOptions,
}

impl Bench {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let disk = FaultyDisk::default();
        let mut options = SledOptions::new(directory.path().join("store"));
        options.disk = Arc::new(disk.clone());
        // The machine that tests may be fuller than we like.
        (options.soft_limit, options.reserve) = (Some(1 << 20), Some(64 << 10));
        Self { directory, disk, options }
    }

    fn store(&self) -> &Path {
        &self.options.directory
    }

    fn open(&self) -> SledStore {
        SledStore::open(&self.options).unwrap()
    }

    fn error(&self) -> StorageError {
        SledStore::open(&self.options).err().expect("it does not open")
    }

    /// The settings for a copy of the store at `directory`, on a disk that never fails.
    fn elsewhere(&self, directory: PathBuf) -> SledOptions {
        let mut options = SledOptions::new(directory);
        (options.soft_limit, options.reserve) = (self.options.soft_limit, self.options.reserve);
        options
    }
}

fn key(number: u64) -> Key {
    Key::root().plain("k").plain(&format!("{number:05}"))
}

fn put(key: Key, bytes: Vec<u8>) -> Op {
    Op::Put { key, sealed: Sealed::read_back(bytes), stamp: StampRule::New }
}

fn batch(epoch: Epoch, ops: Vec<Op>) -> Batch {
    Batch { ops, epoch, ..Batch::default() }
}

async fn lead(store: &SledStore) -> Epoch {
    store.leadership().acquire().await.unwrap()
}

async fn write(store: &SledStore, epoch: Epoch, model: &mut Model, ops: Vec<Op>) -> Seq {
    let seq = store.commit(batch(epoch, ops.clone())).await.unwrap();
    for op in ops {
        match op {
            Op::Put { key, sealed, .. } => {
                model.insert(key, (sealed.into_bytes(), Stamp(seq.0)));
            }
            Op::Delete { key } => {
                model.remove(&key);
            }
        }
    }
    seq
}

/// A busy life: records of all sizes, written over and over, some deleted.
async fn live(store: &SledStore, epoch: Epoch, model: &mut Model, commits: u64, seed: u64) {
    let mut random = Random::new(seed);
    for _ in 0..commits {
        let mut ops = Vec::new();
        for _ in 0..=random.below(4) {
            let key = key(random.below(80));
            let byte = u8::try_from(random.below(256)).unwrap();
            ops.push(match random.below(12) {
                0 | 1 => Op::Delete { key },
                2 => put(key, vec![byte; 130_000]),
                3 => put(key, vec![byte; 20_000]),
                _ => put(key, vec![byte; 700]),
            });
        }
        write(store, epoch, model, ops).await;
    }
}

async fn all(store: &SledStore) -> Model {
    let mut found = Model::new();
    let mut last: Option<Key> = None;
    loop {
        let seek = last.as_ref().map_or(Seek::Start, Seek::After);
        let page = store.page(&Key::root(), seek, 100).await.unwrap();
        let Some((key, _)) = page.last() else { return found };
        last = Some(key.clone());
        found.extend(page.into_iter().map(|(key, stored)| (key, (stored.sealed.into_bytes(), stored.stamp))));
    }
}

/// Whether the store holds exactly `model`, whichever way it is asked, and takes new commits.
async fn holds(store: &SledStore, model: &Model, what: &str) {
    assert!(all(store).await == *model, "{what}: pages");
    for (key, (bytes, stamp)) in model {
        let found = store.get(key).await.unwrap().unwrap_or_else(|| panic!("{what}: {key:?} is gone"));
        assert!(found.sealed.as_bytes() == bytes && found.stamp == *stamp, "{what}: {key:?}");
    }
    assert!(store.facts().unavailable.is_none(), "{what}");
}

async fn goes_on(store: &SledStore, what: &str) {
    let epoch = lead(store).await;
    let before = store.applied();
    let after = store.commit(batch(epoch, vec![put(key(99_999), vec![1])])).await;
    assert_eq!(after.unwrap(), Seq(before.0 + 1), "{what}");
    store.commit(batch(epoch, vec![Op::Delete { key: key(99_999) }])).await.unwrap();
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        // A live store makes and renames files while it is copied.
        let Ok(entry) = entry else { continue };
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            let _ = std::fs::copy(entry.path(), target);
        }
    }
}

fn reserved(batch: Batch) -> Batch {
    Batch { claim: Claim::Reserved, ..batch }
}
