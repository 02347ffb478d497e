//! Speaks one dialect of OAuth: pure translation plus transport.
//!
//! Invariants: a provider reads no clock, touches no storage and never repeats a request that may have spent a code or a
//! refresh token; no error text carries a provider's body, a token or a secret. It knows nothing of credentials.

mod answer;
mod authorize;
mod catalog;
mod cause;
mod custom;
mod discovery;
mod exchange;
mod form;
mod id_token;
mod keys;
mod network;
mod oidc;
mod refusal;
mod rotation;
#[cfg(test)]
mod scripted;
mod wire;

#[cfg(feature = "testing")]
pub use answer::fuzzed;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use vestal_crypto::SecretString;
use vestal_logical::Timestamp;

pub(crate) use catalog::{Lesson, ProviderKind, Settings, build, prepare};
pub(crate) use cause::Cause;
pub(crate) use discovery::Discovered;

/// Provider options of a request or credential, by name.
pub(crate) type Options = BTreeMap<String, String>;

/// What happens to a refresh token when it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Rotation {
    /// It stays good.
    Reusable,
    /// It is replaced; the old one is forgiven this long.
    Grace(Duration),
    /// It is replaced; the old one is dead at once.
    Single,
    /// Nobody has said, and nothing was learned yet.
    Unknown,
}

/// How a client shows who it is at the token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AuthStyle {
    /// Basic authentication.
    InHeader,
    /// `client_id` and `client_secret` in the body.
    InParams,
}

/// What an authorization URL is asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Authorize {
    pub(crate) state: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) redirect_url: String,
    /// The request's own parameters; the server's win over them.
    pub(crate) params: BTreeMap<String, String>,
    #[expect(
        dead_code,
        reason = "for providers whose addresses depend on options, such as a tenant; none is built yet"
    )]
    pub(crate) options: Options,
}

/// What is presented at the token endpoint.
#[derive(Debug, Clone)]
pub(crate) enum Grant {
    /// An authorization code. `options` are the request's provider options (`nonce` is one of them).
    Code { code: SecretString, redirect_url: String, options: Options },
    /// A refresh token. `options` are those stored with the credential, `previous_extra` its present extra data.
    Refresh {
        refresh_token: SecretString,
        #[expect(dead_code, reason = "for providers whose addresses depend on options; none is built yet")]
        options: Options,
        previous_extra: Option<Map<String, Value>>,
    },
}

/// What one operation may use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allow {
    /// The present.
    pub(crate) now: Timestamp,
    /// Limit of one request; `None` is none of ours.
    pub(crate) time: Option<Duration>,
}

/// How long an access token lives, as the provider says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// `expires_in`; negative is expired already.
    Seconds(i64),
    /// It said 0 or something unreadable: no expiry is shown, and it is refreshed each hour.
    Hourly,
}

/// The answer of a token endpoint.
#[derive(Clone)]
pub(crate) struct TokenSet {
    pub(crate) access_token: SecretString,
    /// As shown: `Bearer`.
    pub(crate) token_type: String,
    pub(crate) refresh_token: Option<SecretString>,
    /// `None`: never expires.
    pub(crate) expires_in: Option<Life>,
    /// What is to be shown as `extra_data`; on refresh already merged with `previous_extra`.
    pub(crate) extra: Option<Map<String, Value>>,
}

/// Extra data may hold an ID token, so its names are all that is shown.
impl fmt::Debug for TokenSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSet")
            .field("token_type", &self.token_type)
            .field("refreshable", &self.refresh_token.is_some())
            .field("expires_in", &self.expires_in)
            .field("extra", &self.extra.as_ref().map(|extra| extra.keys().collect::<Vec<_>>()))
            .finish_non_exhaustive()
    }
}

/// What one successful operation brought.
#[derive(Debug, Clone)]
pub(crate) struct Issued {
    pub(crate) tokens: TokenSet,
    /// A style that was found out, to be kept with the server.
    pub(crate) learned: Option<AuthStyle>,
    /// Something went wrong beside the tokens, which are good.
    pub(crate) warning: Option<String>,
}

/// What went wrong, in the terms that recovery and clients need.
///
/// Texts are `<e>` of reference §3.7, without the prefix `exchange failed: ` or `refresh failed: `, which the caller
/// adds. When all of several secrets were tried the text is the list form instead, complete with its inner prefixes, and
/// the caller adds nothing. Failures of the network itself carry the `transient: ` that a 500 shows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProviderError {
    /// The request was not sent: nothing can have been spent.
    #[error("{0}")]
    NotSent(String),
    /// No answer came, or none that says anything: what was presented may be spent.
    #[error("{0}")]
    NoAnswer(String),
    /// 429, 5xx, `temporarily_unavailable`, `slow_down`: an answer, and nothing spent as far as it says.
    #[error("{text}")]
    Busy { text: String, retry_after: Option<Duration>, cause: Cause },
    /// The permanent set of §7.5: a user error. `code` is the OAuth error code of the answer that decided.
    #[error("{text}")]
    Rejected { text: String, code: String, cause: Cause },
    /// Another answer that is no success: 500 on writes, transient on refresh. `spent` when the status was a success, so
    /// that what was presented is spent though the answer could not be used.
    #[error("{text}")]
    Refused { text: String, spent: bool, cause: Cause },
    /// The request cannot be made, or what a code bought not be accepted, for a reason of the user's: a missing client
    /// secret, an ID token that does not verify. 400 with the grant's prefix.
    #[error("{0}")]
    Unacceptable(String),
    /// A refresh brought tokens that may not be used, for their ID token does not verify: shown as the one above. The
    /// refresh token that came with them may be the only one that is still good.
    #[error("{text}")]
    Withheld { text: String, successor: Option<SecretString> },
    /// The server record or the provider cannot be used: 400 as a server error.
    #[error("{0}")]
    Misconfigured(String),
    /// A 500 of ours.
    #[error("{0}")]
    Internal(String),
}

/// One kind of authorization server with one server's settings.
pub(crate) trait Provider: Send + Sync {
    /// What the server's settings and what was learned say about refresh tokens.
    fn rotation(&self) -> Rotation;
    /// Scheme, host and port of the token endpoint: credentials are bound to it.
    fn origin(&self) -> &str;
    /// Where to send a person.
    fn authorize_url(&self, ask: &Authorize) -> Result<String, ProviderError>;
    /// The options of a request that are to be stored with its credential (`nonce` is not).
    fn kept_options(&self, given: &Options) -> Options {
        given.clone()
    }
    /// One token endpoint operation, style detection and several secrets included.
    fn exchange(&self, grant: Grant, allow: Allow) -> BoxFuture<'_, Result<Issued, ProviderError>>;
}
