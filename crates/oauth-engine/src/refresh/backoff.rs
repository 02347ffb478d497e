//! Says how long to wait after a failure.
//!
//! Invariants: waits grow and are bounded; a provider's own wish is honoured when it is longer. Knows nothing of what
//! failed.

use std::time::Duration;

use super::lead::spread;

/// A wish of a provider's is honoured up to this.
const LONGEST_WISH: Duration = Duration::from_hours(24);

/// Waits that double from `first` up to `most`, spread by a fifth.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backoff {
    pub(crate) first: Duration,
    pub(crate) most: Duration,
}

/// A credential whose attempt failed.
pub(crate) const CREDENTIAL: Backoff =
    Backoff { first: Duration::from_secs(5), most: Duration::from_mins(10) };
/// A server that does not serve.
pub(crate) const SERVER: Backoff = Backoff { first: Duration::from_secs(2), most: Duration::from_mins(5) };
/// A store that does not take what must not be lost.
pub(crate) const SETTLE: Backoff = Backoff { first: Duration::from_millis(50), most: Duration::from_secs(5) };
/// A store that cannot be read for a background task.
pub(crate) const STORE: Backoff =
    Backoff { first: Duration::from_millis(200), most: Duration::from_secs(30) };

impl Backoff {
    /// The wait after the `failures`th failure in a row, counted from 1; the same for the same `who`.
    pub(crate) fn after(self, failures: u32, who: &str) -> Duration {
        let doubled = self.first.saturating_mul(1 << failures.saturating_sub(1).min(20)).min(self.most);
        let share = f64::from(spread(who, u64::from(failures))) / f64::from(u32::MAX);
        doubled.mul_f64(0.8 + 0.2 * share)
    }

    /// As [`after`](Self::after), but not shorter than the provider asked for.
    pub(crate) fn after_wish(self, failures: u32, who: &str, wish: Option<Duration>) -> Duration {
        self.after(failures, who).max(wish.unwrap_or_default().min(LONGEST_WISH))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_their_bound_and_stay_there() {
        let mut last = Duration::ZERO;
        for failures in 1..=60 {
            let wait = CREDENTIAL.after(failures, "");
            assert!(wait <= CREDENTIAL.most && wait >= CREDENTIAL.first.mul_f64(0.8));
            assert!(wait >= last.mul_f64(0.8), "failure {failures}");
            last = wait;
        }
        assert!(last >= CREDENTIAL.most.mul_f64(0.8));
    }

    #[test]
    fn a_longer_wish_of_the_provider_wins_and_an_absurd_one_is_cut() {
        let wish = Some(Duration::from_mins(30));
        assert_eq!(SERVER.after_wish(1, "s", wish), Duration::from_mins(30));
        assert!(SERVER.after_wish(1, "s", Some(Duration::ZERO)) <= SERVER.first);
        assert_eq!(SERVER.after_wish(1, "s", Some(Duration::MAX)), LONGEST_WISH);
    }
}
