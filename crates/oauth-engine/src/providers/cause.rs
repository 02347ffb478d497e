//! Why a provider's answer brought no tokens, in words of ours alone: what a log may say.
//!
//! Invariant: of what comes from outside only a registered OAuth error code is ever repeated.

use std::fmt;

use super::ProviderError;
use super::network::DEADLINE;

/// Error codes that are registered and may come from a token endpoint.
const REGISTERED: [&str; 14] = [
    "access_denied",
    "consent_required",
    "interaction_required",
    "invalid_client",
    "invalid_grant",
    "invalid_request",
    "invalid_scope",
    "invalid_target",
    "login_required",
    "server_error",
    "slow_down",
    "temporarily_unavailable",
    "unauthorized_client",
    "unsupported_grant_type",
];

/// One cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// A registered error code.
    Code(&'static str),
    /// An answer that names no such code.
    Status(u16),
    /// The connection could not be made, or not in the time there was.
    NotSent,
    /// The request went out and no answer came.
    NoAnswer,
    /// The time was over.
    TimedOut,
    /// More bytes than are read.
    TooLarge,
    /// A success that cannot be read or holds no token.
    NoToken,
    /// What came with the tokens does not verify.
    Unverified,
    /// What was asked for, or what came of it, is not acceptable to us: a missing secret, an ID token that does not verify.
    Unacceptable,
    /// The server's settings cannot be used.
    Settings,
    /// A fault of ours.
    Internal,
}

impl Cause {
    /// Of an answer that is no success, with the error code it names.
    pub(crate) fn answered(status: u16, code: Option<&str>) -> Self {
        let known = code.and_then(|code| REGISTERED.into_iter().find(|known| *known == code));
        known.map_or(Self::Status(status), Self::Code)
    }

    pub(crate) fn of(failure: &ProviderError) -> Self {
        match failure {
            ProviderError::NotSent(text) | ProviderError::NoAnswer(text) if text.ends_with(DEADLINE) => {
                Self::TimedOut
            }
            ProviderError::NotSent(_) => Self::NotSent,
            ProviderError::NoAnswer(_) => Self::NoAnswer,
            ProviderError::Busy { cause, .. }
            | ProviderError::Refused { cause, .. }
            | ProviderError::Rejected { cause, .. } => *cause,
            ProviderError::Withheld { .. } => Self::Unverified,
            ProviderError::Unacceptable(_) => Self::Unacceptable,
            ProviderError::Misconfigured(_) => Self::Settings,
            ProviderError::Internal(_) => Self::Internal,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Code(code) => code,
            Self::Status(status) => return write!(f, "HTTP {status}"),
            Self::NotSent => "not sent",
            Self::NoAnswer => "no answer",
            Self::TimedOut => "timed out",
            Self::TooLarge => "answer too large",
            Self::NoToken => "no token in the answer",
            Self::Unverified => "ID token not verified",
            Self::Unacceptable => "not acceptable",
            Self::Settings => "unusable settings",
            Self::Internal => "internal",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_that_is_not_registered_is_not_repeated() {
        assert_eq!(Cause::answered(400, Some("invalid_grant")).to_string(), "invalid_grant");
        assert_eq!(Cause::answered(400, Some("s3cret")).to_string(), "HTTP 400");
        assert_eq!(Cause::answered(503, None).to_string(), "HTTP 503");
    }
}
