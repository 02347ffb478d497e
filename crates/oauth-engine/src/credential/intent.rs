//! The intent: proof, before a refresh token is presented, that the store takes durable writes, and after a crash the
//! knowledge that it was presented.
//!
//! Invariants: an intent is durable before its token leaves the house, and goes in the same batch that stores the
//! outcome. Knows nothing of rotation rules.

use serde::{Deserialize, Serialize};
use vestal_crypto::SecretString;
use vestal_logical::Timestamp;
use vestal_storage::Record;

use super::record::{Terms, Tokens};
use crate::providers::{ProviderError, TokenSet};
use crate::server::Server;

/// One refresh that was begun.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Intent {
    /// The generation whose refresh token is presented; of a candidate, the one it will have.
    pub(crate) generation: u64,
    /// The version of the token set that is presented.
    pub(crate) version: u64,
    /// The number of the attempt within its generation.
    pub(crate) attempt: u64,
    /// Tells this intent from another with the same numbers, should a commit's fate be unknown.
    pub(crate) nonce: u64,
    /// The epoch of the leader that began it.
    pub(crate) epoch: u64,
    /// When the token was first presented.
    pub(crate) started: Timestamp,
    /// When it was last presented.
    pub(crate) presented: Timestamp,
    /// How often the token may have been presented and spent, this time included.
    pub(crate) presentations: u32,
    /// Whether an answer is known to be lost.
    pub(crate) doubtful: bool,
    /// A refresh token that was handed in and is not accepted yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) candidate: Option<Candidate>,
}

impl Record for Intent {
    const VERSION: u8 = 1;
}

/// A refresh token on its way to becoming a credential.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Candidate {
    #[serde(serialize_with = "vestal_crypto::exposed::serialize")]
    pub(crate) refresh_token: SecretString,
    pub(crate) terms: Terms,
    /// The generation it replaces; it gives way to any other.
    pub(crate) base: Option<u64>,
    /// MAC of the request that handed it in, so that a repetition after a crash gets the same answer.
    #[serde(default)]
    pub(crate) mac: String,
}

/// Tokens that nobody can use: issued for a credential that had gone meanwhile, or withheld from a new one. They are kept
/// until they can be revoked.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Orphan {
    pub(crate) server: String,
    pub(crate) origin: String,
    pub(crate) tokens: Tokens,
    pub(crate) at: Timestamp,
}

impl Record for Orphan {
    const VERSION: u8 = 1;
}

impl Orphan {
    pub(crate) fn of(server: &Server, new: &TokenSet, at: Timestamp) -> Self {
        let tokens = Tokens {
            access_token: new.access_token.clone(),
            token_type: new.token_type.clone(),
            refresh_token: new.refresh_token.clone(),
            extra: None,
        };
        Self::made(server, tokens, at)
    }

    /// What is left of a refresh whose tokens may not be used.
    pub(crate) fn withheld(server: &Server, failure: &ProviderError, at: Timestamp) -> Option<Self> {
        let ProviderError::Withheld { successor: Some(successor), .. } = failure else { return None };
        Some(Self::successor(server, successor, at))
    }

    /// A refresh token alone.
    pub(crate) fn successor(server: &Server, refresh_token: &SecretString, at: Timestamp) -> Self {
        let tokens = Tokens {
            access_token: SecretString::default(),
            token_type: String::new(),
            refresh_token: Some(refresh_token.clone()),
            extra: None,
        };
        Self::made(server, tokens, at)
    }

    fn made(server: &Server, tokens: Tokens, at: Timestamp) -> Self {
        Self { server: server.name.clone(), origin: server.provider.origin().to_owned(), tokens, at }
    }
}
