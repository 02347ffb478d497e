//! Makes a credential of a grant: a code a person brought, or a refresh token that was handed in.
//!
//! A code is exchanged and the record committed. A refresh token first waits in an intent as a candidate, so that a crash
//! between the exchange and the commit is known; the old credential stays until the new one is durable.
//!
//! Invariants: equal requests at the same time share one exchange; a repeated one gets the answer of the first for ten
//! minutes, without a call, as long as that answer is still true, when its code or refresh token was spent by the first; a
//! failure leaves the old credential as it was. Knows nothing of paths.

use std::sync::Arc;
use std::time::Duration;

use vestal_crypto::SecretString;
use vestal_logical::{Error, Kind, Timestamp};
use vestal_storage::{Changes, Stamped, StorageError};

use super::backoff::SETTLE;
use super::flights::{Landing, Waited};
use super::limits::time_limit;
use super::outcome::shown;
use super::refresher::{Refresher, call};
use super::settle::{hopeless, unavailable};
use crate::credential::intent::{Candidate, Intent, Orphan};
use crate::credential::record::{Accepted, Credential, Terms};
use crate::credential::state::{Event, Phase, State, step};
use crate::providers::{Allow, Cause, Grant, Issued, Options, ProviderError};
use crate::server::{Lesson, Server};

/// A repeated code request gets the first one's answer this long.
const REMEMBERED: Duration = Duration::from_mins(10);

/// A grant to be made a credential.
pub(crate) struct Connect {
    pub(crate) id: String,
    pub(crate) server: Arc<Server>,
    pub(crate) grant: Offer,
    /// Cap on the lifetime in seconds; 0 is none.
    pub(crate) cap: u64,
    /// The provider options of the request.
    pub(crate) options: Options,
    /// Stands for the whole request.
    pub(crate) mac: String,
}

/// What was brought.
pub(crate) enum Offer {
    Code { code: SecretString, redirect_url: String },
    RefreshToken(SecretString),
}

/// Why no credential was made.
#[derive(Debug, Clone)]
pub(crate) enum ConnectFailure {
    /// 400 with this text.
    User(String),
    /// The server cannot be used: 400.
    Server {
        name: String,
        text: String,
    },
    /// The provider's fault: 500 with this text.
    Provider(String),
    /// A fault of ours: 500 with this text.
    Internal(String),
    Storage(StorageError),
}

impl From<StorageError> for ConnectFailure {
    fn from(failure: StorageError) -> Self {
        Self::Storage(failure)
    }
}

impl From<ConnectFailure> for Error {
    fn from(failure: ConnectFailure) -> Self {
        match failure {
            ConnectFailure::User(text) => Self::invalid(text),
            ConnectFailure::Server { name, text } => {
                Self::invalid(format!("server \"{name}\" has configuration problems: {text}"))
            }
            ConnectFailure::Provider(text) => Self::new(Kind::Upstream, text).multi(),
            ConnectFailure::Internal(text) => Self::new(Kind::Internal, text.clone()).because(text).multi(),
            ConnectFailure::Storage(failure) => failure.into(),
        }
    }
}

impl ConnectFailure {
    fn of(failure: ProviderError, prefix: &str, server: &Server) -> Self {
        let text = failure.to_string();
        match failure {
            ProviderError::Rejected { .. }
            | ProviderError::Unacceptable(_)
            | ProviderError::Withheld { .. } => Self::User(shown(prefix, &text)),
            ProviderError::Misconfigured(text) => Self::Server { name: server.name.clone(), text },
            ProviderError::NotSent(_)
            | ProviderError::NoAnswer(_)
            | ProviderError::Busy { .. }
            | ProviderError::Refused { .. } => Self::Provider(text),
            ProviderError::Internal(_) => Self::Internal(text),
        }
    }
}

/// Whether `record` is what an equal request made, and is what that one was told: whole, usable, and of these settings.
/// Else the code is exchanged, for whoever connects anew wants to mend something.
fn repeats(ask: &Connect, record: &Credential, now: Timestamp) -> bool {
    let Some(before) = &record.accepted else { return false };
    before.mac == ask.mac
        && now.since(before.at) < REMEMBERED
        && before.revision.is_none_or(|revision| revision == ask.server.revision)
        && record.healthy(now)
}

/// What tells a repetition of this request, which was accepted then.
fn accepted(mac: &str, server: &Server, at: Timestamp) -> Accepted {
    Accepted { mac: mac.to_owned(), revision: Some(server.revision), at }
}

/// The log line of a grant that bought nothing; no text in it came from outside.
fn tell(ask: &Connect, failure: &ProviderError) {
    tracing::info!(credential = ask.id, cause = %Cause::of(failure), "connecting failed");
}

/// What a new credential may take the place of.
enum Replaces {
    Whatever,
    /// Nothing but this generation, or nothing at all: a candidate that a crash left behind.
    Only(Option<u64>),
}

/// A credential that only lacks its place in the store.
pub(super) struct Made {
    record: Credential,
    candidate: Option<Stamped<Intent>>,
    replaces: Replaces,
    server: Arc<Server>,
    issued: Issued,
    presented: Option<SecretString>,
}

impl Refresher {
    /// Connects, and waits for it until `deadline`; the work goes on behind it.
    pub(crate) async fn connect(self: &Arc<Self>, ask: Connect, deadline: Timestamp) -> Result<(), Error> {
        let this = Arc::clone(self);
        let key = (ask.id.clone(), ask.mac.clone());
        let flight = self.connects.board(key, move |landing| async move { this.offer(ask, landing).await });
        let Some(mut flight) = flight else { return Err(StorageError::Sealed.into()) };
        match flight.wait(self.clock.as_ref(), deadline).await {
            Waited::Landed(result) => result.map_err(Error::from),
            Waited::TooLate => {
                Err(Error::new(Kind::Internal, "context deadline exceeded before the credential was stored")
                    .multi())
            }
            Waited::Lost => Err(Error::new(Kind::Internal, "connecting was stopped").multi()),
        }
    }

    async fn offer(&self, ask: Connect, landing: Landing<Result<(), ConnectFailure>>) {
        match &ask.grant {
            Offer::Code { .. } => self.offer_code(ask, landing).await,
            Offer::RefreshToken(_) => self.offer_token(ask, landing).await,
        }
    }

    async fn offer_code(&self, ask: Connect, landing: Landing<Result<(), ConnectFailure>>) {
        match self.exchange_code(&ask).await {
            Ok(Some(made)) => self.establish(&ask.id, made, landing).await,
            Ok(None) => landing.land(Ok(())),
            Err(failure) => landing.land(Err(failure)),
        }
    }

    /// The credential that the code buys, or nothing when this very request was accepted a moment ago.
    async fn exchange_code(&self, ask: &Connect) -> Result<Option<Made>, ConnectFailure> {
        let Offer::Code { code, redirect_url } = &ask.grant else { return Ok(None) };
        let asked = self.clock.now();
        let present = self.store.by_id(&ask.id).await?;
        if present.is_some_and(|record| repeats(ask, &record, asked)) {
            tracing::info!(credential = ask.id, "the same code was accepted before, nothing is exchanged");
            return Ok(None);
        }
        let grant = Grant::Code {
            code: code.clone(),
            redirect_url: redirect_url.clone(),
            options: ask.options.clone(),
        };
        let issued = self.buy(ask, grant, asked).await?;
        let now = self.clock.now();
        let mut record = Credential::connected(self.terms(ask), &issued, None, asked, now);
        record.accepted = Some(accepted(&ask.mac, &ask.server, now));
        let server = Arc::clone(&ask.server);
        Ok(Some(Made {
            record,
            candidate: None,
            replaces: Replaces::Whatever,
            server,
            issued,
            presented: None,
        }))
    }

    async fn offer_token(&self, ask: Connect, landing: Landing<Result<(), ConnectFailure>>) {
        match self.store.by_id(&ask.id).await {
            Ok(Some(record)) if repeats(&ask, &record, self.clock.now()) => {
                // It was replaced then: presented again it would be taken for stolen, and its successor die with it.
                tracing::info!(
                    credential = ask.id,
                    "the same refresh token was accepted before, it is not presented"
                );
                return landing.land(Ok(()));
            }
            Ok(_) => {}
            Err(failure) => return landing.land(Err(failure.into())),
        }
        let intent = match self.put_candidate(&ask).await {
            Ok(intent) => intent,
            Err(failure) => return landing.land(Err(failure)),
        };
        match self.try_candidate(&ask.server, &intent).await {
            Ok(mut made) => {
                made.replaces = Replaces::Whatever;
                self.establish(&ask.id, made, landing).await;
            }
            Err(failure) => {
                tell(&ask, &failure);
                let left = Orphan::withheld(&ask.server, &failure, self.clock.now());
                self.withdraw(&ask.id, &intent, left).await;
                landing.land(Err(ConnectFailure::of(failure, "refresh failed", &ask.server)));
            }
        }
    }

    /// Makes the handed-in token durable before it is presented.
    async fn put_candidate(&self, ask: &Connect) -> Result<Stamped<Intent>, ConnectFailure> {
        let Offer::RefreshToken(refresh_token) = &ask.grant else {
            return Err(ConnectFailure::Internal("there is no refresh token".to_owned()));
        };
        let present = self.store.by_id(&ask.id).await?;
        let terms = self.terms(ask);
        let intent = Intent {
            generation: terms.generation,
            version: 0,
            attempt: 1,
            nonce: self.random(),
            epoch: self.store.epoch(),
            started: self.clock.now(),
            presented: self.clock.now(),
            presentations: 1,
            doubtful: false,
            candidate: Some(Candidate {
                refresh_token: refresh_token.clone(),
                terms,
                base: present.map(|record| record.generation),
                mac: ask.mac.clone(),
            }),
        };
        let mut changes = Changes::new();
        self.store.put_intent(&mut changes, &ask.id, None, &intent)?;
        Ok(self.commit_intent(&ask.id, changes, intent).await?)
    }

    fn terms(&self, ask: &Connect) -> Terms {
        Terms {
            generation: self.random(),
            server: ask.server.name.clone(),
            origin: ask.server.provider.origin().to_owned(),
            cap: ask.cap,
            options: ask.server.provider.kept_options(&ask.options),
        }
    }

    /// Presents a candidate.
    pub(super) async fn try_candidate(
        &self,
        server: &Arc<Server>,
        intent: &Stamped<Intent>,
    ) -> Result<Made, ProviderError> {
        let Some(candidate) = &intent.candidate else {
            return Err(ProviderError::Internal("the intent has no candidate".to_owned()));
        };
        let presented = candidate.refresh_token.clone();
        let asked = self.clock.now();
        let grant = Grant::Refresh {
            refresh_token: presented.clone(),
            options: candidate.terms.options.clone(),
            previous_extra: None,
        };
        let issued = call(server, grant, self.allow(asked).await?).await?;
        let now = self.clock.now();
        let mut record =
            Credential::connected(candidate.terms.clone(), &issued, Some(&presented), asked, now);
        // A token that stays good is presented again as often as someone likes.
        if record.refresh_token() != Some(&presented) {
            record.accepted = Some(accepted(&candidate.mac, server, now));
        }
        Ok(Made {
            record,
            candidate: Some(intent.clone()),
            replaces: Replaces::Only(candidate.base),
            server: Arc::clone(server),
            issued,
            presented: Some(presented),
        })
    }

    async fn buy(&self, ask: &Connect, grant: Grant, asked: Timestamp) -> Result<Issued, ConnectFailure> {
        let bought = match self.allow(asked).await {
            Ok(allow) => call(&ask.server, grant, allow).await,
            Err(failure) => Err(failure),
        };
        bought.map_err(|failure| {
            tell(ask, &failure);
            ConnectFailure::of(failure, "exchange failed", &ask.server)
        })
    }

    async fn allow(&self, now: Timestamp) -> Result<Allow, ProviderError> {
        let config =
            self.config.current().await.map_err(|failure| ProviderError::Internal(failure.to_string()))?;
        Ok(Allow { now, time: time_limit(&config, None, 10.0) })
    }

    /// Writes the credential until it is durable, and answers then.
    pub(super) async fn establish(&self, id: &str, made: Made, landing: Landing<Result<(), ConnectFailure>>) {
        let mut failures = 0;
        let end = loop {
            match self.write_made(id, &made).await {
                Ok(()) => break Ok(()),
                Err(failure) if hopeless(&failure) => {
                    tracing::error!(credential = id, %failure, "a new credential can not be stored");
                    break Err(failure.into());
                }
                Err(StorageError::Conflict) if failures < 4 => failures += 1,
                Err(StorageError::Conflict) if self.superseded(id, &made).await => break Ok(()),
                Err(failure) => {
                    failures += 1;
                    tracing::error!(credential = id, %failure, "a new credential is in memory only, storing it is tried again");
                    self.clock.sleep_until(self.clock.now().plus(SETTLE.after(failures, id))).await;
                }
            }
        };
        // Whatever was held against the server, it has just served.
        self.circuits.served(&made.server);
        self.bell.well(&made.server.id);
        let lesson = Lesson::of(&made.issued, made.presented.as_ref());
        if lesson != Lesson::default() {
            self.servers.learn(&made.server, lesson).await;
        }
        landing.land(end);
    }

    async fn write_made(&self, id: &str, made: &Made) -> Result<(), StorageError> {
        let old = self.store.by_id(id).await?;
        let generation = old.as_ref().map(|old| old.generation);
        if generation == Some(made.record.generation) {
            // An earlier try did take place, though its answer was lost.
            if let Some(at) = old.and_then(|old| old.due) {
                self.bell.due(made.server.id.clone(), at);
            }
            return Ok(());
        }
        let mut changes = Changes::new();
        if let Some(candidate) = &made.candidate {
            self.store.end_intent(&mut changes, id, candidate)?;
        }
        if let Replaces::Only(base) = made.replaces
            && base != generation
        {
            let orphan = Orphan::of(&made.server, &made.issued.tokens, self.clock.now());
            self.store.put_orphan(&mut changes, made.record.generation, &orphan).await?;
            changes.reserved();
            return self.store.commit(changes).await.map(drop);
        }
        let mut record = made.record.clone();
        record.due = self.floor().await.map_err(unavailable)?.due(id, &record);
        let from = match &old {
            None => Phase::Absent,
            Some(old) => old.state.phase(),
        };
        let event = if record.state == State::Live { Event::Connected } else { Event::ConnectedIdle };
        step(from, event).map_err(|illegal| StorageError::Corrupt(illegal.to_string()))?;
        if let Some(old) = &old {
            self.store.drop_intent(&mut changes, id, old.generation)?;
        }
        self.store.replace(&mut changes, id, old.as_ref(), Some(&record))?;
        changes.reserved();
        self.store.commit(changes).await?;
        tracing::info!(credential = id, state = ?record.state, "connected");
        if let Some(at) = record.due {
            self.bell.due(made.server.id.clone(), at);
        }
        Ok(())
    }

    /// Whether the candidate was made a credential by a try whose answer was lost, and that was replaced since.
    async fn superseded(&self, id: &str, made: &Made) -> bool {
        let Some(candidate) = &made.candidate else { return false };
        matches!(self.store.intent(id, candidate.generation).await, Ok(None))
    }

    /// Takes a candidate back that came to nothing but, at most, to tokens that nobody may use.
    pub(super) async fn withdraw(&self, id: &str, intent: &Stamped<Intent>, left: Option<Orphan>) {
        let mut failures = 0;
        loop {
            match self.end_candidate(id, intent, left.as_ref()).await {
                Ok(()) => return,
                Err(failure) if hopeless(&failure) => {
                    tracing::warn!(credential = id, %failure, "a refused refresh token stays stored until the next start");
                    return;
                }
                Err(_) => {
                    failures += 1;
                    self.clock.sleep_until(self.clock.now().plus(SETTLE.after(failures, id))).await;
                }
            }
        }
    }

    async fn end_candidate(
        &self,
        id: &str,
        intent: &Stamped<Intent>,
        left: Option<&Orphan>,
    ) -> Result<(), StorageError> {
        let mut changes = Changes::new();
        self.store.drop_intent(&mut changes, id, intent.generation)?;
        if let Some(left) = left {
            self.store.put_orphan(&mut changes, intent.generation, left).await?;
        }
        changes.reserved();
        self.store.commit(changes).await.map(drop)
    }
}
