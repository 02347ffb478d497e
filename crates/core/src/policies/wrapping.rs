//! How an answer must be wrapped for a rule to hold.

use std::time::Duration;

/// The bounds that a rule sets on the wish for response wrapping; any bound makes wrapping a must.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Wrapping {
    pub(crate) min: Option<Duration>,
    pub(crate) max: Option<Duration>,
}

impl Wrapping {
    /// Of two rules for the same path: the smaller of each bound.
    pub(crate) fn merge(self, other: Self) -> Self {
        let smaller = |one: Option<Duration>, two: Option<Duration>| one.into_iter().chain(two).min();
        Self { min: smaller(self.min, other.min), max: smaller(self.max, other.max) }
    }

    pub(crate) fn contradicts_itself(self) -> bool {
        matches!((self.min, self.max), (Some(min), Some(max)) if max < min)
    }

    pub(crate) fn allows(self, asked: Option<Duration>) -> bool {
        match asked {
            None => self.min.is_none() && self.max.is_none(),
            Some(asked) => self.min.is_none_or(|min| asked >= min) && self.max.is_none_or(|max| asked <= max),
        }
    }
}
