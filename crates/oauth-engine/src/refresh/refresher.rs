//! Refreshes one credential: looks again, commits the intent, calls the provider, has the outcome settled.
//!
//! Invariants: one flight per credential and generation, in a task of its own that nobody's leaving stops; the intent is
//! durable before the token leaves; no lock is held meanwhile. Knows nothing of what is due when.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::OwnedSemaphorePermit;
use vestal_crypto::Entropy;
use vestal_logical::{Clock, Error, Kind, Timestamp};
use vestal_storage::{Changes, Stamp, Stamped, StorageError};

use super::backoff::CREDENTIAL;
use super::bell::Bell;
use super::circuit::{Admission, Asker, Circuits};
use super::connect::ConnectFailure;
use super::end::{Effect, End, Why};
use super::flights::{Boarding, Flights, Landing};
use super::lead::Floor;
use super::limits::{RateGuard, time_limit};
use super::outcome::{Outcome, give_up_in_doubt};
use super::recovery::{Replay, replay};
use super::settle::{Settlement, Unsettled};
use crate::config::ConfigStore;
use crate::credential::intent::Intent;
use crate::credential::record::Credential;
use crate::credential::state::{Event, ParkedBy, State, step};
use crate::credential::store::{Credentials, whole};
use crate::providers::{Allow, Cause, Grant, Issued, ProviderError};
use crate::server::{Server, ServerProblem, Servers};

/// Looks at a record that changes under our eyes are repeated this often.
const LOOKS: u32 = 8;
/// What a parked credential shows whose server lies elsewhere now.
pub(crate) const OTHER_ORIGIN: &str =
    "its token endpoint is at another origin than the one that issued this credential, connect it again";

/// Everything that keeps a mount's credentials fresh.
pub(crate) struct Refresher {
    pub(crate) store: Credentials,
    pub(crate) servers: Arc<Servers>,
    pub(crate) config: Arc<ConfigStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) flights: Arc<Flights<(String, u64), End>>,
    pub(crate) connects: Arc<Flights<(String, String), Result<(), ConnectFailure>>>,
    pub(crate) unsettled: Unsettled,
    pub(crate) circuits: Circuits,
    pub(crate) guard: RateGuard,
    pub(crate) bell: Bell,
}

/// All that a call needs.
struct Start {
    record: Stamped<Credential>,
    intent: Stamped<Intent>,
    server: Arc<Server>,
    limit: Option<Duration>,
    /// A place among those that the provider is asked for at a time.
    place: Option<OwnedSemaphorePermit>,
}

enum Begun {
    Call(Box<Start>),
    Nothing(End),
}

impl Refresher {
    /// The flight that refreshes this generation of a credential; `None` when the engine is closing.
    pub(crate) fn refresh(self: &Arc<Self>, id: &str, generation: u64, why: Why) -> Option<Boarding<End>> {
        let (this, name) = (Arc::clone(self), id.to_owned());
        self.flights.board((id.to_owned(), generation), move |landing| async move {
            this.fly(name, generation, why, landing).await;
        })
    }

    pub(crate) async fn floor(&self) -> Result<Floor, Error> {
        Ok(Floor::of(&*self.config.current().await?))
    }

    pub(crate) fn random(&self) -> u64 {
        u64::from_be_bytes(vestal_crypto::entropy::array(self.entropy.as_ref()))
    }

    async fn fly(&self, id: String, generation: u64, why: Why, landing: Landing<End>) {
        let start = match self.begin(&id, generation, why).await {
            Ok(Begun::Call(start)) => *start,
            Ok(Begun::Nothing(end)) => return landing.land(end),
            Err(failure) => {
                tracing::warn!(credential = id, %failure, "a refresh could not begin");
                return landing
                    .land(End { failure: Some(failure.into()), ..End::of(None, Effect::Unstored) });
            }
        };
        let Start { record, intent, server, limit, place } = start;
        let asked = self.clock.now();
        let answer = match record.refresh_token() {
            Some(token) => {
                let grant = Grant::Refresh {
                    refresh_token: token.clone(),
                    options: record.options.clone(),
                    previous_extra: record.tokens.extra.clone(),
                };
                call(&server, grant, Allow { now: asked, time: limit }).await
            }
            None => Err(ProviderError::NotSent("there is no refresh token".to_owned())),
        };
        drop(place);
        if let Err(failure) = &answer {
            tracing::warn!(credential = id, cause = %Cause::of(failure), "a refresh brought no tokens");
        }
        let answered = self.clock.now();
        let outcome = Outcome::of(answer, asked, self.circuits.proven(&server));
        self.judge(&server, &outcome);
        let presented = record.value.tokens.refresh_token;
        let settlement = Settlement { id, intent, outcome, server, presented, answered };
        self.settle(settlement, landing).await;
    }

    /// What the answer says about the server.
    fn judge(&self, server: &Server, outcome: &Outcome) {
        let now = self.clock.now();
        let trip = match outcome {
            Outcome::Unspent { trip, .. } | Outcome::Lost { trip, .. } => Some(*trip),
            Outcome::Issued(..) | Outcome::Withheld { .. } => {
                self.circuits.served(server);
                None
            }
            Outcome::Dead(_) | Outcome::RequestRefused(_) => {
                self.circuits.healthy(&server.id);
                None
            }
            Outcome::ClientRefused(text) => {
                if self.circuits.refused(server, text) {
                    tracing::error!(
                        server = server.id,
                        "the provider refuses this server's client: all its credentials wait until its settings change"
                    );
                }
                None
            }
            Outcome::Unusable(_) => None,
        };
        if let Some(trip) = trip {
            self.circuits.failed(&server.id, trip, now);
        }
    }

    async fn begin(&self, id: &str, generation: u64, why: Why) -> Result<Begun, Error> {
        for _ in 0..LOOKS {
            match self.look(id, generation, why).await {
                // Someone else changed the record between the look and the commit.
                Err(failure) if failure.kind() == Kind::Conflict => {}
                begun => return begun,
            }
        }
        Err(StorageError::Conflict.into())
    }

    async fn look(&self, id: &str, generation: u64, why: Why) -> Result<Begun, Error> {
        let now = self.clock.now();
        let nothing = |record: Option<Stamped<Credential>>, effect| {
            Ok(Begun::Nothing(End::of(record.map(|record| record.value), effect)))
        };
        let record = match self.store.by_id(id).await? {
            Some(record) if record.generation == generation => record,
            other => return nothing(other, Effect::Stale),
        };
        match why {
            Why::Due { at } if record.due != Some(at) => return nothing(Some(record), Effect::Stale),
            Why::Due { at } if at > now => return nothing(Some(record), Effect::Untouched),
            Why::Read { delta } if record.valid_for(now, delta) => {
                return nothing(Some(record), Effect::Untouched);
            }
            Why::Due { .. } | Why::Read { .. } => {}
        }
        if !record.may_refresh() || matches!(why, Why::Read { .. }) && resting(id, &record, now) {
            return nothing(Some(record), Effect::Untouched);
        }
        // First a place, for waiting for one spends nothing; then the server as it is by now. A record that changed
        // meanwhile is a conflict at the intent, and is looked at again.
        let place = self.circuits.enter(&self.servers.id(&record.server)?).await;
        let now = self.clock.now();
        let server = match self.servers.get(&record.server).await {
            Ok(server) => server,
            Err(ServerProblem::Storage(failure)) => return Err(failure.into()),
            Err(problem) => return self.without_server(id, record, &problem, why).await,
        };
        if server.provider.origin() != record.origin {
            return self.park(id, record, &server).await;
        }
        let asker = if matches!(why, Why::Read { .. }) { Asker::Reader } else { Asker::Schedule };
        if self.circuits.admit(&server, asker, now) != Admission::Go {
            return nothing(Some(record), Effect::Untouched);
        }
        let earlier = self.store.intent(id, generation).await?;
        if let Some(earlier) = &earlier {
            match replay(server.provider.rotation(), earlier, &record, now) {
                Replay::At(at) if at <= now => {}
                Replay::At(at) => return self.put_off(id, record, at, why).await,
                Replay::Never => return self.give_up(id, record, earlier).await,
            }
        }
        let begun = self.intend(id, record, earlier, server, why).await?;
        Ok(match begun {
            Begun::Call(start) => Begun::Call(Box::new(Start { place, ..*start })),
            nothing @ Begun::Nothing(_) => nothing,
        })
    }

    /// Commits the intent: from here on the token counts as presented.
    async fn intend(
        &self,
        id: &str,
        record: Stamped<Credential>,
        earlier: Option<Stamped<Intent>>,
        server: Arc<Server>,
        why: Why,
    ) -> Result<Begun, Error> {
        let now = self.clock.now();
        step(if earlier.is_some() { State::InDoubt.phase() } else { record.state.phase() }, Event::Began)
            .map_err(Error::internal)?;
        let intent = Intent {
            generation: record.generation,
            version: record.version,
            attempt: record.attempt + 1,
            nonce: self.random(),
            epoch: self.store.epoch(),
            started: earlier.as_ref().map_or(now, |earlier| earlier.started),
            presented: now,
            presentations: earlier.as_ref().map_or(0, |earlier| earlier.presentations) + 1,
            doubtful: false,
            candidate: None,
        };
        let mut changes = Changes::new();
        self.store.expect(&mut changes, id, Some(&record))?;
        self.store.put_intent(&mut changes, id, earlier.as_ref(), &intent)?;
        let limit = self.limit(&record, why, now).await?;
        let intent = self.commit_intent(id, changes, intent).await?;
        Ok(Begun::Call(Box::new(Start { record, intent, server, limit, place: None })))
    }

    /// Commits a batch that puts this intent. When the commit's fate is unknown the store is asked.
    pub(crate) async fn commit_intent(
        &self,
        id: &str,
        changes: Changes,
        intent: Intent,
    ) -> Result<Stamped<Intent>, StorageError> {
        match self.store.commit(changes).await {
            Ok(seq) => Ok(Stamped { value: intent, stamp: Stamp::from(seq) }),
            Err(StorageError::Undetermined(why)) => {
                let found = self.store.intent(id, intent.generation).await?;
                found.filter(|found| found.nonce == intent.nonce).ok_or(StorageError::Undetermined(why))
            }
            Err(failure) => Err(failure),
        }
    }

    async fn limit(&self, record: &Credential, why: Why, now: Timestamp) -> Result<Option<Duration>, Error> {
        let config = self.config.current().await?;
        let delta = match why {
            Why::Read { delta } => delta,
            Why::Due { .. } => Floor::of(&config).delta(),
        };
        #[expect(clippy::cast_precision_loss, reason = "a span of seconds for a time limit")]
        let left = record.expires.map(|end| end.nanos().saturating_sub(now.nanos()) as f64 / 1e9);
        Ok(time_limit(&config, left, delta.as_secs_f64()))
    }

    /// The server is missing or unusable. A reader's attempt is noted in the record, as often as the text is news; the
    /// schedule's is not, for it would be a write per credential.
    async fn without_server(
        &self,
        id: &str,
        record: Stamped<Credential>,
        problem: &ServerProblem,
        why: Why,
    ) -> Result<Begun, Error> {
        let text = problem.to_string();
        let mut noted = record.value.clone();
        noted.server_trouble(&text, self.clock.now());
        if matches!(why, Why::Read { .. }) && record.trouble.server.as_deref() != Some(&text) {
            self.note(id, &record, &noted).await?;
        }
        Ok(Begun::Nothing(End::of(Some(noted), Effect::NoServer)))
    }

    /// The server's token endpoint is somewhere else: the token is not sent there.
    async fn park(&self, id: &str, record: Stamped<Credential>, server: &Server) -> Result<Begun, Error> {
        step(record.state.phase(), Event::Parked).map_err(Error::internal)?;
        let now = self.clock.now();
        let mut parked = record.value.clone();
        parked.server_trouble(OTHER_ORIGIN, now);
        parked.state = State::Parked(ParkedBy::Origin);
        parked.due = Some(whole(now));
        tracing::warn!(credential = id, "the server lies at another origin now, the credential waits");
        let moved = self.move_to(id, record, parked).await;
        self.unless_overtaken(server).await;
        moved
    }

    /// A doubtful token whose time has not come.
    async fn put_off(
        &self,
        id: &str,
        record: Stamped<Credential>,
        at: Timestamp,
        why: Why,
    ) -> Result<Begun, Error> {
        if matches!(why, Why::Read { .. }) {
            return Ok(Begun::Nothing(End::of(Some(record.value), Effect::Untouched)));
        }
        let mut later = record.value.clone();
        later.due = self.floor().await?.or_never(at);
        let group = self.servers.id(&record.server)?;
        let moved = self.move_to(id, record, later).await;
        // Also when it is unknown whether it moved: a ring too many costs a look.
        self.bell.due(group, whole(at));
        moved
    }

    /// A doubtful token that may not be presented again.
    async fn give_up(
        &self,
        id: &str,
        record: Stamped<Credential>,
        earlier: &Stamped<Intent>,
    ) -> Result<Begun, Error> {
        let mut broken = record.value.clone();
        broken.state = State::InDoubt;
        give_up_in_doubt(&mut broken, self.clock.now()).map_err(Error::internal)?;
        tracing::error!(
            credential = id,
            reason = "ambiguous rotation",
            "the answer to a refresh was lost for good, the credential is broken"
        );
        let mut changes = Changes::new();
        self.store.replace(&mut changes, id, Some(&record), Some(&broken))?;
        self.store.end_intent(&mut changes, id, earlier)?;
        changes.reserved();
        self.store.commit(changes).await?;
        Ok(Begun::Nothing(End::of(Some(broken), Effect::Moved)))
    }

    async fn move_to(&self, id: &str, old: Stamped<Credential>, new: Credential) -> Result<Begun, Error> {
        let mut changes = Changes::new();
        self.store.replace(&mut changes, id, Some(&old), Some(&new))?;
        self.store.commit(changes).await?;
        Ok(Begun::Nothing(End::of(Some(new), Effect::Moved)))
    }
}

/// Whether readers are kept from another try, for the last one was withheld from them a moment ago: each costs a rotation.
fn resting(id: &str, record: &Credential, now: Timestamp) -> bool {
    let trouble = &record.trouble;
    let wait = || CREDENTIAL.after(trouble.attempts, id);
    record.was_withheld() && trouble.last.is_some_and(|last| now < last.plus(wait()))
}

/// One exchange. A provider that panics has given no answer.
pub(crate) async fn call(server: &Server, grant: Grant, allow: Allow) -> Result<Issued, ProviderError> {
    let exchange = AssertUnwindSafe(server.provider.exchange(grant, allow)).catch_unwind();
    exchange.await.unwrap_or_else(|_| Err(ProviderError::NoAnswer("the provider's code failed".to_owned())))
}
