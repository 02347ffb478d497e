//! Work that many wait for and nobody can stop by leaving: at most one flight per key, each in a task of its own.
//!
//! Invariants: two flights of one key never overlap; a flight that panics lands as nothing, and its waiters hear so; the
//! lock is held for the length of a map operation. Knows nothing of what flies.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use vestal_logical::{Clock, Timestamp};

/// The flights of one sort that are in the air.
pub(crate) struct Flights<K, T> {
    open: Mutex<HashMap<K, Flight<T>>>,
    fewer: Notify,
    closed: AtomicBool,
}

struct Flight<T> {
    end: watch::Receiver<Option<T>>,
    abort: AbortHandle,
}

/// The flight's own side.
pub(crate) struct Landing<T> {
    end: watch::Sender<Option<T>>,
    /// Keeps the flight on the list; let go when it landed, panicked or was stopped.
    listed: Box<dyn Send>,
}

impl<T> Landing<T> {
    /// Answers all waiters, those to come included, though the work goes on.
    pub(crate) fn tell(&self, result: T) {
        self.end.send_replace(Some(result));
    }

    /// The work is over. Who comes after this flight gets another one, not its result.
    pub(crate) fn land(self, result: T) {
        drop(self.listed);
        self.end.send_replace(Some(result));
    }
}

/// A waiter's side.
pub(crate) struct Boarding<T>(watch::Receiver<Option<T>>);

/// How waiting ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Waited<T> {
    Landed(T),
    /// The deadline came first; the flight goes on.
    TooLate,
    /// The flight ended without a result.
    Lost,
}

impl<T: Clone> Boarding<T> {
    /// Waits for the result, at most until `deadline`.
    pub(crate) async fn wait(&mut self, clock: &dyn Clock, deadline: Timestamp) -> Waited<T> {
        let landed = async {
            match self.0.wait_for(Option::is_some).await {
                Ok(result) => result.clone().map_or(Waited::Lost, Waited::Landed),
                Err(_) => Waited::Lost,
            }
        };
        tokio::select! {
            biased;
            waited = landed => waited,
            () = clock.sleep_until(deadline) => Waited::TooLate,
        }
    }

    /// Waits until the work is over, however long it goes on behind its result.
    pub(crate) async fn over(mut self) -> Option<T> {
        while self.0.changed().await.is_ok() {}
        self.0.borrow().clone()
    }
}

/// Takes the flight off the list, also when it panicked or was stopped.
struct Listed<K: Eq + Hash + Clone, T> {
    flights: Arc<Flights<K, T>>,
    key: K,
}

impl<K: Eq + Hash + Clone, T> Drop for Listed<K, T> {
    fn drop(&mut self) {
        self.flights.locked().remove(&self.key);
        self.flights.fewer.notify_waiters();
    }
}

impl<K, T> Flights<K, T>
where
    K: Eq + Hash + Clone + Send + 'static,
    T: Clone + Send + Sync + 'static,
{
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { open: Mutex::default(), fewer: Notify::new(), closed: AtomicBool::new(false) })
    }

    /// The flight of that key; `work` starts one when there is none. `None` when no more flights start.
    pub(crate) fn board<W, F>(self: &Arc<Self>, key: K, work: W) -> Option<Boarding<T>>
    where
        W: FnOnce(Landing<T>) -> F,
        F: Future<Output = ()> + Send + 'static,
    {
        let mut open = self.locked();
        if let Some(flight) = open.get(&key) {
            return Some(Boarding(flight.end.clone()));
        }
        if self.closed.load(Ordering::Acquire) {
            return None;
        }
        let (sender, end) = watch::channel(None);
        let listed = Box::new(Listed { flights: Arc::clone(self), key: key.clone() });
        // The lock is held until the flight is listed, so it cannot end before.
        let task = tokio::spawn(work(Landing { end: sender, listed }));
        open.insert(key, Flight { end: end.clone(), abort: task.abort_handle() });
        Some(Boarding(end))
    }

    /// Whether a flight of that key is in the air.
    pub(crate) fn has(&self, key: &K) -> bool {
        self.locked().contains_key(key)
    }

    /// How many are in the air.
    pub(crate) fn len(&self) -> usize {
        self.locked().len()
    }

    /// Starts no more, and waits until all are down or the deadline comes; then stops the rest, and says how many.
    pub(crate) async fn close(&self, clock: &dyn Clock, deadline: Timestamp) -> usize {
        self.closed.store(true, Ordering::Release);
        loop {
            let fewer = self.fewer.notified();
            tokio::pin!(fewer);
            fewer.as_mut().enable();
            if self.len() == 0 {
                return 0;
            }
            tokio::select! {
                () = fewer => {}
                () = clock.sleep_until(deadline) => break,
            }
        }
        let rest: Vec<AbortHandle> = self.locked().values().map(|flight| flight.abort.clone()).collect();
        rest.iter().for_each(AbortHandle::abort);
        rest.len()
    }
}

impl<K, T> Flights<K, T> {
    fn locked(&self) -> MutexGuard<'_, HashMap<K, Flight<T>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
