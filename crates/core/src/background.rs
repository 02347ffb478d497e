//! Supervised tasks: named, restarted with back-off when they panic or end, stopped at seal and unmount.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use tokio::task::JoinHandle;
use vestal_logical::{Clock, Task};

/// The longest pause before a failing task is started again.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// A task that ran this long has proved itself; its next failure counts as the first.
const STEADY: Duration = Duration::from_mins(5);

/// All background work of one unsealed kernel.
pub(crate) struct Background {
    clock: Arc<dyn Clock>,
    running: Mutex<HashMap<String, Vec<JoinHandle<()>>>>,
}

impl Background {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, running: Mutex::default() }
    }

    /// Starts tasks under the name of their owner.
    pub(crate) fn start(&self, owner: &str, tasks: Vec<Task>) {
        let handles: Vec<_> =
            tasks.into_iter().map(|task| tokio::spawn(supervise(Arc::clone(&self.clock), task))).collect();
        self.running().entry(owner.to_owned()).or_default().extend(handles);
    }

    /// Cancels the tasks of one owner and waits until they are gone.
    pub(crate) async fn stop(&self, owner: &str) {
        let handles = self.running().remove(owner).unwrap_or_default();
        stop(handles).await;
    }

    /// Cancels everything.
    pub(crate) async fn stop_all(&self) {
        let handles: Vec<_> = self.running().drain().flat_map(|(_, handles)| handles).collect();
        stop(handles).await;
    }

    fn running(&self) -> MutexGuard<'_, HashMap<String, Vec<JoinHandle<()>>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A kernel that could not be built whole is dropped: its tasks must not outlive it.
impl Drop for Background {
    fn drop(&mut self) {
        for handle in self.running().values().flatten() {
            handle.abort();
        }
    }
}

async fn stop(handles: Vec<JoinHandle<()>>) {
    handles.iter().for_each(JoinHandle::abort);
    for handle in handles {
        // An aborted task answers with its cancellation; that is what was asked for.
        let _ = handle.await;
    }
}

async fn supervise(clock: Arc<dyn Clock>, task: Task) {
    let mut pause = Duration::from_secs(1);
    loop {
        let begun = clock.now();
        let ended = std::panic::AssertUnwindSafe((task.start)()).catch_unwind().await;
        let lasted = clock.now().since(begun);
        if lasted >= STEADY {
            pause = Duration::from_secs(1);
        }
        tracing::error!(
            task = task.name,
            panicked = ended.is_err(),
            "a background task ended; it is started again"
        );
        clock.sleep_until(clock.now().plus(pause)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use vestal_logical::Timestamp;
    use vestal_logical::testing::{SimClock, settle};

    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_is_started_again_after_a_pause_and_not_after_stop() {
        let clock = Arc::new(SimClock::at(Timestamp::from_seconds(1)));
        let background = Background::new(clock.clone());
        let starts = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&starts);
        let start = Box::new(move || {
            let counter = Arc::clone(&counter);
            async move {
                counter.fetch_add(1, Ordering::SeqCst);
                panic!("as planned");
            }
            .boxed()
        });
        background.start("mount", vec![Task { name: "planned", start }]);
        settle().await;
        assert_eq!(starts.load(Ordering::SeqCst), 1);
        clock.advance(Duration::from_secs(1)).await;
        assert_eq!(starts.load(Ordering::SeqCst), 2);
        clock.advance(Duration::from_secs(1)).await;
        assert_eq!(starts.load(Ordering::SeqCst), 2, "the second pause is longer");
        clock.advance(Duration::from_secs(1)).await;
        assert_eq!(starts.load(Ordering::SeqCst), 3);
        background.stop("mount").await;
        clock.advance(Duration::from_secs(100)).await;
        assert_eq!(starts.load(Ordering::SeqCst), 3);
    }
}
