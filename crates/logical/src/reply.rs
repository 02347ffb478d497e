//! What a handler answers when all went well.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use vestal_crypto::SecretString;

/// The content of an answer.
#[derive(Clone, PartialEq)]
pub enum Body<T> {
    /// `data` of the envelope.
    Data(T),
    /// An answer without envelope: the whole JSON object.
    Plain(T),
    /// Nothing: 404 for reads and lists, 204 otherwise.
    Empty,
}

/// Content is what people keep secret: only its frame is shown.
impl<T> fmt::Debug for Body<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Data(_) => "Data(..)",
            Self::Plain(_) => "Plain(..)",
            Self::Empty => "Empty",
        })
    }
}

/// How an answer differs from an ordinary success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Outcome {
    /// An ordinary success.
    #[default]
    Done,
    /// Accepted, and going on in the background.
    Accepted,
    /// Absent, though there is something to say about it (a deleted version's metadata).
    Absent,
    /// A status that the caller chose or that names a state (`sys/health`).
    Status(u16),
}

/// A token handed out: the `auth` block of the envelope.
#[derive(Debug, Clone, Serialize)]
pub struct Auth {
    /// The token.
    #[serde(serialize_with = "vestal_crypto::exposed::serialize")]
    pub client_token: SecretString,
    /// Its public handle.
    pub accessor: String,
    /// All policies that act, sorted.
    pub policies: Vec<String>,
    /// Those that the token itself carries.
    pub token_policies: Vec<String>,
    /// Those that come from the identity.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub identity_policies: Vec<String>,
    /// What the login says about itself.
    pub metadata: Option<BTreeMap<String, String>>,
    /// Seconds; 0 is for ever.
    pub lease_duration: u64,
    /// Whether it can be renewed.
    pub renewable: bool,
    /// The identity, or empty.
    pub entity_id: String,
    /// `service` or `batch`.
    pub token_type: &'static str,
    /// Whether it has no parent.
    pub orphan: bool,
    /// Always null: login MFA is not built.
    pub mfa_requirement: Option<Value>,
    /// Uses left at creation; 0 is unlimited.
    pub num_uses: u64,
}

/// A successful answer.
#[derive(Debug, Clone)]
pub struct Reply<T> {
    /// The content.
    pub body: Body<T>,
    /// A token that was handed out.
    pub auth: Option<Auth>,
    /// `lease_duration` of the envelope without a lease (kv v1).
    pub lease_duration: Duration,
    /// Said beside the content.
    pub warnings: Vec<String>,
    /// How it differs from an ordinary success.
    pub outcome: Outcome,
}

impl<T> Reply<T> {
    fn with(body: Body<T>) -> Self {
        Self {
            body,
            auth: None,
            lease_duration: Duration::ZERO,
            warnings: Vec::new(),
            outcome: Outcome::Done,
        }
    }

    /// An answer with `data`.
    pub fn data(data: T) -> Self {
        Self::with(Body::Data(data))
    }

    /// An answer without envelope.
    pub fn plain(object: T) -> Self {
        Self::with(Body::Plain(object))
    }

    /// Nothing to say: 404 for reads and lists, 204 otherwise.
    #[must_use]
    pub fn empty() -> Self {
        Self::with(Body::Empty)
    }

    /// A token, handed out.
    #[must_use]
    pub fn token(auth: Auth) -> Self {
        Self { auth: Some(auth), ..Self::empty() }
    }

    /// With a warning.
    #[must_use]
    pub fn warn(mut self, text: impl Into<String>) -> Self {
        self.warnings.push(text.into());
        self
    }

    /// With a `lease_duration`, though there is no lease.
    #[must_use]
    pub fn lasting(mut self, lease_duration: Duration) -> Self {
        self.lease_duration = lease_duration;
        self
    }

    /// With another outcome than an ordinary success.
    #[must_use]
    pub fn outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    /// The same answer with its content turned into something else.
    pub fn map<U>(self, turn: impl FnOnce(T) -> U) -> Reply<U> {
        Reply {
            body: match self.body {
                Body::Data(data) => Body::Data(turn(data)),
                Body::Plain(object) => Body::Plain(turn(object)),
                Body::Empty => Body::Empty,
            },
            auth: self.auth,
            lease_duration: self.lease_duration,
            warnings: self.warnings,
            outcome: self.outcome,
        }
    }
}

impl<T: Serialize + 'static> Reply<T> {
    /// The answer with its content as JSON. What is JSON already stays as it is: a turn through serde would rewrite its
    /// numbers.
    pub fn into_json(self) -> Result<Reply<Value>, serde_json::Error> {
        let mut failure = None;
        let reply = self.map(|content| {
            let mut content = Some(content);
            if let Some(json) = (&mut content as &mut dyn Any).downcast_mut::<Option<Value>>() {
                return json.take().unwrap_or_default();
            }
            serde_json::to_value(content).unwrap_or_else(|error| {
                failure = Some(error);
                Value::Null
            })
        });
        failure.map_or(Ok(reply), Err)
    }
}

/// A wrapped answer: the `wrap_info` block of the envelope.
#[derive(Debug, Clone, Serialize)]
pub struct WrapInfo {
    /// The wrapping token.
    #[serde(serialize_with = "vestal_crypto::exposed::serialize")]
    pub token: SecretString,
    /// Its public handle.
    pub accessor: String,
    /// Seconds until it dies.
    pub ttl: u64,
    /// When it was made.
    pub creation_time: crate::Timestamp,
    /// The path whose answer it holds.
    pub creation_path: String,
    /// The accessor of the token inside, if there is one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub wrapped_accessor: String,
}

/// What the kernel hands to the transport.
pub struct Response {
    /// The request's id, or empty for a wrapped answer.
    pub request_id: String,
    /// The path, for the few whose data is repeated at the top level.
    pub path: String,
    /// The operation: an empty reply to a read or list means "nothing there".
    pub operation: crate::Operation,
    /// The answer, wrapped or not, or the failure.
    pub result: Result<Answer, crate::Error>,
}

/// A successful answer as it leaves the kernel.
pub enum Answer {
    /// As the handler gave it.
    Open(Box<Reply<Value>>),
    /// Held back in a wrapping token.
    Wrapped(Box<WrapInfo>),
    /// The original envelope, handed out by unwrapping: a whole JSON object.
    Unwrapped(Value),
}

impl Reply<Value> {
    /// The content as JSON, whatever its frame; null when there is none.
    #[must_use]
    pub fn body_json(&self) -> Value {
        match &self.body {
            Body::Data(content) | Body::Plain(content) => content.clone(),
            Body::Empty => Value::Null,
        }
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(reply) => f.debug_tuple("Open").field(reply).finish(),
            Self::Wrapped(info) => f.debug_tuple("Wrapped").field(info).finish(),
            Self::Unwrapped(_) => f.write_str("Unwrapped(..)"),
        }
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("request_id", &self.request_id)
            .field("operation", &self.operation)
            .field("result", &self.result)
            .finish_non_exhaustive()
    }
}
