//! Why an API call gave no answer, in words that Vault's users know.
//!
//! Invariant: texts hold the verb, the address, the path and what the server said; never a token or a body.

use std::fmt;

use http::Method;
use vestal_logical::TransportError;

use crate::answer::Answer;

/// What went wrong with a call.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ApiError {
    /// The server answered with an error status.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// No answer came.
    #[error("{method} {url}: {error}")]
    NoAnswer {
        /// The verb.
        method: Method,
        /// Where to, without the query.
        url: String,
        /// What the transport says.
        error: TransportError,
    },
    /// The answer is not what the protocol says.
    #[error("{method} {url}: {reason}")]
    Malformed {
        /// The verb.
        method: Method,
        /// Where to, without the query.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// The request cannot be made as it was asked for.
    #[error("{0}")]
    Unaskable(String),
}

impl ApiError {
    /// The status, when the server answered with an error.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused(refusal) => Some(refusal.answer.status),
            _ => None,
        }
    }

    /// What the server said, when it answered with an error.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// Why nothing came back, when nothing did.
    pub fn cause(&self) -> Option<Cause> {
        match self {
            Self::NoAnswer { error, .. } => Some(Cause::of(error)),
            _ => None,
        }
    }
}

/// An answer with an error status.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The verb.
    pub method: Method,
    /// The whole address, as Vault shows it.
    pub url: String,
    /// The namespace asked in, when one was.
    pub namespace: Option<String>,
    /// The answer.
    pub answer: Answer,
}

/// Vault's own shape, which people and scripts know.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Error making API request.\n\n")?;
        if let Some(namespace) = &self.namespace {
            writeln!(f, "Namespace: {namespace}")?;
        }
        write!(f, "URL: {} {}\nCode: {}. ", self.method, self.url, self.answer.status)?;
        match self.answer.errors() {
            Some(errors) => {
                f.write_str("Errors:\n\n")?;
                for (index, error) in errors.iter().enumerate() {
                    write!(f, "{}* {error}", if index == 0 { "" } else { "\n" })?;
                }
                Ok(())
            }
            None => write!(f, "Raw Message:\n\n{}", self.answer.text()),
        }
    }
}

/// Why a connection gave nothing, for telling what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Nothing listens there.
    ConnectionRefused,
    /// The name has no address.
    UnknownHost,
    /// The other side does not speak TLS.
    NotTls,
    /// The other side's certificate is not accepted.
    BadCertificate,
    /// The other side speaks something other than HTTP, as a TLS port does to plain HTTP.
    NotHttp,
    /// It took too long.
    TooSlow,
    /// The address is one that is not connected to.
    Forbidden,
    /// Something else.
    Other,
}

/// The words each cause is written as; [`Cause::of`] reads them back.
const PHRASES: [(Cause, &str); 5] = [
    (Cause::ConnectionRefused, "connection refused"),
    (Cause::UnknownHost, "no such host"),
    (Cause::NotTls, "the server does not speak TLS"),
    (Cause::BadCertificate, "the server's certificate is not accepted"),
    (Cause::NotHttp, "the server does not speak plain HTTP"),
];

impl Cause {
    /// Recovers the cause from the transport's text, which `Cause::phrase` began.
    pub fn of(error: &TransportError) -> Self {
        let text = match error {
            TransportError::Forbidden(_) => return Self::Forbidden,
            TransportError::TimedOut(_) | TransportError::NotInTime(_) => return Self::TooSlow,
            TransportError::TooLarge(_) => return Self::Other,
            TransportError::NotSent(text)
            | TransportError::NotSecured(text)
            | TransportError::Reset(text)
            | TransportError::Broken(text) => text,
        };
        let named = |(_, phrase): &&(Self, &str)| text.starts_with(phrase);
        PHRASES.iter().find(named).map_or(Self::Other, |(cause, _)| *cause)
    }

    /// The words for it; empty for causes that are not told by words.
    pub(crate) fn phrase(self) -> &'static str {
        PHRASES.iter().find(|(cause, _)| *cause == self).map_or("", |(_, phrase)| phrase)
    }
}
