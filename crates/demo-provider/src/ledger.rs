//! Remembers every call to the token endpoint, in the order in which tokens were spent.
//!
//! It holds serial numbers, never tokens. Entries may be capped; totals and families are complete whatever the cap.
//! `Delivery::Given` means handed to the connection: whether the other side read it cannot be known here.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::call::Grant;

/// Everything the provider remembers about calls to its token endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    pub entries: Vec<Entry>,
    /// One per grant given: the tokens that stem from one code, device code or client-credentials call.
    pub families: Vec<FamilyRecord>,
    pub totals: Totals,
}

impl Ledger {
    /// The calls that presented a refresh token which was already spent. Empty proves, when no entry was dropped by
    /// the cap, that no refresh token was spent twice.
    pub fn second_spends(&self) -> Vec<&Entry> {
        self.entries
            .iter()
            .filter(|entry| {
                matches!(entry.outcome, Outcome::ReplayedInGrace { .. } | Outcome::ReuseDetected { .. })
            })
            .collect()
    }

    /// The calls that presented this refresh token, whatever came of them.
    pub fn presentations(&self, serial: u64) -> Vec<&Entry> {
        self.entries.iter().filter(|entry| entry.presented == Some(serial)).collect()
    }

    pub fn family(&self, number: u64) -> Option<&FamilyRecord> {
        self.families.iter().find(|family| family.number == number)
    }
}

/// One call to the token endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Counts from 1, in the order of processing.
    pub number: u64,
    /// Unix milliseconds at the moment of processing.
    pub at: u64,
    pub grant: Grant,
    /// Empty when the call named none.
    pub client: String,
    /// Serial of the refresh token that came in, if it is one of ours.
    pub presented: Option<u64>,
    pub family: Option<u64>,
    pub outcome: Outcome,
    pub delivery: Delivery,
}

/// What the provider did with a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// New tokens, by serial; `refresh` is the presented one where tokens are reusable.
    Issued { access: u64, refresh: Option<u64> },
    /// A spent refresh token came again within the grace: a new access token, the same successor.
    ReplayedInGrace { access: u64, refresh: u64 },
    /// A spent refresh token came again: the family is revoked, the call refused with `invalid_grant`.
    ReuseDetected { revoked_family: u64 },
    /// Refused with an OAuth error, for a reason in plain words.
    Refused { error: String, reason: String },
    /// A fault kept the call from being processed: nothing was spent.
    NotProcessed,
}

/// What became of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Delivery {
    /// Processed, not answered yet.
    Pending,
    /// Handed to the connection with this status.
    Given { status: u16 },
    /// Dropped by a fault, or the caller had left.
    Lost,
}

/// The tokens that stem from one grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FamilyRecord {
    pub number: u64,
    pub client: String,
    pub grant: Grant,
    pub started_at: u64,
    /// Serial of the newest refresh token, if the family has any.
    pub newest: Option<u64>,
    pub refreshes: u64,
    pub replays_in_grace: u64,
    pub reuses: u64,
    /// `None` while alive.
    pub ended: Option<End>,
}

impl FamilyRecord {
    pub fn is_alive(&self) -> bool {
        self.ended.is_none()
    }
}

/// Why a family was revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// A spent refresh token came again.
    RefreshTokenReused,
    /// The authorization code came again.
    CodeReused,
    /// The client asked for it at `/revoke`.
    RevokedByClient,
    /// A test asked for it, as a person does who withdraws consent.
    Withdrawn,
}

/// Counts since the start, never capped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    pub calls: u64,
    pub issued: u64,
    pub replays_in_grace: u64,
    pub reuses: u64,
    pub refused: u64,
    pub not_processed: u64,
    pub answers_lost: u64,
}

/// What is known of a call before its outcome.
#[derive(Clone)]
pub(crate) struct Presented {
    pub(crate) grant: Grant,
    pub(crate) client: String,
    pub(crate) refresh: Option<u64>,
    pub(crate) family: Option<u64>,
}

/// The growing ledger.
pub(crate) struct Journal {
    entries: VecDeque<Entry>,
    totals: Totals,
    limit: Option<usize>,
}

impl Journal {
    pub(crate) fn new(limit: Option<usize>) -> Self {
        Self { entries: VecDeque::new(), totals: Totals::default(), limit }
    }

    pub(crate) fn record(&mut self, at: u64, call: Presented, outcome: Outcome) -> u64 {
        let totals = &mut self.totals;
        totals.calls += 1;
        let count = match outcome {
            Outcome::Issued { .. } => &mut totals.issued,
            Outcome::ReplayedInGrace { .. } => &mut totals.replays_in_grace,
            Outcome::ReuseDetected { .. } => &mut totals.reuses,
            Outcome::Refused { .. } => &mut totals.refused,
            Outcome::NotProcessed => &mut totals.not_processed,
        };
        *count += 1;
        let number = totals.calls;
        let Presented { grant, client, refresh, family } = call;
        let delivery = Delivery::Pending;
        self.entries.push_back(Entry {
            number,
            at,
            grant,
            client,
            presented: refresh,
            family,
            outcome,
            delivery,
        });
        if self.limit.is_some_and(|limit| self.entries.len() > limit) {
            self.entries.pop_front();
        }
        number
    }

    pub(crate) fn delivered(&mut self, number: u64, delivery: Delivery) {
        if delivery == Delivery::Lost {
            self.totals.answers_lost += 1;
        }
        let first = self.entries.front().map_or(0, |entry| entry.number);
        let position = number.checked_sub(first).and_then(|offset| usize::try_from(offset).ok());
        if let Some(entry) = position.and_then(|position| self.entries.get_mut(position)) {
            entry.delivery = delivery;
        }
    }

    pub(crate) fn snapshot(&self, after: u64, families: Vec<FamilyRecord>) -> Ledger {
        let first = self.entries.front().map_or(0, |entry| entry.number);
        let skip = usize::try_from((after + 1).saturating_sub(first)).unwrap_or(usize::MAX);
        Ledger { entries: self.entries.iter().skip(skip).cloned().collect(), families, totals: self.totals }
    }
}
