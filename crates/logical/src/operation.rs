//! What a caller wants done with a path.

use serde::Serialize;

/// An operation as engines declare it and as audit names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// GET.
    Read,
    /// LIST, or GET with `list=true`; its path ends in a slash.
    List,
    /// POST or PUT to what the engine says is missing. Until that is known, a write is [`Operation::Update`].
    Create,
    /// POST or PUT.
    Update,
    /// PATCH.
    Patch,
    /// DELETE.
    Delete,
    /// HEAD; served by almost nothing.
    Header,
    /// `?help=1`, answered from the endpoint's declaration.
    Help,
}

impl Operation {
    /// Whether this is a write whose creating or updating is decided by what exists.
    #[must_use]
    pub fn is_write(self) -> bool {
        matches!(self, Self::Create | Self::Update)
    }

    /// The operation under which an endpoint declares its handler: creating is declared as a write.
    #[must_use]
    pub fn declared(self) -> Self {
        if self == Self::Create { Self::Update } else { self }
    }

    /// The lower-case word of policies and audit entries.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::List => "list",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::Header => "header",
            Self::Help => "help",
        }
    }
}
