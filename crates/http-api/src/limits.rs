//! How much a client may ask of a listener before anybody has looked at what it says.
//!
//! Every bound has a default that suits Vault's clients; the configuration may move them per listener.

use std::time::Duration;

pub use vestal_logical::json::JsonLimits;

/// Bounds of one listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections open at once; further ones wait unaccepted.
    pub connections: usize,
    /// Bytes of one request's line and headers: more is 431. At least 8 KiB.
    pub header_bytes: usize,
    /// Header lines of one request: more is 431.
    pub header_count: usize,
    /// Bytes of a client token: more is 400, and the token is not looked at.
    pub token_bytes: usize,
    /// Time from a request's first byte to the end of its headers, and for the TLS handshake.
    pub header_patience: Duration,
    /// Time between two requests on one connection.
    pub idle_patience: Duration,
    /// Time during which a client may send no byte of a body; with what it has sent it earns as much more as a trickle
    /// needs.
    pub body_patience: Duration,
    /// Time during which a client may take no byte of its answer.
    pub write_patience: Duration,
    /// Time for a request, from the end of its headers to the answer.
    pub request_time: Duration,
    /// Bytes of one body: more is 413.
    pub body_bytes: usize,
    /// Bytes of all bodies held at once; further bodies wait unread.
    pub buffered_bytes: usize,
    /// HTTP/2 requests at once on one connection.
    pub streams: u32,
    /// Bounds of a JSON body.
    pub json: JsonLimits,
}

impl Limits {
    /// Within what semaphores and protocols can count; a configured nought means the least.
    pub(crate) fn usable(self) -> Self {
        const MOST: usize = u32::MAX as usize;
        Self {
            connections: self.connections.clamp(1, MOST),
            header_bytes: self.header_bytes.clamp(8 << 10, MOST),
            body_bytes: self.body_bytes.min(MOST),
            buffered_bytes: self.buffered_bytes.min(MOST),
            streams: self.streams.max(1),
            ..self
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            header_bytes: 64 << 10,
            header_count: 100,
            token_bytes: 8 << 10,
            header_patience: Duration::from_secs(10),
            idle_patience: Duration::from_mins(5),
            body_patience: Duration::from_secs(10),
            write_patience: Duration::from_mins(1),
            request_time: Duration::from_secs(90),
            body_bytes: 32 << 20,
            buffered_bytes: 256 << 20,
            streams: 128,
            json: JsonLimits::default(),
        }
    }
}
