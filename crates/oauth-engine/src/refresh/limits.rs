//! What a provider is asked for at most: how long one request may take, and how often one credential may be refreshed
//! only because a reader wants more time left.
//!
//! Invariants: the time limit is never more than the stretched one (W39); an empty bucket costs no call. Knows nothing of
//! providers.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use vestal_logical::Timestamp;

use crate::config::Config;

/// The limit of one request of a refresh (reference §6): stretched as the token nears its end. `left` is what the
/// token has left, negative when it is expired, and `None` when it does not expire; `delta` is what the caller wants.
pub(crate) fn time_limit(config: &Config, left: Option<f64>, delta: f64) -> Option<Duration> {
    #[expect(clippy::cast_precision_loss, reason = "seconds of a time limit")]
    let limit = config.tune_provider_timeout_seconds as f64;
    if limit <= 0.0 {
        return None;
    }
    let leeway = config.tune_provider_timeout_expiry_leeway_factor;
    let scale = match left {
        Some(left) if left < delta => logarithmic(left, delta, leeway).min(leeway),
        _ => 1.0,
    };
    Duration::try_from_secs_f64(limit * scale).ok().or(Some(Duration::from_hours(24)))
}

/// The scale that is 1 when `delta` is left and `leeway` when nothing is. Used only below `delta`.
fn logarithmic(left: f64, delta: f64, leeway: f64) -> f64 {
    let g = 10_f64.powf(1.0 - leeway);
    let f = delta * g / (1.0 - g);
    let scale = 1.0 - ((f + left) / (delta + f)).log10();
    if scale.is_nan() { leeway } else { scale.max(0.0) }
}

/// At once, and then one each.
const BURST: u32 = 10;
const EACH: Duration = Duration::from_secs(30);
/// Buckets are looked through for full ones when there are this many.
const CROWD: usize = 10_000;

/// A bucket per credential for refreshes that only `minimum_seconds` asks for (W49).
#[derive(Default)]
pub(crate) struct RateGuard {
    buckets: Mutex<HashMap<String, Bucket>>,
}

struct Bucket {
    left: u32,
    since: Timestamp,
}

impl Bucket {
    fn refill(&mut self, now: Timestamp) {
        // The clock may have been set back.
        self.since = self.since.min(now);
        let passed = now.since(self.since).as_secs() / EACH.as_secs();
        let more = u32::try_from(passed).unwrap_or(u32::MAX);
        if more == 0 {
            return;
        }
        self.left = self.left.saturating_add(more).min(BURST);
        self.since = if self.left == BURST { now } else { self.since.plus(EACH.saturating_mul(more)) };
    }
}

impl RateGuard {
    /// Takes one from the credential's bucket, if it is not empty.
    pub(crate) fn take(&self, id: &str, now: Timestamp) -> bool {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= CROWD && !buckets.contains_key(id) {
            buckets.retain(|_, bucket| {
                bucket.refill(now);
                bucket.left < BURST
            });
        }
        let bucket = buckets.entry(id.to_owned()).or_insert_with(|| Bucket { left: BURST, since: now });
        bucket.refill(now);
        if bucket.left == BURST {
            bucket.since = now;
        }
        let taken = bucket.left > 0;
        bucket.left = bucket.left.saturating_sub(1);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(seconds: u64, leeway: f64) -> Config {
        Config {
            tune_provider_timeout_seconds: seconds,
            tune_provider_timeout_expiry_leeway_factor: leeway,
            ..Config::default()
        }
    }

    fn limit(seconds: u64, leeway: f64, left: Option<f64>, delta: f64) -> f64 {
        time_limit(&config(seconds, leeway), left, delta).unwrap().as_secs_f64()
    }

    fn near(found: f64, expected: f64) -> bool {
        (found - expected).abs() < 0.006
    }

    #[test]
    fn the_limit_follows_the_table_of_section_6_and_never_exceeds_its_maximum() {
        let cases = [
            (30, 1.5, 72.0, &[(72.0, 30.0), (60.0, 31.58), (36.0, 35.45), (30.0, 36.63), (10.0, 41.58)][..]),
            (
                30,
                1.5,
                72.0,
                &[(5.0, 43.18), (1.0, 44.61), (0.0, 45.0), (-1.0, 45.0), (-33.0, 45.0), (-40.0, 45.0)],
            ),
            (
                30,
                1.5,
                10.0,
                &[(10.0, 30.0), (5.0, 35.45), (1.0, 42.45), (0.0, 45.0), (-4.0, 45.0), (-10.0, 45.0)],
            ),
            (10, 1.5, 60.0, &[(36.0, 11.39), (30.0, 11.82), (10.0, 13.66), (5.0, 14.28), (-30.0, 15.0)]),
            (30, 3.0, 60.0, &[(36.0, 36.57), (30.0, 38.90), (10.0, 52.71), (1.0, 77.30), (0.0, 90.0)]),
            (30, 1.0, 72.0, &[(72.0, 30.0), (30.0, 30.0), (0.0, 30.0), (-5.0, 30.0)]),
        ];
        for (seconds, leeway, delta, points) in cases {
            for (left, expected) in points {
                let found = limit(seconds, leeway, Some(*left), delta);
                assert!(near(found, *expected), "T {seconds} L {leeway} δ {delta} r {left}: {found}");
            }
        }
    }

    #[test]
    fn rows_064_and_068_to_075_the_limit_of_one_call() {
        // T 15, L 1.5, δ 10, as the reference's own tests ask.
        let cases = [
            ("row 64, constant", None, 3.0, 15.0),
            ("row 68, at the delta", Some(10.0), 1.5, 15.0),
            ("row 69, at the end", Some(0.0), 1.5, 22.5),
            ("row 71, expired", Some(-5.0), 1.5, 22.5),
            ("row 72, well before the delta", Some(15.0), 1.5, 15.0),
            ("row 73, far before it", Some(54_000.0), 1.5, 15.0),
            ("row 74, never expires", None, 1.5, 15.0),
            ("row 75, no leeway", Some(10.0), 1.0, 15.0),
        ];
        for (row, left, leeway, expected) in cases {
            assert!(near(limit(15, leeway, left, 10.0), expected), "{row}");
        }
        let between = limit(15, 1.5, Some(5.0), 10.0);
        assert!(between > 15.0 && between < 22.5, "row 70");
        assert_eq!(time_limit(&config(0, 1.5), Some(0.0), 10.0), None, "0 is no limit");
        assert!(near(limit(30, 1.5, Some(1.0), 0.0), 30.0), "δ 0 before the end");
        assert!(near(limit(30, 1.5, Some(-1.0), 0.0), 45.0), "δ 0 behind the end");
    }

    #[test]
    fn row_076_a_call_near_the_end_may_take_longer() {
        let at = |left| limit(10, 1.5, left, 60.0);
        assert!(near(at(Some(60.0)), 10.0) && near(at(Some(0.0)), 15.0) && near(at(None), 10.0));
    }

    #[test]
    fn ten_refreshes_at_once_and_then_one_each_half_minute() {
        let guard = RateGuard::default();
        let start = Timestamp::from_seconds(1_000_000);
        let takes = |at: Timestamp| (0..20).filter(|_| guard.take("a", at)).count();
        assert_eq!(takes(start), 10);
        assert_eq!(takes(start.plus(Duration::from_secs(29))), 0);
        assert_eq!(takes(start.plus(Duration::from_secs(30))), 1);
        assert_eq!(takes(start.plus(Duration::from_secs(95))), 2);
        assert_eq!(takes(start.plus(Duration::from_hours(9))), 10);
        assert!(guard.take("b", start), "each credential has its own");
    }

    #[test]
    fn full_buckets_are_forgotten_when_there_are_many() {
        let guard = RateGuard::default();
        let start = Timestamp::from_seconds(1_000_000);
        for n in 0..CROWD {
            guard.take(&n.to_string(), start);
        }
        guard.take("one more", start.plus(Duration::from_hours(1)));
        assert_eq!(guard.buckets.lock().unwrap().len(), 1);
    }
}
