//! A clock that moves only when told, and calls that no client made.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::channel::oneshot;
use futures::future::BoxFuture;
use serde_json::Value;

use crate::{Call, Clock, MountPoint, Operation, Timestamp};

/// A call of nobody at the beginning of time, with all the time there is. Data that is no object is none.
#[must_use]
pub fn call(
    mount: &Arc<MountPoint>,
    operation: Operation,
    path: &str,
    captures: &[(&'static str, String)],
    data: &Value,
) -> Call {
    Call {
        id: "request".to_owned(),
        operation,
        mount: Arc::clone(mount),
        path: path.to_owned(),
        captures: captures.to_owned(),
        data: data.as_object().cloned().unwrap_or_default(),
        caller: None,
        credential: None,
        wrap: None,
        peer: None,
        now: Timestamp::from_seconds(0),
        deadline: Timestamp::MAX,
    }
}

/// Simulated time. Sleepers wake in the order of their instants.
#[derive(Default)]
pub struct SimClock {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    now: Timestamp,
    sleepers: BTreeMap<(Timestamp, u64), oneshot::Sender<()>>,
    serial: u64,
}

impl SimClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        let clock = Self::default();
        clock.state().now = now;
        clock
    }

    /// Moves time on and wakes whoever is due, in order; gives them the chance to run before later ones wake.
    pub async fn advance(&self, span: Duration) {
        let end = self.now().plus(span);
        loop {
            settle().await;
            let due = {
                let mut state = self.state();
                match state.sleepers.first_key_value().map(|(key, _)| *key) {
                    Some(key) if key.0 <= end => {
                        state.now = state.now.max(key.0);
                        state.sleepers.remove(&key)
                    }
                    _ => None,
                }
            };
            match due {
                Some(sleeper) => drop(sleeper.send(())),
                None => break,
            }
        }
        self.state().now = end;
        settle().await;
    }

    /// The next instant at which someone wakes.
    #[must_use]
    pub fn next_wake(&self) -> Option<Timestamp> {
        self.state().sleepers.first_key_value().map(|((at, _), _)| *at)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets every other task of a single-threaded runtime run until it waits.
pub async fn settle() {
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        self.state().now
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
        let mut state = self.state();
        if at <= state.now {
            return Box::pin(std::future::ready(()));
        }
        let (waker, sleeper) = oneshot::channel();
        state.serial += 1;
        let serial = state.serial;
        state.sleepers.insert((at, serial), waker);
        Box::pin(async move {
            let _ = sleeper.await;
        })
    }
}
