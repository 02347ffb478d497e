//! Why a flight is asked for, and what it came to.
//!
//! Knows nothing of how it gets there.

use std::sync::Arc;
use std::time::Duration;

use vestal_logical::{Error, Kind, Timestamp};

use crate::credential::record::Credential;

/// Who wants a refresh, and what makes it unnecessary.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Why {
    /// A reader who wants that much left.
    Read { delta: Duration },
    /// The index entry of that instant is due.
    Due { at: Timestamp },
}

/// What a flight came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// New tokens.
    Issued,
    /// The provider was called in vain, for reasons of its own or its client's; the credential is due later.
    Failed,
    /// The provider was called and judged this credential alone.
    Judged,
    /// It was not needed (any more), or not allowed now; nothing was called and nothing changed.
    Untouched,
    /// The credential changed without a call: parked, given up, put off.
    Moved,
    /// The server is missing, or its settings are of no use.
    NoServer,
    /// The index entry does not go with its record.
    Stale,
    /// The store failed before anything was presented.
    Unstored,
}

/// A flight's result.
#[derive(Debug, Clone)]
pub(crate) struct End {
    /// The credential as it is now; absent when it was deleted, or could not be read.
    pub(crate) record: Option<Arc<Credential>>,
    pub(crate) effect: Effect,
    /// Whether what the record says is durable.
    pub(crate) durable: bool,
    /// Why the store let nothing begin.
    pub(crate) failure: Option<Refusal>,
}

/// An error that many hear of.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    kind: Kind,
    text: String,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self { kind: error.kind(), text: error.text() }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.kind, refusal.text)
    }
}

impl End {
    pub(crate) fn of(record: Option<Credential>, effect: Effect) -> Self {
        Self { record: record.map(Arc::new), effect, durable: true, failure: None }
    }
}
