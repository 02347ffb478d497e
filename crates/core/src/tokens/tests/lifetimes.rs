//! The arithmetic of ends, on any numbers.

use std::time::Duration;

use proptest::prelude::*;
use vestal_logical::Timestamp;

use super::super::entry::TokenEntry;
use super::super::lifetime::{Asked, Lifetime, MountTerms};
use crate::testing::START;

fn blank(created: Timestamp) -> TokenEntry {
    TokenEntry {
        id: String::new(),
        accessor: String::new(),
        parent: None,
        policies: Vec::new(),
        path: String::new(),
        display_name: String::new(),
        meta: None,
        num_uses: 0,
        uses_given: 0,
        created,
        ttl: 1,
        granted: 1,
        explicit_max_ttl: 0,
        period: 0,
        renewable: true,
        expires: Some(created),
        last_renewal: None,
        role: String::new(),
        entity_id: String::new(),
        revoking: false,
        spent: false,
    }
}

fn seconds() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), 1..5_u64, 1..100_000_u64, Just(9_223_372_036)]
}

proptest! {
    #[test]
    fn only_a_root_token_that_asks_for_nothing_lives_for_ever(
        ttl in seconds(), explicit_max_ttl in seconds(), period in seconds(), root: bool, default in 1..9_999_u64,
        max in 1..9_999_u64,
    ) {
        let asked = Asked { ttl, explicit_max_ttl, period, root };
        let granted = Lifetime::at_creation(asked, MountTerms { default, max }).ttl;
        let endless = root && ttl == 0 && explicit_max_ttl == 0 && period == 0;
        prop_assert_eq!(granted == 0, endless);
        if explicit_max_ttl > 0 {
            prop_assert!(granted <= explicit_max_ttl);
        }
        prop_assert!(granted <= max || (root && ttl == 0 && period == 0));
    }

    #[test]
    fn a_renewal_ends_later_than_now_and_not_past_the_maximum(
        explicit_max_ttl in seconds(), period in seconds(), granted in 1..9_999_u64, increment in seconds(),
        max in 1..99_999_u64, after in 0..200_000_000_000_000_i64, fraction in 0..1_000_000_000_i64,
    ) {
        let created = Timestamp::from_nanos(START.nanos() + fraction);
        let now = Timestamp::from_nanos(created.nanos() + after);
        let entry = TokenEntry { granted, explicit_max_ttl, period, ..blank(created) };
        let Ok(lifetime) = Lifetime::at_renewal(&entry, increment, max, now) else { return Ok(()) };
        let end = lifetime.end(&entry, max, now);
        prop_assert!(lifetime.ttl > 0 && end > now);
        prop_assert!(end <= now.plus(Duration::from_secs(max)));
        let bound = if explicit_max_ttl == 0 { max } else { max.min(explicit_max_ttl) };
        if period == 0 {
            prop_assert!(end <= created.plus(Duration::from_secs(bound)));
        } else if explicit_max_ttl > 0 {
            prop_assert!(end <= created.plus(Duration::from_secs(explicit_max_ttl)));
        }
    }
}
