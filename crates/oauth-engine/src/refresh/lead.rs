//! Says when a token is refreshed: how long before its end, and spread so that a herd does not gather.
//!
//! Invariants: never before half of a life, jitter included in the early side only and never more than a twentieth of
//! the life; the same credential gets the same jitter, so a restart moves nothing. Knows nothing of storage.

use std::time::Duration;

use vestal_logical::Timestamp;

use crate::config::Config;
use crate::credential::record::Credential;
use crate::credential::state::State;
use crate::credential::store::whole;

/// Lives shorter than this are refreshed by reads only.
const SHORTEST_LIFE: Duration = Duration::from_secs(10);
const LEAST_LEAD: Duration = Duration::from_secs(30);
const MOST_LEAD: Duration = Duration::from_hours(1);

/// The least lead that the operator wants, or that only reads refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Floor(Option<Duration>);

impl Floor {
    /// The floor is the check interval times the factor; an interval of 0 stops refreshing in the background.
    pub(crate) fn of(config: &Config) -> Self {
        let interval = config.tune_refresh_check_interval_seconds;
        if interval == 0 {
            return Self(None);
        }
        #[expect(clippy::cast_precision_loss, reason = "the interval is at most ninety days")]
        let seconds = (interval as f64 * config.tune_refresh_expiry_delta_factor).floor();
        // What does not fit is cut by half of the life anyway.
        Self(Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::from_hours(24 * 365))))
    }

    /// Whether only reads refresh.
    pub(crate) fn reads_only(self) -> bool {
        self.0.is_none()
    }

    /// The expiry delta that a refresh in the background stands for.
    pub(crate) fn delta(self) -> Duration {
        self.0.unwrap_or_default()
    }

    /// How this floor is remembered: seconds, and 0 for reads only.
    pub(crate) fn seconds(self) -> u64 {
        self.0.map_or(0, |span| span.as_secs())
    }

    /// When a live credential without trouble is due.
    pub(crate) fn due(self, id: &str, record: &Credential) -> Option<Timestamp> {
        let floor = self.0?;
        let (begin, end) = record.life().filter(|_| record.state == State::Live)?;
        let life = end.since(begin);
        if life < SHORTEST_LIFE {
            return None;
        }
        let lead = lead(life, floor);
        Some(whole(end.minus(lead).minus(jitter(id, record.version, life, lead))))
    }

    /// `at`, unless only reads refresh.
    pub(crate) fn or_never(self, at: Timestamp) -> Option<Timestamp> {
        self.0.map(|_| whole(at))
    }
}

fn lead(life: Duration, floor: Duration) -> Duration {
    (life / 2).min(floor.max((life / 10).clamp(LEAST_LEAD, MOST_LEAD)))
}

/// The same for the same credential and version.
fn jitter(id: &str, version: u64, life: Duration, lead: Duration) -> Duration {
    let most = (lead / 4).min(life / 20);
    let share = u128::from(spread(id, version));
    let nanos = most.as_nanos() * share / (1 << 32);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// 32 bits that look random and depend on their input alone (FNV-1a, folded).
pub(crate) fn spread(id: &str, salt: u64) -> u32 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in id.bytes().chain(salt.to_be_bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    // Two rounds of mixing: FNV's high bits barely depend on the last bytes.
    hash = (hash ^ (hash >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    hash = (hash ^ (hash >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    u32::try_from(hash >> 32).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn the_lead_follows_the_formula() {
        let cases = [
            // life, floor, lead
            (20, 72, 10),
            (65, 72, 32),
            (300, 72, 72),
            (300, 0, 30),
            (3600, 72, 360),
            (43_200, 72, 3600),
            (43_200, 86_400, 21_600),
            (86_400 * 30, 72, 3600),
        ];
        for (life, floor, expected) in cases {
            let found = lead(seconds(life), seconds(floor)).as_secs();
            assert_eq!(found, expected, "life {life} floor {floor}");
        }
    }

    proptest! {
        #[test]
        fn a_token_is_never_due_before_nine_twentieths_of_its_life(
            life in 10_u64..100_000_000, floor in 0_u64..10_000_000, id in "[0-9a-f]{8,64}", version in 0_u64..99,
        ) {
            let (life, floor) = (seconds(life), seconds(floor));
            let lead = lead(life, floor);
            let early = jitter(&id, version, life, lead);
            prop_assert!(early <= lead / 4 && early <= life / 20);
            prop_assert!(lead + early <= life / 2 + life / 20);
        }
    }

    #[test]
    fn a_thousand_credentials_spread_over_the_whole_jitter() {
        let (life, lead) = (seconds(3600), seconds(360));
        let mut tenths = [0; 10];
        for n in 0..1000 {
            let share = jitter(&format!("{n:032x}"), 1, life, lead).as_secs_f64() / 90.0;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 9")]
            let tenth = (share * 10.0) as usize;
            tenths[tenth.min(9)] += 1;
        }
        assert!(tenths.iter().all(|count| *count > 60), "{tenths:?}");
    }
}
