//! Tells what a failed call means for the request: not sent, maybe sent, surely sent.
//!
//! Invariant: what cannot be told apart counts as sent, because the cost of being wrong is a refresh token.

use std::error::Error;
use std::io;

use vestal_logical::TransportError;

use super::resolver::ForbiddenAddress;
use crate::error::Cause;

/// The call failed before the answer's first byte.
pub(super) fn before_answer(error: &reqwest::Error, host: &str) -> TransportError {
    if find::<ForbiddenAddress>(error).is_some() {
        return TransportError::Forbidden(format!("{host} {ForbiddenAddress}"));
    }
    // A request that was never handed to a connection comes back as canceled.
    let never_started = find::<hyper::Error>(error).is_some_and(hyper::Error::is_canceled);
    if error.is_connect() || error.is_builder() || never_started {
        return TransportError::NotSent(told(error, host));
    }
    if error.is_timeout() {
        return TransportError::TimedOut(format!("{host} did not answer in time"));
    }
    TransportError::Broken(told(error, host))
}

/// The call failed while the answer was being read.
pub(super) fn during_answer(error: &reqwest::Error, host: &str) -> TransportError {
    if error.is_timeout() {
        return TransportError::TimedOut(format!("{host} did not finish its answer in time"));
    }
    TransportError::Broken(format!("{host} broke off its answer: {}", innermost(error)))
}

/// The host and what happened, with a cause that can be read back where there is one.
fn told(error: &reqwest::Error, host: &str) -> String {
    match cause(error).phrase() {
        "" => format!("cannot talk to {host}: {}", innermost(error)),
        phrase => format!("{phrase} ({host})"),
    }
}

fn cause(error: &reqwest::Error) -> Cause {
    if let Some(tls) = find::<rustls::Error>(error) {
        return match tls {
            rustls::Error::InvalidCertificate(_) => Cause::BadCertificate,
            rustls::Error::InvalidMessage(_) => Cause::NotTls,
            _ => Cause::Other,
        };
    }
    if error.is_dns() {
        return Cause::UnknownHost;
    }
    let refused = |io: &io::Error| io.kind() == io::ErrorKind::ConnectionRefused;
    if find::<io::Error>(error).is_some_and(refused) {
        return Cause::ConnectionRefused;
    }
    if find::<hyper::Error>(error).is_some_and(hyper::Error::is_parse) {
        return Cause::NotHttp;
    }
    Cause::Other
}

/// The first error of a type among the sources. An IO error hides what it wraps from `source`, so that is
/// looked into as well.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(wrapped) = wrapped
            && let Some(found) = find::<T>(wrapped)
        {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// The last source: the outer texts repeat the address, query and all.
pub(super) fn innermost(error: &reqwest::Error) -> String {
    let mut last: &dyn Error = error;
    while let Some(source) = last.source() {
        last = source;
    }
    if last.is::<reqwest::Error>() { "the request cannot be made".to_owned() } else { last.to_string() }
}
