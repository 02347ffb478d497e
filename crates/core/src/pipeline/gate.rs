//! Counts the calls under way, so that sealing can refuse new ones, wait for the rest, and abort what outlives its patience.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use vestal_logical::{Clock, Timestamp};

/// How long an aborted call has to leave.
const LAST_STEP: Duration = Duration::from_secs(1);

/// The door of the pipeline, and of each mount.
pub(crate) struct Gate {
    clock: Arc<dyn Clock>,
    shared: Arc<Shared>,
}

type Abort = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    left: Notify,
}

#[derive(Default)]
struct State {
    closed: bool,
    /// The calls inside; the way to abort one is missing for the moment between entering and being started.
    inside: HashMap<u64, Option<Abort>>,
    serial: u64,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Held by a call while it runs.
pub(crate) struct Pass {
    shared: Arc<Shared>,
    serial: u64,
}

impl Pass {
    /// The number under which the gate knows this call.
    pub(crate) fn serial(&self) -> u64 {
        self.serial
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.shared.state().inside.remove(&self.serial);
        self.shared.left.notify_waiters();
    }
}

impl Gate {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, shared: Arc::default() }
    }

    /// Lets a call in, or nobody any more.
    pub(crate) fn enter(&self) -> Option<Pass> {
        let mut state = self.shared.state();
        if state.closed {
            return None;
        }
        state.serial += 1;
        let serial = state.serial;
        state.inside.insert(serial, None);
        Some(Pass { shared: Arc::clone(&self.shared), serial })
    }

    /// Remembers how to abort a call that has entered, unless it has left already.
    pub(crate) fn abortable(&self, serial: u64, abort: impl FnOnce() + Send + 'static) {
        if let Some(slot) = self.shared.state().inside.get_mut(&serial) {
            *slot = Some(Box::new(abort));
        }
    }

    /// Whether nobody is let in any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.shared.state().closed
    }

    /// Lets nobody in, waits until everybody has left or `deadline` has come, then aborts the rest.
    pub(crate) async fn close(&self, deadline: Timestamp) {
        self.shared.state().closed = true;
        if self.emptied(deadline).await {
            return;
        }
        let aborts: Vec<_> = self.shared.state().inside.values_mut().filter_map(Option::take).collect();
        tracing::warn!(calls = aborts.len(), "calls outlived their deadline and are aborted");
        for abort in aborts {
            abort();
        }
        // An aborted call leaves at its next step; one that takes none is not waited for.
        self.emptied(self.clock.now().plus(LAST_STEP)).await;
    }

    /// Waits until nobody is inside; false when `deadline` came first.
    async fn emptied(&self, deadline: Timestamp) -> bool {
        let late = self.clock.sleep_until(deadline);
        tokio::pin!(late);
        loop {
            let left = self.shared.left.notified();
            tokio::pin!(left);
            left.as_mut().enable();
            if self.shared.state().inside.is_empty() {
                return true;
            }
            tokio::select! {
                () = left => {}
                () = &mut late => return false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use vestal_logical::testing::{SimClock, settle};

    use super::*;

    #[tokio::test]
    async fn closing_waits_for_calls_inside_and_lets_nobody_in() {
        let clock = Arc::new(SimClock::at(Timestamp::from_seconds(1)));
        let gate = Arc::new(Gate::new(clock.clone()));
        let pass = gate.enter().expect("open");
        let closing = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { gate.close(Timestamp::from_seconds(100)).await }
        });
        settle().await;
        assert!(gate.enter().is_none());
        assert!(!closing.is_finished());
        drop(pass);
        closing.await.expect("closed");
    }

    #[tokio::test]
    async fn what_outlives_the_deadline_is_aborted() {
        let clock = Arc::new(SimClock::at(Timestamp::from_seconds(1)));
        let gate = Arc::new(Gate::new(clock.clone()));
        let pass = gate.enter().expect("open");
        let serial = pass.serial();
        let stuck = tokio::spawn(async move {
            std::future::pending::<()>().await;
            drop(pass);
        });
        let abort = stuck.abort_handle();
        gate.abortable(serial, move || abort.abort());
        let closing = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { gate.close(Timestamp::from_seconds(10)).await }
        });
        clock.advance(Duration::from_secs(10)).await;
        closing.await.expect("closed");
        assert!(stuck.await.expect_err("aborted").is_cancelled());
    }
}
