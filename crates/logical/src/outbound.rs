//! Calls to the outside world, as values. The network itself is in the client crate.

use std::time::Duration;

use futures::future::BoxFuture;
use http::{HeaderMap, Method};
use url::Url;
use vestal_crypto::SecretBytes;

/// One call to make. Redirects are never followed.
#[derive(Debug, Clone)]
pub struct OutboundRequest {
    /// The verb.
    pub method: Method,
    /// Where to; its host has been judged by the caller's policy or is judged by `reach`.
    pub url: Url,
    /// Headers; values that are secret are marked sensitive.
    pub headers: HeaderMap,
    /// The body, treated as secret.
    pub body: SecretBytes,
    /// The whole call, connecting included; `None` is no limit of the caller's (the transport has its own far bound).
    pub timeout: Option<Duration>,
    /// Bytes of the answer that are read; a longer one is [`TransportError::TooLarge`].
    pub max_answer: usize,
    /// Whether link-local and metadata addresses may be connected to.
    pub reach_link_local: bool,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct OutboundResponse {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, whole.
    pub body: SecretBytes,
}

/// Why there is no answer. Texts name host and cause, never a body, header or query.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TransportError {
    /// The request was not sent: nothing can have been spent. Name resolution, connecting.
    #[error("{0}")]
    NotSent(String),
    /// The TLS handshake failed: the request was not sent.
    #[error("{0}")]
    NotSecured(String),
    /// The time limit passed before the request was sent.
    #[error("{0}")]
    NotInTime(String),
    /// The address is one we do not connect to.
    #[error("{0}")]
    Forbidden(String),
    /// The time limit passed after the request may have been sent.
    #[error("{0}")]
    TimedOut(String),
    /// The connection was reset after the request may have been sent.
    #[error("{0}")]
    Reset(String),
    /// The connection ended, or spoke something else, after the request may have been sent.
    #[error("{0}")]
    Broken(String),
    /// The answer is larger than allowed; the request was carried out.
    #[error("{0}")]
    TooLarge(String),
}

/// Makes outbound calls.
pub trait HttpTransport: Send + Sync + 'static {
    /// Sends one request and reads its whole answer.
    fn send(&self, request: OutboundRequest) -> BoxFuture<'static, Result<OutboundResponse, TransportError>>;
}
