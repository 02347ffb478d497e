//! A token as it is stored, as it is asked for, and as it was presented.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use vestal_crypto::SecretString;
use vestal_logical::{DueEntry, Timestamp};
use vestal_storage::Record;

use super::crowd::InUse;

/// The path of tokens that no request made: of initialisation, later of a generated root.
const ROOT_PATH: &str = "auth/token/root";
/// The queue of ends in the due index.
pub(super) const DUE_GROUP: &str = "t";

/// One token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TokenEntry {
    /// The salted HMAC of the token, in hex.
    pub(crate) id: String,
    pub(crate) accessor: String,
    /// The id of the token that dies with this one's maker.
    pub(crate) parent: Option<String>,
    pub(crate) policies: Vec<String>,
    /// The path of the request that made it.
    pub(crate) path: String,
    pub(crate) display_name: String,
    pub(crate) meta: Option<BTreeMap<String, String>>,
    /// Uses left; 0 is unlimited unless `spent`.
    pub(crate) num_uses: u64,
    /// Uses at the beginning.
    pub(crate) uses_given: u64,
    pub(crate) created: Timestamp,
    /// Seconds at creation; 0 is for ever.
    pub(crate) ttl: u64,
    /// Seconds granted last, at creation or by a renewal.
    pub(crate) granted: u64,
    pub(crate) explicit_max_ttl: u64,
    pub(crate) period: u64,
    pub(crate) renewable: bool,
    pub(crate) expires: Option<Timestamp>,
    pub(crate) last_renewal: Option<Timestamp>,
    pub(crate) role: String,
    pub(crate) entity_id: String,
    /// Its revocation has begun: it is dead and has no more children.
    pub(crate) revoking: bool,
    /// Its last use is the request that is being served.
    pub(crate) spent: bool,
}

impl Record for TokenEntry {
    const VERSION: u8 = 1;
}

impl TokenEntry {
    /// Whether it may do everything.
    pub(crate) fn root(&self) -> bool {
        self.policies.iter().any(|policy| policy == "root")
    }

    /// Whether it holds a wrapped answer and can do nothing else.
    pub(crate) fn wrapping(&self) -> bool {
        matches!(self.policies.as_slice(), [only] if only == "response-wrapping")
    }

    /// Whether initialisation made it rather than a request: it has no lease.
    pub(crate) fn initial(&self) -> bool {
        self.path == ROOT_PATH
    }

    /// Whether it outlives all others.
    pub(crate) fn orphan(&self) -> bool {
        self.parent.is_none()
    }

    /// Whether it can be presented at `now`.
    pub(crate) fn alive(&self, now: Timestamp) -> bool {
        !self.revoking && self.expires.is_none_or(|end| now < end)
    }

    /// Whether its time is over at `now`, and with it that of all below it, though nobody has removed them yet.
    pub(super) fn expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|end| end <= now)
    }

    /// Seconds left at `now`, whole ones on both sides as a renewal counts them; 0 only for a token that never ends, or is
    /// over.
    pub(crate) fn seconds_left(&self, now: Timestamp) -> u64 {
        let Some(end) = self.expires.filter(|end| now < *end) else { return 0 };
        u64::try_from(end.seconds().saturating_sub(now.seconds())).unwrap_or(0).max(1)
    }

    /// Its entry in the index of ends, at the first whole millisecond at which it is over.
    pub(super) fn due(&self) -> Option<DueEntry> {
        let end = self.expires?;
        let started = Timestamp::from_millis(end.millis());
        let at = if started < end { Timestamp::from_millis(end.millis().saturating_add(1)) } else { started };
        Some(DueEntry { group: DUE_GROUP.to_owned(), at, id: self.id.clone() })
    }
}

impl fmt::Debug for TokenEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenEntry")
            .field("id", &self.id)
            .field("revoking", &self.revoking)
            .finish_non_exhaustive()
    }
}

/// A token that a request came with, one use of it spent.
#[derive(Debug, Clone)]
pub(crate) struct Presented {
    pub(crate) entry: Arc<TokenEntry>,
    /// No use is left: whoever serves the request revokes the token after it.
    pub(crate) last_use: bool,
    /// Of a token with limited uses: kept as long as the request is under way.
    pub(crate) in_use: Option<Arc<InUse>>,
}

/// What a new token is to be. Times are seconds; policies are canonical already.
#[derive(Debug, Clone, Default)]
pub(crate) struct NewToken {
    pub(crate) policies: Vec<String>,
    pub(crate) display_name: String,
    pub(crate) meta: Option<BTreeMap<String, String>>,
    /// 0 is for ever.
    pub(crate) ttl: u64,
    pub(crate) explicit_max_ttl: u64,
    pub(crate) period: u64,
    /// 0 is unlimited.
    pub(crate) num_uses: u64,
    pub(crate) renewable: bool,
    /// The id of the token it dies with; an orphan has none.
    pub(crate) parent: Option<String>,
    pub(crate) path: String,
    /// The token itself, where somebody insists.
    pub(crate) id: Option<SecretString>,
    pub(crate) role: String,
    pub(crate) entity_id: String,
}

impl NewToken {
    /// The token of a new vault: it may do everything, for ever.
    pub(crate) fn root() -> Self {
        Self {
            policies: vec!["root".to_owned()],
            display_name: "root".to_owned(),
            path: ROOT_PATH.to_owned(),
            ..Self::default()
        }
    }
}

/// How to find a token by its accessor. Lists show the accessor itself, so it is kept, sealed.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct AccessorRecord {
    pub(super) accessor: String,
    pub(super) id: String,
}

impl Record for AccessorRecord {
    const VERSION: u8 = 1;
}

/// What becomes of a token's children when it is revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Fate {
    /// They go too.
    Tree,
    /// They become orphans.
    Alone,
}

/// A revocation that has begun.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Revocation {
    pub(super) fate: Fate,
}

impl Record for Revocation {
    const VERSION: u8 = 1;
}
