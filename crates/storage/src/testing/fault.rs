//! Wraps any store and fails as told: by script, by seed, or by a crash at operation *k*.
//!
//! Operations are counted from 1 in the order of the calls: reads, commits and leadership alike. A crash ends the handle
//! for good, as a process ends; [`FaultStore::reopen`] gives another handle on what was durable. So work that outlives
//! the crash in a test cannot write any more, whatever it still holds.
//!
//! Invariants: what was answered `Ok` is in the wrapped store; nothing waits on time, held operations wait to be let go.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use tokio::sync::{Semaphore, watch};

use super::random::Random;
use crate::{Batch, Epoch, Key, Leadership, MemoryStore, Physical, Seek, Seq, StorageError, Stored, Watcher};

/// What happens to an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// `Unavailable`; nothing is done.
    Refuse,
    /// Waits for [`FaultStore::let_go`], then goes on as usual.
    Hold,
    /// A commit answers `Undetermined` and is written or not; reads are refused.
    Undetermined {
        /// Whether the batch was written all the same.
        written: bool,
    },
    /// The process dies before the operation takes effect.
    Crash,
    /// The process dies when the operation has taken effect and before it is answered.
    CrashAfter,
}

/// Which operations a fault is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// `get`, `page` and `keys`.
    Read,
    /// `commit`.
    Commit,
    /// `acquire` and `release`.
    Lead,
}

/// A store that fails as told.
pub struct FaultStore {
    disk: Arc<dyn Physical>,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    held: watch::Sender<usize>,
    gate: Semaphore,
}

#[derive(Default)]
struct State {
    operations: u64,
    script: BTreeMap<u64, Fault>,
    next: Vec<(Target, Fault)>,
    odds: Option<(Random, u64)>,
    ended: Option<&'static str>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an operation and says what becomes of it.
    fn begin(&self, target: Target) -> Result<Option<Fault>, StorageError> {
        let mut state = self.state();
        state.alive()?;
        state.operations += 1;
        let fault = state.fault(target);
        match fault {
            Some(Fault::Crash) => {
                state.ended = Some("crashed");
                state.alive().map(|()| None)
            }
            Some(Fault::CrashAfter) => {
                state.ended = Some("crashed");
                Ok(fault)
            }
            Some(Fault::Refuse) => Err(refused()),
            Some(Fault::Undetermined { .. }) if target != Target::Commit => Err(refused()),
            other => Ok(other),
        }
    }

    async fn hold(&self) -> Result<(), StorageError> {
        self.held.send_modify(|held| *held += 1);
        let permit = self.gate.acquire().await;
        self.held.send_modify(|held| *held -= 1);
        permit.map_err(|_| refused())?.forget();
        self.state().alive()
    }
}

impl State {
    fn alive(&self) -> Result<(), StorageError> {
        match self.ended {
            Some(how) => Err(StorageError::Unavailable(format!("the store has {how}"))),
            None => Ok(()),
        }
    }

    fn fault(&mut self, target: Target) -> Option<Fault> {
        if let Some(fault) = self.script.remove(&self.operations) {
            return Some(fault);
        }
        if let Some(index) = self.next.iter().position(|(meant, _)| *meant == target) {
            return Some(self.next.remove(index).1);
        }
        let (random, permille) = self.odds.as_mut()?;
        if random.below(1000) >= *permille {
            return None;
        }
        Some(match random.below(3) {
            0 => Fault::Refuse,
            1 => Fault::Undetermined { written: true },
            _ => Fault::Undetermined { written: false },
        })
    }
}

fn refused() -> StorageError {
    StorageError::Unavailable("refused by the fault store".to_owned())
}

impl FaultStore {
    /// Wraps `disk`; without further orders it changes nothing.
    pub fn new(disk: Arc<dyn Physical>) -> Arc<Self> {
        let shared = Shared { state: Mutex::default(), held: watch::Sender::new(0), gate: Semaphore::new(0) };
        Arc::new(Self { disk, shared: Arc::new(shared) })
    }

    /// Wraps an empty memory store, which so survives crashes and `close`.
    pub fn in_memory() -> Arc<Self> {
        Self::new(Arc::new(MemoryStore::new()))
    }

    /// What was durable when this handle ended, behind a new handle without orders. This handle ends now if it has not.
    pub fn reopen(&self) -> Arc<Self> {
        self.end("crashed");
        Self::new(Arc::clone(&self.disk))
    }

    /// Operation `k` of this handle meets `fault`.
    pub fn at(&self, k: u64, fault: Fault) {
        self.shared.state().script.insert(k, fault);
    }

    /// The next operation of this sort that meets no other order meets `fault`; orders are kept in a row.
    pub fn next(&self, target: Target, fault: Fault) {
        self.shared.state().next.push((target, fault));
    }

    /// From now on about `permille` of a thousand operations are refused or left undetermined, repeatably.
    pub fn at_random(&self, seed: u64, permille: u64) {
        self.shared.state().odds = Some((Random::new(seed), permille));
    }

    /// Takes back all orders; what is held stays held.
    pub fn behave(&self) {
        let mut state = self.shared.state();
        state.script.clear();
        state.next.clear();
        state.odds = None;
    }

    /// The process dies now; held operations fail.
    pub fn crash(&self) {
        self.end("crashed");
    }

    /// Whether this handle has ended.
    pub fn has_ended(&self) -> bool {
        self.shared.state().ended.is_some()
    }

    /// How many operations have begun.
    pub fn operations(&self) -> u64 {
        self.shared.state().operations
    }

    /// Waits until `count` operations are held.
    pub async fn holding(&self, count: usize) {
        let mut held = self.shared.held.subscribe();
        // The sender lives as long as `self`, so this ends by the condition alone.
        let _ = held.wait_for(|held| *held >= count).await;
    }

    /// Lets all operations go that are held now.
    pub fn let_go(&self) {
        let held = *self.shared.held.borrow();
        self.shared.gate.add_permits(held.saturating_sub(self.shared.gate.available_permits()));
    }

    fn end(&self, how: &'static str) {
        self.shared.state().ended.get_or_insert(how);
        self.let_go();
    }

    /// Runs an operation that takes effect when it is polled.
    fn run<'a, T: Send + 'a>(
        &'a self,
        target: Target,
        work: BoxFuture<'a, Result<T, StorageError>>,
    ) -> BoxFuture<'a, Result<T, StorageError>> {
        let begun = self.shared.begin(target);
        async move {
            match begun? {
                Some(Fault::Hold) => self.shared.hold().await?,
                Some(Fault::CrashAfter) => {
                    work.await?;
                    return self.shared.state().alive().and(Err(refused()));
                }
                _ => {}
            }
            work.await
        }
        .boxed()
    }
}

impl Physical for FaultStore {
    fn kind(&self) -> &'static str {
        self.disk.kind()
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Stored>, StorageError>> {
        self.run(Target::Read, async move { self.disk.get(key).await }.boxed())
    }

    fn page<'a>(
        &'a self,
        prefix: &'a Key,
        seek: Seek<'a>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(Key, Stored)>, StorageError>> {
        self.run(Target::Read, async move { self.disk.page(prefix, seek, limit).await }.boxed())
    }

    fn keys<'a>(
        &'a self,
        prefix: &'a Key,
        seek: Seek<'a>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Key>, StorageError>> {
        self.run(Target::Read, async move { self.disk.keys(prefix, seek, limit).await }.boxed())
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'static, Result<Seq, StorageError>> {
        let fault = match self.shared.begin(Target::Commit) {
            Ok(fault) => fault,
            Err(error) => return ready(Err(error)).boxed(),
        };
        let unknown = || StorageError::Undetermined("the answer was lost".to_owned());
        match fault {
            Some(Fault::Hold) => {
                let (disk, shared) = (Arc::clone(&self.disk), Arc::clone(&self.shared));
                // A task of its own: the work goes on when the caller drops the future.
                let held = tokio::spawn(async move {
                    shared.hold().await?;
                    disk.commit(batch).await
                });
                async move { held.await.unwrap_or_else(|_| Err(unknown())) }.boxed()
            }
            Some(Fault::Undetermined { written: false }) => ready(Err(unknown())).boxed(),
            Some(Fault::Undetermined { written: true } | Fault::CrashAfter) => {
                let committed = self.disk.commit(batch);
                async move { committed.await.and_then(|_| Err(unknown())) }.boxed()
            }
            Some(Fault::Refuse | Fault::Crash) | None => self.disk.commit(batch),
        }
    }

    fn applied(&self) -> Seq {
        self.disk.applied()
    }

    fn watch(&self, watcher: Weak<dyn Watcher>) {
        self.disk.watch(watcher);
    }

    fn leadership(&self) -> &dyn Leadership {
        self
    }

    /// Ends this handle only: what it wrapped stays open for [`reopen`](Self::reopen).
    fn close(&self) -> BoxFuture<'_, Result<(), StorageError>> {
        self.end("closed");
        ready(Ok(())).boxed()
    }
}

impl Leadership for FaultStore {
    fn acquire(&self) -> BoxFuture<'_, Result<Epoch, StorageError>> {
        self.run(Target::Lead, async move { self.disk.leadership().acquire().await }.boxed())
    }

    fn release(&self) -> BoxFuture<'_, Result<(), StorageError>> {
        self.run(Target::Lead, async move { self.disk.leadership().release().await }.boxed())
    }
}

/// Runs `scenario` on an empty store again and again, crashing at its first operation, its second, and so on, before
/// and after the operation takes effect, until it runs through; after each crash `check` sees the reopened store and
/// what the scenario gave back. Returns how many crashes there were.
pub async fn every_crash<T, S, C>(
    scenario: impl Fn(Arc<FaultStore>) -> S,
    check: impl Fn(Arc<FaultStore>, T) -> C,
) -> u64
where
    S: Future<Output = T>,
    C: Future<Output = ()>,
{
    let mut crashes = 0;
    for k in 1.. {
        for fault in [Fault::Crash, Fault::CrashAfter] {
            let store = FaultStore::in_memory();
            store.at(k, fault);
            let outcome = scenario(Arc::clone(&store)).await;
            let ran_through = !store.has_ended();
            check(store.reopen(), outcome).await;
            if ran_through {
                return crashes;
            }
            crashes += 1;
        }
    }
    crashes
}
