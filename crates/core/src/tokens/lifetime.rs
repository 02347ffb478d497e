//! How long a token lives: pure arithmetic of core §3.1, and the warnings that tell of a cap.
//!
//! Invariants: no answer is 0 (for ever) unless a root token asked for no end at all; a renewal never reaches beyond the
//! maximum counted from the issue. Knows nothing of storage.

use std::time::Duration;

use vestal_logical::{Error, Timestamp};

use super::entry::TokenEntry;

/// What the mount that issued the token says, in seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MountTerms {
    pub(crate) default: u64,
    pub(crate) max: u64,
}

/// What a request for a new token says, in seconds; 0 is nothing.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Asked {
    pub(crate) ttl: u64,
    pub(crate) explicit_max_ttl: u64,
    pub(crate) period: u64,
    pub(crate) root: bool,
}

/// What is granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lifetime {
    /// Seconds; 0 is for ever.
    pub(crate) ttl: u64,
    pub(crate) warning: Option<String>,
}

impl Lifetime {
    /// The life of a new token.
    pub(crate) fn at_creation(asked: Asked, mount: MountTerms) -> Self {
        let max = capped_by(mount.max, asked.explicit_max_ttl);
        match asked {
            Asked { root: true, ttl: 0, period: 0, explicit_max_ttl } => {
                Self { ttl: explicit_max_ttl, warning: None }
            }
            Asked { period: 1.., .. } => Self::capped("period", asked.period, max),
            Asked { ttl: 0, .. } => Self::capped("TTL", mount.default, max),
            _ => Self::capped("TTL", asked.ttl, max),
        }
    }

    /// The life that a renewal grants, counted from `now`.
    pub(super) fn at_renewal(
        entry: &TokenEntry,
        increment: u64,
        mount_max: u64,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let max = capped_by(mount_max, entry.explicit_max_ttl);
        let wished = match (entry.period, increment, entry.granted) {
            (period @ 1.., ..) => Self::capped("period", period, max),
            (0, 0, granted) => Self { ttl: granted, warning: None },
            (0, increment, _) => Self { ttl: increment, warning: None },
        };
        if entry.period > 0 && entry.explicit_max_ttl == 0 {
            return Ok(wished);
        }
        // Whole seconds on both sides, so that a renewal in the second of the issue is not told a second less.
        let bound = if entry.period > 0 { entry.explicit_max_ttl } else { max };
        let end = u64::try_from(entry.created.seconds()).unwrap_or(0).saturating_add(bound);
        let left = end.saturating_sub(u64::try_from(now.seconds()).unwrap_or(0));
        if left == 0 || wished.ttl == 0 {
            return Err(Error::invalid("past the max TTL, cannot renew"));
        }
        let Self { ttl, warning } = Self::capped("TTL", wished.ttl, left);
        Ok(Self { ttl, warning: wished.warning.or(warning) })
    }

    /// The instant at which a life granted by a renewal ends: exactly, whatever the seconds were rounded to.
    pub(super) fn end(&self, entry: &TokenEntry, mount_max: u64, now: Timestamp) -> Timestamp {
        let wished = now.plus(Duration::from_secs(self.ttl));
        let from_issue = |seconds| entry.created.plus(Duration::from_secs(seconds));
        match (entry.period, entry.explicit_max_ttl) {
            (0, explicit) => wished.min(from_issue(capped_by(mount_max, explicit))),
            (_, 0) => wished,
            (_, explicit) => wished.min(from_issue(explicit)),
        }
    }

    /// A wish, or the most there is and a warning that says so.
    fn capped(what: &str, wished: u64, max: u64) -> Self {
        if wished <= max {
            return Self { ttl: wished, warning: None };
        }
        let warning = format!(
            "{what} of \"{}\" exceeded the effective max_ttl of \"{}\"; {what} value is capped accordingly",
            span(wished),
            span(max)
        );
        Self { ttl: max, warning: Some(warning) }
    }
}

/// The lesser of both, where the second may say nothing. Never 0, which would be for ever.
fn capped_by(max: u64, explicit: u64) -> u64 {
    if explicit == 0 { max.max(1) } else { max.min(explicit).max(1) }
}

/// Seconds as clients see them: `768h`, `1h30m`, `1h1s`.
fn span(seconds: u64) -> String {
    if seconds == 0 {
        return "0s".to_owned();
    }
    let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let mut shown = String::new();
    for (count, unit) in parts.iter().filter(|(count, _)| *count > 0) {
        shown.push_str(&count.to_string());
        shown.push_str(unit);
    }
    shown
}
