//! Removes tokens whose time is over: one sleeper over the index of ends, no scan, no timer per token.
//!
//! A token that is over is refused at once, reaped or not. Knows nothing of who calls.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use vestal_logical::{DueEntry, Error, Task, Timestamp};
use vestal_storage::Changes;

use super::entry::DUE_GROUP;
use super::store::TokenStore;

/// How many ends are read at a time.
const PAGE: usize = 256;
/// How long to wait when a token could not be reaped.
const PAUSE: Duration = Duration::from_mins(1);

impl TokenStore {
    /// The reaper.
    pub(crate) fn tasks(self: &Arc<Self>) -> Vec<Task> {
        let store = Arc::clone(self);
        let start = move || {
            let store = Arc::clone(&store);
            Box::pin(async move { store.reap_for_ever().await }) as futures::future::BoxFuture<'static, ()>
        };
        vec![Task { name: "token expiry", start: Box::new(start) }]
    }

    /// Wakes the reaper when it would sleep past this end.
    pub(super) fn wake_for(&self, end: Timestamp) {
        if end.millis() < self.armed.load(Ordering::SeqCst) {
            self.nudge.notify_one();
        }
    }

    async fn reap_for_ever(&self) {
        loop {
            // While working, every new end counts as earlier: what is missed by the look below still wakes us.
            self.armed.store(i64::MAX, Ordering::SeqCst);
            let next = match self.tidy().await {
                Ok(next) => next.unwrap_or(Timestamp::MAX),
                Err(error) => {
                    tracing::error!(%error, "dead tokens could not be removed; they are refused all the same");
                    self.clock.now().plus(PAUSE)
                }
            };
            self.armed.store(next.millis(), Ordering::SeqCst);
            tokio::select! {
                () = self.clock.sleep_until(next) => {}
                () = self.nudge.notified() => {}
            }
        }
    }

    /// Finishes revocations that failed on the way, then removes what is over.
    async fn tidy(&self) -> Result<Option<Timestamp>, Error> {
        if self.unfinished.swap(false, Ordering::SeqCst) {
            let resumed = self.resume_revocations().await;
            if resumed.is_err() {
                self.unfinished.store(true, Ordering::SeqCst);
            }
            resumed?;
        }
        self.reap().await
    }

    /// Removes all that is over, and answers when the next one is.
    pub(super) async fn reap(&self) -> Result<Option<Timestamp>, Error> {
        let mut failed = None;
        loop {
            let due = self.due.due(DUE_GROUP, self.clock.now(), PAGE).await?;
            for entry in &due {
                if let Err(error) = self.reap_one(entry).await {
                    failed = Some(error);
                }
            }
            if let Some(error) = failed {
                return Err(error);
            }
            if due.is_empty() {
                return Ok(self.due.first(DUE_GROUP).await?.map(|first| first.at));
            }
        }
    }

    async fn reap_one(&self, due: &DueEntry) -> Result<(), Error> {
        match self.read(&due.id).await? {
            Some(found) if found.entry.due().as_ref() == Some(due) => self.revoke(&due.id).await,
            _ => {
                let mut changes = Changes::new();
                self.due.remove(changes.reserved(), due)?;
                self.barrier.commit(changes).await?;
                Ok(())
            }
        }
    }
}
