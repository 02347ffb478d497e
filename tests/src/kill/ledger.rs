//! What an authorization server wrote down of the calls to its token endpoint, held against the kills.
//!
//! A call is counted to a life of the server by its number: nothing that was sent before a kill is written down after the
//! `start` that follows it. Knows nothing of what the server under test says of itself.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::http;

/// One call.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    number: u64,
    grant: String,
    family: Option<u64>,
    /// Serial of the refresh token that came in.
    presented: Option<u64>,
    /// New tokens, not those of an earlier call once more.
    issued: bool,
}

pub(super) struct Ledger(Vec<Entry>);

impl Ledger {
    pub(super) fn of(base: &str) -> Self {
        let (_, ledger) =
            http::ask("GET", &format!("{base}/_control/ledger"), &[], None).expect("the ledger answers");
        let entries = ledger.pointer("/entries").and_then(Value::as_array).expect("entries");
        let number = |entry: &Value, name: &str| entry.get(name).and_then(Value::as_u64);
        let read = |entry: &Value| Entry {
            number: number(entry, "number").expect("a number"),
            grant: entry.get("grant").and_then(Value::as_str).expect("a grant").to_owned(),
            family: number(entry, "family"),
            presented: number(entry, "presented"),
            issued: entry.pointer("/outcome/issued").is_some(),
        };
        Self(entries.iter().map(read).collect())
    }

    /// The number of the newest call; 0 before the first.
    pub(super) fn newest(&self) -> u64 {
        self.0.last().map_or(0, |entry| entry.number)
    }

    /// The family that began with the newest code.
    pub(super) fn newest_family(&self) -> u64 {
        let code = self.0.iter().rfind(|entry| entry.grant == "authorization_code" && entry.issued);
        code.and_then(|entry| entry.family).expect("a code was accepted")
    }

    /// How many refreshes were granted.
    pub(super) fn refreshes(&self) -> usize {
        self.0.iter().filter(|entry| entry.grant == "refresh_token" && entry.issued).count()
    }

    /// Refresh tokens that were presented more than `most` times, or again though no kill had cut off the answer; each with
    /// what was wrong. `starts` are the newest calls at each start of the server.
    pub(super) fn repeated_without_kill(&self, starts: &[u64], most: usize) -> Vec<String> {
        let mut presented = BTreeMap::<u64, Vec<u64>>::new();
        for entry in &self.0 {
            if let Some(serial) = entry.presented {
                presented.entry(serial).or_default().push(entry.number);
            }
        }
        let wrong = presented.into_iter().filter_map(|(serial, calls)| {
            let apart =
                calls.is_sorted_by(|one, next| starts.iter().any(|start| (*one..*next).contains(start)));
            (calls.len() > most || !apart)
                .then(|| format!("refresh token {serial} came in calls {calls:?}, starts {starts:?}"))
        });
        wrong.collect()
    }

    /// Which start followed the kill that cut off the last answer to this family: the successor was issued before that kill,
    /// was never presented, and the token it replaced came only once before the kill. An error tells what else was the case.
    pub(super) fn cut_off(&self, family: u64, starts: &[u64]) -> Result<usize, String> {
        let calls: Vec<&Entry> = self.0.iter().filter(|entry| entry.family == Some(family)).collect();
        let last = calls.iter().rposition(|entry| entry.issued && entry.presented.is_some());
        let Some((answer, later)) = last.and_then(|at| calls.get(at..)?.split_first()) else {
            return Err(format!("no refresh of family {family} was granted: {calls:?}"));
        };
        let Some(life) = starts.iter().position(|start| *start >= answer.number) else {
            return Err(format!("no kill came after the last answer: {calls:?}, starts {starts:?}"));
        };
        let first = starts.get(life).copied().unwrap_or_default();
        let once = calls.iter().filter(|entry| entry.presented == answer.presented && entry.number <= first);
        let only_again =
            later.iter().all(|entry| entry.presented == answer.presented && entry.number > first);
        if once.count() == 1 && only_again {
            Ok(life)
        } else {
            Err(format!("more than the repetition of one call: {calls:?}, starts {starts:?}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Entry, Ledger};

    /// Calls of family 1 as (number, presented, issued); the first is a code.
    fn ledger(calls: &[(u64, u64, bool)]) -> Ledger {
        let code = Entry {
            number: 1,
            grant: "authorization_code".to_owned(),
            family: Some(1),
            presented: None,
            issued: true,
        };
        let refresh = |(number, presented, issued): &(u64, u64, bool)| Entry {
            number: *number,
            grant: "refresh_token".to_owned(),
            family: Some(1),
            presented: Some(*presented),
            issued: *issued,
        };
        Ledger(std::iter::once(code).chain(calls.iter().map(refresh)).collect())
    }

    #[test]
    fn only_an_answer_that_a_kill_cut_off_excuses_a_loss() {
        for (name, calls, starts, expected) in [
            (
                "a kill in the flight",
                &[(2, 1, true), (3, 2, true), (7, 2, false)][..],
                &[2, 5, 9][..],
                Some(1),
            ),
            ("lost, not presented again", &[(2, 1, true)], &[5], Some(0)),
            ("never refreshed", &[], &[5], None),
            ("no kill at all", &[(2, 1, true), (3, 1, false)], &[], None),
            ("twice in one life", &[(2, 1, true), (3, 1, false)], &[5], None),
            ("twice in one life, and again", &[(2, 1, true), (3, 1, false), (7, 1, false)], &[5], None),
            ("the successor had arrived", &[(2, 1, true), (7, 2, false)], &[5], None),
            ("a kill before it only", &[(6, 1, true), (7, 1, false)], &[5], None),
        ] {
            assert_eq!(ledger(calls).cut_off(1, starts).ok(), expected, "{name}");
        }
    }

    #[test]
    fn a_token_comes_again_only_after_a_kill_and_never_a_third_time() {
        for (name, calls, starts, fine) in [
            ("each once", &[(2, 1, true), (3, 2, true)][..], &[][..], true),
            ("again after a kill", &[(2, 1, true), (6, 1, false)], &[5], true),
            ("the last call before the kill", &[(2, 1, true), (3, 1, false)], &[2], true),
            ("again without one", &[(2, 1, true), (3, 1, false)], &[5], false),
            ("a third time", &[(2, 1, true), (6, 1, true), (9, 1, true)], &[5, 8], false),
        ] {
            assert_eq!(ledger(calls).repeated_without_kill(starts, 2).is_empty(), fine, "{name}");
        }
        let thrice = ledger(&[(2, 1, true), (6, 1, true), (9, 1, true)]);
        assert!(thrice.repeated_without_kill(&[5, 8], 3).is_empty(), "forgiven, and a kill between each");
        assert!(!thrice.repeated_without_kill(&[8], 3).is_empty(), "forgiven, and one kill only");
    }
}
