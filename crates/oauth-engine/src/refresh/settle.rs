//! Makes outcomes durable, however often the store refuses, and knows meanwhile what is not.
//!
//! Invariants: what a provider issued is dropped only when the store says that it will never take it, and then loudly;
//! what is unknown is read again, never assumed. Knows nothing of providers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vestal_crypto::SecretString;
use vestal_logical::{Error, Kind, Timestamp};
use vestal_storage::{Changes, Stamped, StorageError};

use super::backoff::SETTLE;
use super::end::{Effect, End};
use super::flights::Landing;
use super::outcome::{Circumstances, Next, Outcome};
use super::refresher::Refresher;
use crate::credential::intent::{Intent, Orphan};
use crate::credential::record::Credential;
use crate::credential::state::{BrokenBy, State};
use crate::server::{Lesson, Server};

/// The outcome of a refresh on its way into the store.
pub(crate) struct Settlement {
    pub(crate) id: String,
    pub(crate) intent: Stamped<Intent>,
    pub(crate) outcome: Outcome,
    pub(crate) server: Arc<Server>,
    /// The refresh token that was presented.
    pub(crate) presented: Option<SecretString>,
    /// When the answer came.
    pub(crate) answered: Timestamp,
}

/// Credentials whose newest tokens are in memory only.
#[derive(Default)]
pub(crate) struct Unsettled {
    records: Mutex<HashMap<String, Arc<Credential>>>,
    /// Beside the map, so that readers ask without the lock.
    count: AtomicUsize,
}

impl Unsettled {
    /// Newer tokens than the stored ones, if there are any.
    pub(crate) fn newer(
        &self,
        id: impl FnOnce() -> Option<String>,
        stored: &Credential,
    ) -> Option<Arc<Credential>> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        let held = self.records().get(&id()?).cloned()?;
        (held.generation == stored.generation && held.version > stored.version).then_some(held)
    }

    /// The ids of all that are not durable.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.records().keys().cloned().collect()
    }

    fn hold(&self, id: &str, record: Arc<Credential>) {
        let mut records = self.records();
        records.insert(id.to_owned(), record);
        self.count.store(records.len(), Ordering::Release);
    }

    fn release(&self, id: &str) {
        let mut records = self.records();
        records.remove(id);
        self.count.store(records.len(), Ordering::Release);
    }

    fn records(&self) -> MutexGuard<'_, HashMap<String, Arc<Credential>>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a try to write ended.
pub(crate) enum Wrote {
    Done(End),
    /// Not yet, or it is unknown; with what would be there.
    NotYet(StorageError, Option<Arc<Credential>>),
}

/// Whether trying again can help.
pub(crate) fn hopeless(failure: &StorageError) -> bool {
    match failure {
        StorageError::Sealed
        | StorageError::Fenced
        | StorageError::TooLarge { .. }
        | StorageError::Corrupt(_) => true,
        StorageError::Conflict
        | StorageError::Full(_)
        | StorageError::Unavailable(_)
        | StorageError::Undetermined(_) => false,
    }
}

impl Refresher {
    /// Writes the outcome until it is durable. Waiters hear when it is, or at the first refusal of the store with what is
    /// held in memory.
    pub(crate) async fn settle(&self, settlement: Settlement, landing: Landing<End>) {
        let Settlement { id, intent, mut outcome, server, presented, answered } = settlement;
        let mut failures = 0;
        let mut held = false;
        let end = loop {
            let (failure, would) = match self.write(&id, &intent, &outcome, &server).await {
                Wrote::Done(end) => break Some(end),
                Wrote::NotYet(failure, would) => (failure, would),
            };
            if matches!(failure, StorageError::TooLarge { .. }) && outcome.shed_extra() {
                continue;
            }
            if hopeless(&failure) {
                let lost = outcome.brings_tokens();
                tracing::error!(credential = id, lost, %failure, "the outcome of a refresh can not be stored");
                break None;
            }
            if matches!(failure, StorageError::Conflict) && failures == 0 && !held {
                failures += 1;
                continue;
            }
            if let Some(record) = would.filter(|_| !held) {
                held = true;
                tracing::error!(credential = id, %failure, "an outcome is in memory only, storing it is tried again");
                if outcome.brings_tokens() {
                    self.unsettled.hold(&id, Arc::clone(&record));
                }
                landing.tell(End {
                    record: Some(record),
                    effect: effect(&outcome),
                    durable: false,
                    failure: None,
                });
            }
            failures += 1;
            self.clock.sleep_until(self.clock.now().plus(SETTLE.after(failures, &id))).await;
        };
        // The one window in which a kill can lose a token that forgives nothing; the kill loop prints it.
        let window = self.clock.now().since(answered);
        tracing::debug!(window_micros = window.as_micros(), "an answer was settled");
        if held {
            self.unsettled.release(&id);
            if end.is_some() {
                tracing::info!(credential = id, "an outcome that was in memory only is stored now");
            }
        }
        self.remember(&server, &outcome, presented.as_ref()).await;
        landing.land(end.unwrap_or_else(|| End::of(None, Effect::Unstored)));
    }

    /// One try to write the outcome of a refresh.
    async fn write(&self, id: &str, intent: &Stamped<Intent>, outcome: &Outcome, server: &Server) -> Wrote {
        let mut would = None;
        match self.write_into(id, intent, outcome, server, &mut would).await {
            Ok(end) => Wrote::Done(end),
            Err(failure) => Wrote::NotYet(failure, would),
        }
    }

    async fn write_into(
        &self,
        id: &str,
        intent: &Stamped<Intent>,
        outcome: &Outcome,
        server: &Server,
        would: &mut Option<Arc<Credential>>,
    ) -> Result<End, StorageError> {
        let old = match self.store.by_id(id).await? {
            Some(old) if old.generation == intent.generation => old,
            other => return self.write_orphan(id, intent, outcome, server, other).await,
        };
        if old.attempt >= intent.attempt {
            // An earlier try did take place, though its answer was lost.
            self.ring(server, &old);
            return Ok(End::of(Some(old.value), effect(outcome)));
        }
        let floor = self.floor().await.map_err(unavailable)?;
        let around = Circumstances {
            id,
            now: self.clock.now(),
            floor,
            rotation: server.provider.rotation(),
            revision: server.revision,
        };
        let mut new = old.value.clone();
        let next = outcome
            .apply(&mut new, intent, &around)
            .map_err(|illegal| StorageError::Corrupt(illegal.to_string()))?;
        *would = Some(Arc::new(new.clone()));
        let mut changes = Changes::new();
        self.store.replace(&mut changes, id, Some(&old), Some(&new))?;
        match next {
            Next::End => self.store.end_intent(&mut changes, id, intent)?,
            Next::Keep(kept) => self.store.put_intent(&mut changes, id, Some(intent), &kept)?,
        }
        changes.reserved();
        self.store.commit(changes).await?;
        tell(id, &new, outcome);
        self.ring(server, &new);
        Ok(End::of(Some(new), effect(outcome)))
    }

    fn ring(&self, server: &Server, record: &Credential) {
        if let (Some(at), State::Live | State::InDoubt) = (record.due, record.state) {
            self.bell.due(server.id.clone(), at);
        }
    }

    /// Has a verdict about a server's settings looked at once more when they were replaced while it was on its way: who
    /// wrote the new ones could not wake what was not stored yet.
    pub(super) async fn unless_overtaken(&self, server: &Server) {
        let current = self.servers.get(&server.name).await;
        if current.is_ok_and(|current| current.revision == server.revision) {
            return;
        }
        self.circuits.forget(&server.id);
        self.bell.changed(server.id.clone());
    }

    /// The credential was deleted or connected anew meanwhile: the tokens are kept apart, for they are good.
    async fn write_orphan(
        &self,
        id: &str,
        intent: &Stamped<Intent>,
        outcome: &Outcome,
        server: &Server,
        present: Option<Stamped<Credential>>,
    ) -> Result<End, StorageError> {
        let mut changes = Changes::new();
        self.store.drop_intent(&mut changes, id, intent.generation)?;
        let now = self.clock.now();
        let orphan = match outcome {
            Outcome::Issued(issued, _) => Some(Orphan::of(server, &issued.tokens, now)),
            Outcome::Withheld { successor: Some(token), .. } => Some(Orphan::successor(server, token, now)),
            _ => None,
        };
        if let Some(orphan) = orphan {
            self.store.put_orphan(&mut changes, intent.nonce, &orphan).await?;
            tracing::warn!(
                credential = id,
                "tokens came for a credential that has gone, they are kept to be revoked"
            );
        }
        changes.reserved();
        self.store.commit(changes).await?;
        Ok(End::of(present.map(|present| present.value), Effect::Stale))
    }

    /// Keeps what the answer taught about the server; and lets its schedule know that it is well.
    async fn remember(&self, server: &Server, outcome: &Outcome, presented: Option<&SecretString>) {
        let issued = match outcome {
            Outcome::Issued(issued, _) => issued,
            Outcome::ClientRefused(_) | Outcome::RequestRefused(_) => {
                return self.unless_overtaken(server).await;
            }
            _ => return,
        };
        self.bell.well(&server.id);
        let lesson = Lesson::of(issued, presented);
        if lesson != Lesson::default() {
            self.servers.learn(server, lesson).await;
        }
    }
}

fn effect(outcome: &Outcome) -> Effect {
    match outcome {
        Outcome::Issued(..) => Effect::Issued,
        Outcome::Unusable(_) => Effect::NoServer,
        Outcome::ClientRefused(_) | Outcome::Unspent { .. } | Outcome::Lost { .. } => Effect::Failed,
        Outcome::Dead(_) | Outcome::RequestRefused(_) | Outcome::Withheld { .. } => Effect::Judged,
    }
}

/// A failure to read the configuration is one of the store, whatever its cause.
pub(crate) fn unavailable(failure: Error) -> StorageError {
    match failure.kind() {
        Kind::Sealed => StorageError::Sealed,
        Kind::Standby => StorageError::Fenced,
        _ => StorageError::Unavailable(failure.to_string()),
    }
}

/// The log line of an outcome: the credential's id, and no text that came from outside.
fn tell(id: &str, record: &Credential, outcome: &Outcome) {
    match (outcome, record.state) {
        (Outcome::Issued(..), _) => tracing::debug!(credential = id, version = record.version, "refreshed"),
        (_, State::Broken(BrokenBy::AmbiguousRotation)) => tracing::error!(
            credential = id,
            reason = "ambiguous rotation",
            "an answer was lost and its refresh token with it, the credential is broken"
        ),
        (_, State::Broken(BrokenBy::Rejected)) => {
            tracing::warn!(
                credential = id,
                "the provider refused the refresh token, the credential is broken"
            );
        }
        (_, State::InDoubt) => {
            tracing::warn!(credential = id, "no answer came, the refresh token may be spent");
        }
        (_, State::Parked(_)) => {
            tracing::warn!(credential = id, "the credential waits for its server's settings");
        }
        (Outcome::Withheld { .. }, _) => tracing::warn!(
            credential = id,
            "a refresh brought an ID token that does not verify; its refresh token is kept, the rest is not"
        ),
        (_, State::Live | State::Idle) => {
            tracing::info!(credential = id, attempts = record.trouble.attempts, "a refresh failed");
        }
    }
}
