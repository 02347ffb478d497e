//! The record of a credential: its tokens, where it stands, and what went wrong since the last success.
//!
//! Invariants: tokens, expiry and version change together; a token set that brings no refresh token keeps the old one;
//! `due` is the very instant under which the index holds the credential. Knows nothing of storage keys or providers.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use vestal_crypto::SecretString;
use vestal_logical::Timestamp;
use vestal_storage::Record;

use super::state::State;
use crate::providers::{Issued, Life, Options};

/// Readers ask for at least this much time left.
pub(crate) const LEAST_DELTA: Duration = Duration::from_secs(10);
/// What a provider's "0" or unreadable lifetime is taken for.
const HOURLY: Duration = Duration::from_hours(1);

/// One token set. `Debug` shows no extra data: there may be an ID token among it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Tokens {
    #[serde(serialize_with = "vestal_crypto::exposed::serialize")]
    pub(crate) access_token: SecretString,
    pub(crate) token_type: String,
    #[serde(
        default,
        serialize_with = "vestal_crypto::exposed::serialize",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) refresh_token: Option<SecretString>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) extra: Option<Map<String, Value>>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("token_type", &self.token_type).finish_non_exhaustive()
    }
}

/// What went wrong since the last success (reference §4.1).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trouble {
    /// The server cannot be used; the text behind `has configuration problems: `.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) server: Option<String>,
    /// The provider refused for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    /// The revision of the server's settings, when it is they that were refused and not the credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) revision: Option<u64>,
    /// How many attempts failed for reasons that pass.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) attempts: u32,
    /// The text of the last of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) transient: Option<String>,
    /// When the last attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last: Option<Timestamp>,
}

/// The request whose grant made this credential, so that a repetition gets the same answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Accepted {
    /// MAC of the request.
    pub(crate) mac: String,
    /// The revision of the server's settings that the grant was accepted under; older records do not say.
    #[serde(default)]
    pub(crate) revision: Option<u64>,
    pub(crate) at: Timestamp,
}

/// One credential.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Credential {
    /// Another one at each connect.
    pub(crate) generation: u64,
    /// Counts the token sets of this generation, from 1, the withheld ones among them.
    pub(crate) version: u64,
    /// The number of the last attempt to refresh whose outcome is in here.
    pub(crate) attempt: u64,
    pub(crate) state: State,
    pub(crate) server: String,
    /// Where the tokens come from; they are presented nowhere else.
    pub(crate) origin: String,
    pub(crate) tokens: Tokens,
    /// Cap on the lifetime in seconds; 0 is none.
    #[serde(default)]
    pub(crate) cap: u64,
    #[serde(default)]
    pub(crate) options: Options,
    pub(crate) issued: Timestamp,
    #[serde(default)]
    pub(crate) expires: Option<Timestamp>,
    /// The provider named no usable lifetime: no expiry is shown, and it is refreshed each hour.
    #[serde(default)]
    pub(crate) hourly: bool,
    /// Where it stands in its index, in whole milliseconds.
    #[serde(default)]
    pub(crate) due: Option<Timestamp>,
    #[serde(default)]
    pub(crate) trouble: Trouble,
    /// Something beside the tokens went wrong at the last success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) accepted: Option<Accepted>,
}

impl Record for Credential {
    const VERSION: u8 = 1;
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// What a connect knows before any token came.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Terms {
    pub(crate) generation: u64,
    pub(crate) server: String,
    pub(crate) origin: String,
    pub(crate) cap: u64,
    pub(crate) options: Options,
}

impl Credential {
    /// A credential with its first token set. `presented` is the refresh token that bought it, if one did; `asked` is
    /// when the request left, `now` when its answer came.
    pub(crate) fn connected(
        terms: Terms,
        issued: &Issued,
        presented: Option<&SecretString>,
        asked: Timestamp,
        now: Timestamp,
    ) -> Self {
        let Terms { generation, server, origin, cap, options } = terms;
        let tokens = Tokens {
            access_token: SecretString::default(),
            token_type: String::new(),
            refresh_token: presented.cloned(),
            extra: None,
        };
        let mut credential = Self {
            generation,
            version: 0,
            attempt: 0,
            state: State::Idle,
            server,
            origin,
            tokens,
            cap,
            options,
            issued: now,
            expires: None,
            hourly: false,
            due: None,
            trouble: Trouble::default(),
            note: None,
            accepted: None,
        };
        credential.take(issued, asked, now);
        credential
    }

    /// Takes a new token set over. The lifetime counts from when it was asked for, so that a slow answer does not
    /// stretch it; the cap counts from now.
    pub(crate) fn take(&mut self, issued: &Issued, asked: Timestamp, now: Timestamp) {
        let new = &issued.tokens;
        self.tokens.access_token = new.access_token.clone();
        self.tokens.token_type.clone_from(&new.token_type);
        if let Some(token) = new.refresh_token.as_ref().filter(|token| !token.is_empty()) {
            self.tokens.refresh_token = Some(token.clone());
        }
        self.tokens.extra.clone_from(&new.extra);
        self.version += 1;
        self.issued = now;
        (self.expires, self.hourly) = match new.expires_in {
            None => (None, false),
            Some(Life::Hourly) => (None, true),
            Some(Life::Seconds(seconds)) => (Some(after(asked, seconds)), false),
        };
        if self.cap > 0 {
            let end = now.plus(Duration::from_secs(self.cap));
            if self.expires.is_none_or(|expires| expires > end) {
                (self.expires, self.hourly) = (Some(end), false);
            }
        }
        self.trouble = Trouble::default();
        self.note.clone_from(&issued.warning);
        self.state = if self.renewable() { State::Live } else { State::Idle };
    }

    /// Keeps of a token set that may not be used the refresh token alone, for the one before may be spent.
    pub(crate) fn withhold(&mut self, successor: Option<&SecretString>, text: &str, now: Timestamp) {
        if let Some(token) = successor.filter(|token| !token.is_empty()) {
            self.tokens.refresh_token = Some(token.clone());
        }
        self.version += 1;
        self.user_trouble(text, now);
        self.trouble.attempts = self.trouble.attempts.saturating_add(1);
        self.trouble.transient = None;
    }

    /// Whether that was the last that happened to it.
    pub(crate) fn was_withheld(&self) -> bool {
        let trouble = &self.trouble;
        trouble.user.is_some() && trouble.attempts > 0 && trouble.transient.is_none()
    }

    /// Whether there is a reason and a means to refresh it.
    fn renewable(&self) -> bool {
        self.refresh_token().is_some() && (self.expires.is_some() || self.hourly)
    }

    pub(crate) fn refresh_token(&self) -> Option<&SecretString> {
        self.tokens.refresh_token.as_ref().filter(|token| !token.is_empty())
    }

    /// Whether a refresh may be tried at all.
    pub(crate) fn may_refresh(&self) -> bool {
        self.renewable() && matches!(self.state, State::Live | State::InDoubt)
    }

    /// Whether nothing is held against it, and it is good now or can be made so.
    pub(crate) fn healthy(&self, now: Timestamp) -> bool {
        matches!(self.state, State::Live | State::Idle)
            && self.trouble == Trouble::default()
            && (self.valid_for(now, LEAST_DELTA) || self.may_refresh())
    }

    /// Whether at least `delta` is left. Exactly at the boundary it is.
    pub(crate) fn valid_for(&self, now: Timestamp, delta: Duration) -> bool {
        self.expires.is_none_or(|expires| expires.minus(delta.max(LEAST_DELTA)) >= now)
    }

    /// Begin and end of the present token's life, as far as refreshing is concerned.
    pub(crate) fn life(&self) -> Option<(Timestamp, Timestamp)> {
        let end = match self.expires {
            Some(expires) => expires,
            None if self.hourly => self.issued.plus(HOURLY),
            None => return None,
        };
        Some((self.issued, end))
    }

    /// Notes that the server cannot be used. The other troubles stay.
    pub(crate) fn server_trouble(&mut self, text: &str, now: Timestamp) {
        self.trouble.server = Some(text.to_owned());
        self.trouble.last = Some(now);
    }

    /// Notes that the provider refused for good.
    pub(crate) fn user_trouble(&mut self, text: &str, now: Timestamp) {
        self.trouble.server = None;
        self.trouble.user = Some(text.to_owned());
        self.trouble.revision = None;
        self.trouble.last = Some(now);
    }

    /// Notes that the provider refused what the server's settings of that revision make of a request.
    pub(crate) fn settings_trouble(&mut self, text: &str, revision: u64, now: Timestamp) {
        self.user_trouble(text, now);
        self.trouble.revision = Some(revision);
    }

    /// Forgets a refusal that other settings than these earned (W12).
    pub(crate) fn forgive_other_than(&mut self, revision: u64) {
        if self.trouble.revision.is_some_and(|refused| refused != revision) {
            self.trouble.user = None;
            self.trouble.revision = None;
        }
    }

    /// Notes a failure that passes. An earlier refusal stays.
    pub(crate) fn transient_trouble(&mut self, text: &str, now: Timestamp) {
        self.trouble.server = None;
        self.trouble.attempts = self.trouble.attempts.saturating_add(1);
        self.trouble.transient = Some(text.to_owned());
        self.trouble.last = Some(now);
    }

    /// What a reader of a good token should know, the gravest first.
    pub(crate) fn warning(&self) -> Option<String> {
        let trouble = &self.trouble;
        if let Some(text) = &trouble.server {
            return Some(format!("server \"{}\" has configuration problems: {text}", self.server));
        }
        if let Some(text) = &trouble.user {
            return Some(format!("token will expire: {text}"));
        }
        match &trouble.transient {
            Some(text) if trouble.attempts > 0 => Some(format!(
                "{} attempt(s) to refresh this token failed, most recently: {text}",
                trouble.attempts
            )),
            _ => self.note.clone(),
        }
    }

    /// Why a reader gets no token.
    pub(crate) fn refusal(&self) -> String {
        let trouble = &self.trouble;
        match (&trouble.server, &trouble.user) {
            (Some(text), _) => format!("server \"{}\" has configuration problems: {text}", self.server),
            (None, Some(text)) => text.clone(),
            (None, None) => "token expired".to_owned(),
        }
    }
}

/// The instant that many seconds later, or earlier.
fn after(start: Timestamp, seconds: i64) -> Timestamp {
    let span = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 { start.minus(span) } else { start.plus(span) }
}
