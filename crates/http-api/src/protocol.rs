//! What HTTP itself demands of a request's head, before anybody looks at what it asks.
//!
//! Invariant: who breaks one of these rules may mean something else by the rest of the connection, too, so that it is closed.
//! It knows no path and no method.

use http::request::Parts;
use http::{StatusCode, Version, header};

use crate::limits::Limits;
use crate::refusal::Refusal;

/// The rules that hyper leaves to us.
pub(crate) fn check(parts: &Parts, limits: &Limits) -> Result<(), Refusal> {
    if parts.headers.len() > limits.header_count {
        return Err(Refusal::headers_too_large());
    }
    check_host(parts)?;
    check_expectation(parts)
}

/// Two hosts are a way to be understood differently by a proxy and by us.
fn check_host(parts: &Parts) -> Result<(), Refusal> {
    let hosts = parts.headers.get_all(header::HOST).iter().count();
    if hosts > 1 {
        return Err(Refusal::invalid("too many Host headers"));
    }
    if parts.version == Version::HTTP_11 && hosts == 0 && parts.uri.host().is_none() {
        return Err(Refusal::invalid("missing required Host header"));
    }
    Ok(())
}

/// There is one expectation. HTTP/2 has its own ways, and Go's server, too, does not look there.
fn check_expectation(parts: &Parts) -> Result<(), Refusal> {
    let Some(expected) = parts.headers.get(header::EXPECT).filter(|_| parts.version != Version::HTTP_2)
    else {
        return Ok(());
    };
    let known = |word: &[u8]| word.trim_ascii().eq_ignore_ascii_case(b"100-continue");
    if expected.is_empty() || expected.as_bytes().split(|byte| *byte == b',').any(known) {
        return Ok(());
    }
    Err(Refusal::blank(StatusCode::EXPECTATION_FAILED))
}
