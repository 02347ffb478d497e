//! Tries the refresh tokens that were handed in before a crash and not accepted by then.
//!
//! Invariants: once, and only for the generation that it was handed in for; what was connected since wins. Knows nothing
//! of what a start finds besides.

use std::sync::Arc;

use vestal_storage::{Changes, Stamped, StorageError};

use super::backoff::SERVER;
use super::connect::ConnectFailure;
use super::flights::Landing;
use super::refresher::Refresher;
use super::settle::hopeless;
use crate::credential::intent::{Intent, Orphan};
use crate::credential::store::Found;
use crate::providers::{Cause, ProviderError};
use crate::server::{Server, ServerProblem};

/// How often one is tried when nothing can have been spent.
const TRIES: u32 = 8;

impl Refresher {
    /// Tries a candidate that a crash left behind: once, and for the generation only that it was handed in for.
    pub(crate) fn retry_candidate(self: &Arc<Self>, found: Found) {
        let this = Arc::clone(self);
        // Under the key of the request: who repeats it waits for this try instead of making one beside it.
        let mac = found.intent.candidate.as_ref().map(|candidate| candidate.mac.clone()).unwrap_or_default();
        let key = (found.id.clone(), mac);
        self.connects.board(key, move |landing| async move { this.redeem(found, landing).await });
    }

    async fn redeem(&self, found: Found, landing: Landing<Result<(), ConnectFailure>>) {
        let Found { id, mut intent } = found;
        let mut left = None;
        for tries in 1..=TRIES {
            let server = match self.candidate_server(&id, &intent).await {
                Ok(Some(server)) if intent.presentations < 2 => server,
                Ok(_) => break,
                Err(failure) if hopeless(&failure) => return,
                Err(_) => {
                    self.clock.sleep_until(self.clock.now().plus(SERVER.after(tries, &id))).await;
                    continue;
                }
            };
            match self.present_again(&id, &intent).await {
                Ok(again) => intent = again,
                Err(_) => {
                    self.clock.sleep_until(self.clock.now().plus(SERVER.after(tries, &id))).await;
                    continue;
                }
            }
            let made = self.try_candidate(&server, &intent).await;
            if let Err(failure) = &made {
                let cause = Cause::of(failure);
                tracing::warn!(credential = id, %cause, "a handed-in refresh token brought no tokens");
            }
            match made {
                Ok(made) => return self.establish(&id, made, landing).await,
                Err(ProviderError::NotSent(_) | ProviderError::Busy { .. }) => {
                    // Nothing was spent: this was no presentation.
                    intent.value.presentations -= 1;
                    self.clock.sleep_until(self.clock.now().plus(SERVER.after(tries, &id))).await;
                }
                Err(failure) => {
                    left = Orphan::withheld(&server, &failure, self.clock.now());
                    break;
                }
            }
        }
        tracing::warn!(
            credential = id,
            "a refresh token that was handed in before the last stop was not accepted"
        );
        self.withdraw(&id, &intent, left).await;
    }

    /// The server of a candidate, if both are still what they were.
    async fn candidate_server(&self, id: &str, intent: &Intent) -> Result<Option<Arc<Server>>, StorageError> {
        let Some(candidate) = &intent.candidate else { return Ok(None) };
        let present = self.store.by_id(id).await?.map(|record| record.generation);
        if present != candidate.base {
            return Ok(None);
        }
        match self.servers.get(&candidate.terms.server).await {
            Ok(server) if server.provider.origin() == candidate.terms.origin => Ok(Some(server)),
            Err(ServerProblem::Storage(failure)) => Err(failure),
            Ok(_) | Err(ServerProblem::Missing | ServerProblem::Unusable(_)) => Ok(None),
        }
    }

    async fn present_again(
        &self,
        id: &str,
        intent: &Stamped<Intent>,
    ) -> Result<Stamped<Intent>, StorageError> {
        let again = Intent {
            presentations: intent.presentations + 1,
            presented: self.clock.now(),
            nonce: self.random(),
            ..intent.value.clone()
        };
        let mut changes = Changes::new();
        self.store.put_intent(&mut changes, id, Some(intent), &again)?;
        self.commit_intent(id, changes, again).await
    }
}
