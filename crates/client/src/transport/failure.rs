//! Tells what a failed call means for the request: not sent, maybe sent, surely sent.
//!
//! Invariant: what cannot be told apart counts as sent, because the cost of being wrong is a refresh token.

use std::error::Error;
use std::io;

use vestal_logical::TransportError;

use super::resolver::ForbiddenAddress;
use crate::error::Cause;

/// The call failed before the answer's first byte. `taken` says whether a connection took the body, without which
/// nothing can have been spent.
pub(super) fn before_answer(error: &reqwest::Error, host: &str, taken: bool) -> TransportError {
    if find::<ForbiddenAddress>(error).is_some() {
        return TransportError::Forbidden(format!("{host} {ForbiddenAddress}"));
    }
    // A request that was never handed to a connection comes back as canceled.
    let never_started = find::<hyper::Error>(error).is_some_and(hyper::Error::is_canceled);
    let unsent = error.is_connect() || error.is_builder() || never_started;
    if error.is_timeout() && (unsent || !taken) {
        return TransportError::NotInTime(format!("{host} could not be connected to in time"));
    }
    if unsent && is_tls(error) {
        return TransportError::NotSecured(told(error, host));
    }
    if unsent {
        return TransportError::NotSent(told(error, host));
    }
    if error.is_timeout() {
        return TransportError::TimedOut(format!("{host} did not answer in time"));
    }
    if is_reset(error) {
        TransportError::Reset(told(error, host))
    } else {
        TransportError::Broken(told(error, host))
    }
}

/// The call failed while the answer was being read.
pub(super) fn during_answer(error: &reqwest::Error, host: &str) -> TransportError {
    if error.is_timeout() {
        return TransportError::TimedOut(format!("{host} did not finish its answer in time"));
    }
    let text = format!("{host} broke off its answer: {}", innermost(error));
    if is_reset(error) { TransportError::Reset(text) } else { TransportError::Broken(text) }
}

/// The other side does not speak TLS, not with us, or hangs up in the middle of the handshake.
fn is_tls(error: &reqwest::Error) -> bool {
    let hung_up = |io: &io::Error| io.kind() == io::ErrorKind::UnexpectedEof;
    find::<rustls::Error>(error).is_some() || find_that(error, &hung_up).is_some()
}

fn is_reset(error: &reqwest::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    let cut = |io: &io::Error| matches!(io.kind(), BrokenPipe | ConnectionAborted | ConnectionReset);
    find_that(error, &cut).is_some()
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
    if find_that(error, &refused).is_some() {
        return Cause::ConnectionRefused;
    }
    if find::<hyper::Error>(error).is_some_and(hyper::Error::is_parse) {
        return Cause::NotHttp;
    }
    Cause::Other
}

/// The first error of a type among the sources.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    find_that(error, &|_| true)
}

/// The first such error that is wanted. An IO error hides what it wraps from `source`, so that is looked into as well.
fn find_that<'a, T: Error + 'static>(
    error: &'a (dyn Error + 'static),
    wanted: &dyn Fn(&T) -> bool,
) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>().filter(|found| wanted(found)) {
            return Some(found);
        }
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(wrapped) = wrapped
            && let Some(found) = find_that(wrapped, wanted)
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
