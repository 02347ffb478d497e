//! What a client sent, before anything is decided about it.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Map, Value};
use vestal_crypto::SecretString;

use crate::{Operation, Timestamp};

/// A wish for response wrapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrapAsk {
    /// How long the wrapping token lives.
    pub ttl: Duration,
}

/// One request, translated from its transport. Nothing in it has been checked against state.
#[derive(Clone)]
pub struct Request {
    /// `request_id` of the answer and of both audit entries (a UUID).
    pub id: String,
    /// What is wanted. A write is [`Operation::Update`] until the engine says that the thing is missing.
    pub operation: Operation,
    /// The decoded path without `/v1/`; for a list it ends in a slash.
    pub path: String,
    /// Body of a write, query of everything else.
    pub data: Map<String, Value>,
    /// The client token, if any was sent.
    pub token: Option<SecretString>,
    /// A wish for response wrapping.
    pub wrap: Option<WrapAsk>,
    /// Where the connection comes from.
    pub peer: Option<SocketAddr>,
    /// Headers that a mount may pass through or audit may record, lower-case names.
    pub headers: Vec<(String, String)>,
    /// The one instant at which everything about this request happens.
    pub now: Timestamp,
    /// When waiting for the answer ends; the work goes on.
    pub deadline: Timestamp,
}

/// What a client sends may be secret, its path and headers included.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("id", &self.id)
            .field("operation", &self.operation)
            .finish_non_exhaustive()
    }
}
