//! What an answer of a provider means for a credential: a pure step from record and intent to record and intent.
//!
//! Invariants: only an answer that says so, or a second silence, breaks a credential; what spent nothing leaves the count
//! of presentations as it was. Knows nothing of storage or of how the answer came.

use std::time::Duration;

use vestal_crypto::SecretString;
use vestal_logical::Timestamp;

use super::backoff::CREDENTIAL;
use super::circuit::Trip;
use super::lead::Floor;
use super::recovery::{Replay, replay};
use crate::credential::intent::Intent;
use crate::credential::record::Credential;
use crate::credential::state::{BrokenBy, Event, IllegalStep, ParkedBy, Phase, State, step};
use crate::credential::store::whole;
use crate::providers::{Issued, ProviderError, Rotation};

/// What an attempt came to.
#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    /// New tokens, asked for at that instant.
    Issued(Box<Issued>, Timestamp),
    /// A failure that passes and spent nothing. The provider may have said how long.
    Unspent { text: String, wish: Option<Duration>, trip: Trip },
    /// New tokens that may not be used, for a reason of the user's. The refresh token among them is good.
    Withheld { text: String, successor: Option<SecretString> },
    /// No answer, or none that could be used: the token may be spent.
    Lost { text: String, trip: Trip },
    /// The refresh token is refused for good.
    Dead(String),
    /// The client is refused: nothing about this credential, all about its server.
    ClientRefused(String),
    /// The request is refused as the server's settings make it.
    RequestRefused(String),
    /// The server's settings cannot be used.
    Unusable(String),
}

/// What is to become of the intent.
#[derive(Debug, Clone)]
pub(crate) enum Next {
    End,
    Keep(Box<Intent>),
}

/// What the step needs to know besides record and intent.
pub(crate) struct Circumstances<'a> {
    pub(crate) id: &'a str,
    pub(crate) now: Timestamp,
    pub(crate) floor: Floor,
    pub(crate) rotation: Rotation,
    /// The revision of the server's settings that were used.
    pub(crate) revision: u64,
}

/// What a lost answer costs in the end.
const AMBIGUOUS: &str =
    "the answer to an earlier refresh was lost, and the refresh token with it: connect this credential again";

/// The text as records and clients see it: with its prefix, without the class.
pub(crate) fn shown(prefix: &str, text: &str) -> String {
    let bare = text.strip_prefix("transient: ").or_else(|| text.strip_prefix("user: ")).unwrap_or(text);
    // The list form for several secrets has its prefixes inside.
    if bare.starts_with("provider request failed for all client secrets:") {
        return bare.to_owned();
    }
    format!("{prefix}: {bare}")
}

impl Outcome {
    /// What the answer to a refresh that was asked for at `asked` means. `proven`: these very settings have served before,
    /// so that `unauthorized_client` is about the one token (Atlassian answers so when it has lapsed), not about them.
    pub(crate) fn of(answer: Result<Issued, ProviderError>, asked: Timestamp, proven: bool) -> Self {
        let failure = match answer {
            Ok(issued) => return Self::Issued(Box::new(issued), asked),
            Err(failure) => failure,
        };
        let text = shown("refresh failed", &failure.to_string());
        let down = Trip::Down(None);
        match failure {
            ProviderError::NotSent(_) => Self::Unspent { text, wish: None, trip: down },
            ProviderError::NoAnswer(_) => Self::Lost { text, trip: down },
            ProviderError::Busy { retry_after, .. } => {
                Self::Unspent { text, wish: retry_after, trip: Trip::Down(retry_after) }
            }
            ProviderError::Rejected { code, .. } => match code.as_str() {
                "invalid_grant" => Self::Dead(text),
                "invalid_client" => Self::ClientRefused(text),
                "unauthorized_client" if !proven => Self::ClientRefused(text),
                _ => Self::RequestRefused(text),
            },
            ProviderError::Refused { spent: true, .. } => Self::Lost { text, trip: Trip::Odd },
            ProviderError::Withheld { successor, .. } => Self::Withheld { text, successor },
            ProviderError::Refused { spent: false, .. } | ProviderError::Internal(_) => {
                Self::Unspent { text, wish: None, trip: Trip::Odd }
            }
            ProviderError::Unacceptable(_) => Self::RequestRefused(text),
            ProviderError::Misconfigured(cause) => Self::Unusable(cause),
        }
    }

    /// Whether it brings something that is lost when it is not stored.
    pub(crate) fn brings_tokens(&self) -> bool {
        matches!(self, Self::Issued(..) | Self::Withheld { successor: Some(_), .. })
    }

    /// Lets go of extra data that make a record too large, so that at least the tokens are kept. False when there are
    /// none.
    pub(crate) fn shed_extra(&mut self) -> bool {
        let Self::Issued(issued, _) = self else { return false };
        issued.warning = Some("the extra data are too large to be stored and were dropped".to_owned());
        issued.tokens.extra.take().is_some()
    }

    /// The step that this outcome makes, from refreshing to wherever it leads.
    pub(crate) fn apply(
        &self,
        record: &mut Credential,
        intent: &Intent,
        around: &Circumstances<'_>,
    ) -> Result<Next, IllegalStep> {
        record.attempt = intent.attempt;
        let now = around.now;
        record.forgive_other_than(around.revision);
        match self {
            Self::Issued(issued, asked) => {
                record.take(issued, *asked, now);
                let event = if record.state == State::Live { Event::Issued } else { Event::IssuedIdle };
                step(Phase::Refreshing, event)?;
                record.due = around.floor.due(around.id, record);
                Ok(Next::End)
            }
            Self::Unspent { text, wish, .. } => {
                record.transient_trouble(text, now);
                let wait = CREDENTIAL.after_wish(record.trouble.attempts, around.id, *wish);
                let next = unspent(record, intent)?;
                let earliest = now.plus(wait);
                let at = match &next {
                    Next::Keep(intent) => retold(record, intent, around).max(earliest),
                    Next::End => earliest,
                };
                record.due = around.floor.or_never(at);
                Ok(next)
            }
            Self::Withheld { text, successor } => {
                record.withhold(successor.as_ref(), text, now);
                step(Phase::Refreshing, Event::Unspent)?;
                record.state = State::Live;
                let wait = CREDENTIAL.after(record.trouble.attempts, around.id);
                record.due = around.floor.or_never(now.plus(wait));
                Ok(Next::End)
            }
            Self::Lost { text, .. } => lost(record, intent, around, text),
            Self::Dead(text) => {
                let ambiguous = intent.presentations > 1;
                let why = if ambiguous { BrokenBy::AmbiguousRotation } else { BrokenBy::Rejected };
                let text = if ambiguous { format!("{text}; {AMBIGUOUS}") } else { text.clone() };
                give_up(record, Phase::Refreshing, why, &text, now)?;
                Ok(Next::End)
            }
            Self::ClientRefused(text) => {
                record.settings_trouble(text, around.revision, now);
                let next = unspent(record, intent)?;
                // Others are first when the server is tried again, should it have been about this one after all.
                record.due = around.floor.or_never(now.plus(CREDENTIAL.after(1, around.id)));
                Ok(next)
            }
            Self::Unusable(text) => {
                record.server_trouble(text, now);
                unspent(record, intent)
            }
            Self::RequestRefused(text) => {
                record.settings_trouble(text, around.revision, now);
                let next = unspent_intent(intent);
                step(Phase::Refreshing, Event::Parked)?;
                record.state = State::Parked(ParkedBy::Settings(around.revision));
                record.due = Some(whole(now));
                Ok(next)
            }
        }
    }
}

/// Nothing was spent by this presentation; an earlier one may be in doubt still.
fn unspent(record: &mut Credential, intent: &Intent) -> Result<Next, IllegalStep> {
    let next = unspent_intent(intent);
    let (event, state) = match next {
        Next::Keep(_) => (Event::UnspentInDoubt, State::InDoubt),
        Next::End => (Event::Unspent, State::Live),
    };
    step(Phase::Refreshing, event)?;
    record.state = state;
    Ok(next)
}

fn unspent_intent(intent: &Intent) -> Next {
    if intent.presentations > 1 {
        Next::Keep(Box::new(Intent {
            presentations: intent.presentations - 1,
            doubtful: true,
            ..intent.clone()
        }))
    } else {
        Next::End
    }
}

/// When a doubtful token is to be presented again, at the earliest.
fn retold(record: &Credential, intent: &Intent, around: &Circumstances<'_>) -> Timestamp {
    match replay(around.rotation, intent, record, around.now) {
        Replay::At(at) => at,
        Replay::Never => around.now,
    }
}

fn lost(
    record: &mut Credential,
    intent: &Intent,
    around: &Circumstances<'_>,
    text: &str,
) -> Result<Next, IllegalStep> {
    let now = around.now;
    record.transient_trouble(text, now);
    if around.rotation == Rotation::Reusable {
        step(Phase::Refreshing, Event::Unspent)?;
        record.state = State::Live;
        let wait = CREDENTIAL.after(record.trouble.attempts, around.id);
        record.due = around.floor.or_never(now.plus(wait));
        return Ok(Next::End);
    }
    match replay(around.rotation, intent, record, now) {
        Replay::At(at) => {
            step(Phase::Refreshing, Event::AnswerLost)?;
            record.state = State::InDoubt;
            record.due = around.floor.or_never(at);
            Ok(Next::Keep(Box::new(Intent { doubtful: true, ..intent.clone() })))
        }
        Replay::Never => {
            let text = format!("{text}; {AMBIGUOUS}");
            give_up(record, Phase::Refreshing, BrokenBy::AmbiguousRotation, &text, now)?;
            Ok(Next::End)
        }
    }
}

/// Breaks a credential: it leaves the index, and nothing calls for it until it is connected anew.
pub(crate) fn give_up(
    record: &mut Credential,
    from: Phase,
    why: BrokenBy,
    text: &str,
    now: Timestamp,
) -> Result<(), IllegalStep> {
    step(from, Event::GivenUp)?;
    record.user_trouble(text, now);
    record.state = State::Broken(why);
    record.due = None;
    Ok(())
}

/// As [`give_up`], for a doubtful credential that may not be presented again.
pub(crate) fn give_up_in_doubt(record: &mut Credential, now: Timestamp) -> Result<(), IllegalStep> {
    let text = format!("refresh failed: {AMBIGUOUS}");
    give_up(record, Phase::InDoubt, BrokenBy::AmbiguousRotation, &text, now)
}
