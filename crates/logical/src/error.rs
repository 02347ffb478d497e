//! The one error that leaves an engine or the kernel: a closed kind, a public text, a private source.

use std::error::Error as StdError;
use std::fmt;

use vestal_storage::StorageError;

use crate::FieldError;

/// What class of failure it is; `http-api` maps each to a status in one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The input is wrong.
    Invalid,
    /// No token, a dead one, or one without the right.
    Denied,
    /// Nothing is there.
    NotFound,
    /// No endpoint has this path.
    UnsupportedPath,
    /// The endpoint does not offer this operation.
    Unsupported,
    /// A check-and-set failed, or someone else was first.
    Conflict,
    /// The input is larger than allowed.
    TooLarge,
    /// PATCH came with another content type than merge-patch.
    UnsupportedMediaType,
    /// Too many requests.
    Limited,
    /// An authorization server refused, failed, or did not answer.
    Upstream,
    /// The vault is sealed or not initialised.
    Sealed,
    /// This node does not lead.
    Standby,
    /// Cannot be done now; later it may.
    Unavailable,
    /// A fault of ours.
    Internal,
}

/// How clients see the text: as it is, or in the multi-error frame that Go clients print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `text`
    Bare,
    /// `1 error occurred:\n\t* text\n\n`
    Multi,
}

/// A failure. [`public`](Self::public) reaches the caller; [`source`](StdError::source) reaches only the log.
pub struct Error {
    kind: Kind,
    form: Form,
    texts: Vec<String>,
    warnings: Vec<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// A failure with a bare text.
    pub fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self { kind, form: Form::Bare, texts: vec![text.into()], warnings: Vec::new(), source: None }
    }

    /// Wrong input: 400 with this text.
    pub fn invalid(text: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, text)
    }

    /// A failure about which there is nothing to say: the list of errors is empty.
    #[must_use]
    pub fn silent(kind: Kind) -> Self {
        Self { texts: Vec::new(), ..Self::new(kind, "") }
    }

    /// Nothing there.
    #[must_use]
    pub fn not_found() -> Self {
        Self::silent(Kind::NotFound)
    }

    /// The policy does not allow it.
    #[must_use]
    pub fn denied() -> Self {
        Self::new(Kind::Denied, "permission denied").multi()
    }

    /// There is no (living) token.
    #[must_use]
    pub fn unauthenticated() -> Self {
        Self::new(Kind::Denied, "permission denied")
    }

    /// No endpoint has this path.
    #[must_use]
    pub fn unsupported_path() -> Self {
        Self::new(Kind::UnsupportedPath, "unsupported path").multi()
    }

    /// The endpoint does not offer this operation.
    #[must_use]
    pub fn unsupported_operation() -> Self {
        Self::new(Kind::Unsupported, "unsupported operation").multi()
    }

    /// A fault of ours, with the cause for the log.
    pub fn internal(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Kind::Internal, "internal error").because(source)
    }

    /// In the multi-error frame.
    #[must_use]
    pub fn multi(mut self) -> Self {
        self.form = Form::Multi;
        self
    }

    /// With the cause, which reaches only the log.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// With a warning beside the errors (a 404 may carry one).
    #[must_use]
    pub fn warn(mut self, text: impl Into<String>) -> Self {
        self.warnings.push(text.into());
        self
    }

    /// The class.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The texts for the caller, framed; empty for plain absence.
    #[must_use]
    pub fn public(&self) -> Vec<String> {
        match self.form {
            Form::Bare => self.texts.clone(),
            Form::Multi => {
                self.texts.iter().map(|text| format!("1 error occurred:\n\t* {text}\n\n")).collect()
            }
        }
    }

    /// The text without its frame.
    #[must_use]
    pub fn text(&self) -> String {
        self.texts.join("; ")
    }

    /// Warnings that go with a 404.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.kind)
            .field("texts", &self.texts)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.texts.is_empty() { write!(f, "not found") } else { write!(f, "{}", self.text()) }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

impl From<FieldError> for Error {
    fn from(failure: FieldError) -> Self {
        Self::invalid(failure.to_string())
    }
}

impl From<StorageError> for Error {
    fn from(failure: StorageError) -> Self {
        let (kind, text) = match &failure {
            StorageError::Conflict => (Kind::Conflict, "the record was changed meanwhile, try again"),
            StorageError::Sealed => return Self::new(Kind::Sealed, "Vault is sealed"),
            StorageError::Fenced => (Kind::Standby, "this node no longer leads"),
            // Names and keys have small limits, records and batches large ones.
            StorageError::TooLarge { limit: ..=0xffff } => (Kind::Invalid, "a name in the path is too long"),
            StorageError::TooLarge { .. } => (Kind::TooLarge, "the record is too large"),
            StorageError::Full(_) => (Kind::Unavailable, "the disk is too full for new writes, make room"),
            StorageError::Unavailable(_) => (Kind::Unavailable, "the store is unavailable"),
            StorageError::Undetermined(_) => (Kind::Internal, "it is unknown whether the write took place"),
            StorageError::Corrupt(_) => (Kind::Internal, "a stored record is damaged"),
        };
        Self::new(kind, text).because(failure)
    }
}
