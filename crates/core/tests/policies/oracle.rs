//! A second implementation, slow and simple, that must agree: it looks at every rule and compares them two by two, by the
//! sentences of core §3.4 in `docs/references.md`.

use std::cmp::Ordering;

use proptest::prelude::*;
use serde_json::{Map, Value};

use crate::{Ask, acl};

/// Parameters and the values listed for them.
type Listed = Vec<(&'static str, Vec<&'static str>)>;

#[derive(Debug, Clone, Default)]
struct Rule {
    path: String,
    words: Vec<&'static str>,
    allowed: Listed,
    denied: Listed,
    required: Vec<&'static str>,
    min_wrap: Option<u64>,
    max_wrap: Option<u64>,
}

impl Rule {
    fn text(&self) -> String {
        let parameters = |key: &str, list: &[(&str, Vec<&str>)]| {
            let one = |(name, values): &(&str, Vec<&str>)| format!("{name:?} = {values:?}");
            format!("{key} = {{ {} }}\n", list.iter().map(one).collect::<Vec<_>>().join(", "))
        };
        let bound =
            |key: &str, bound: Option<u64>| bound.map_or(String::new(), |bound| format!("{key} = {bound}\n"));
        format!(
            "path {:?} {{\ncapabilities = {:?}\n{}{}required_parameters = {:?}\n{}{}}}\n",
            self.path,
            self.words,
            parameters("allowed_parameters", &self.allowed),
            parameters("denied_parameters", &self.denied),
            self.required,
            bound("min_wrapping_ttl", self.min_wrap),
            bound("max_wrapping_ttl", self.max_wrap),
        )
    }

    fn path(&self) -> &str {
        self.path.strip_prefix('/').unwrap_or(&self.path)
    }

    fn is_segmented(&self) -> bool {
        format!("/{}", self.path()).contains("/+")
    }

    fn is_exact(&self) -> bool {
        !self.is_segmented() && !self.path().ends_with('*')
    }

    fn matches(&self, asked: &str) -> bool {
        fn segments(rule: &[&str], asked: &[&str], open: bool) -> bool {
            match (rule, asked) {
                ([last], [first, ..]) if open => first.starts_with(last),
                ([], []) => true,
                ([rule, rest @ ..], [asked, others @ ..]) => {
                    (*rule == "+" || rule == asked) && segments(rest, others, open)
                }
                _ => false,
            }
        }
        let open = self.path().ends_with('*');
        let path = self.path().strip_suffix('*').unwrap_or(self.path());
        if self.is_segmented() {
            let parts = |text| str::split(text, '/').collect::<Vec<_>>();
            segments(&parts(path), &parts(asked), open)
        } else if open {
            asked.starts_with(path)
        } else {
            asked == path
        }
    }

    /// Greater is better.
    fn compare(&self, other: &Self) -> Ordering {
        let first = |rule: &Self| {
            // The first wildcard: of a prefix it is its star, of a path with `+` its first `+`.
            if rule.is_segmented() { rule.path().find('+').unwrap() } else { rule.path().len() - 1 }
        };
        let closed = |rule: &Self| !rule.path().ends_with('*');
        let wildcards = |rule: &Self| rule.path().split('/').filter(|part| *part == "+").count();
        first(self)
            .cmp(&first(other))
            .then_with(|| closed(self).cmp(&closed(other)))
            .then_with(|| wildcards(other).cmp(&wildcards(self)))
            .then_with(|| self.path().len().cmp(&other.path().len()))
            .then_with(|| self.path().cmp(other.path()))
    }
}

/// All rules that decide: they have one and the same path.
fn deciding<'a>(rules: &'a [Rule], asked: &str, list: bool) -> Vec<&'a Rule> {
    let bare = asked.strip_suffix('/').filter(|_| list);
    let forms = || [Some(asked), bare].into_iter().flatten();
    let exact = forms().find_map(|form| rules.iter().find(|rule| rule.is_exact() && rule.matches(form)));
    let best = exact.or_else(|| {
        forms().find_map(|form| {
            let wild = rules.iter().filter(|rule| !rule.is_exact() && rule.matches(form));
            wild.max_by(|one, two| one.compare(two))
        })
    });
    best.map_or_else(Vec::new, |best| rules.iter().filter(|rule| rule.path() == best.path()).collect())
}

fn words(rules: &[&Rule]) -> Vec<&'static str> {
    let mut words: Vec<_> = rules.iter().flat_map(|rule| rule.words.clone()).collect();
    words.sort_unstable();
    words.dedup();
    if words.is_empty() || words.contains(&"deny") { vec!["deny"] } else { words }
}

/// The values that any of the rules lists for a parameter; none at all if one of them lists none.
fn listed(rules: &[&Rule], of: fn(&Rule) -> &Listed, name: &str) -> Option<Vec<&'static str>> {
    // Within one rule, a name in two spellings is one list.
    let per_rule: Vec<Vec<&str>> = rules
        .iter()
        .filter_map(|rule| {
            let lists: Vec<_> =
                of(rule).iter().filter(|(known, _)| known.eq_ignore_ascii_case(name)).collect();
            (!lists.is_empty()).then(|| lists.iter().flat_map(|(_, values)| values.clone()).collect())
        })
        .collect();
    if per_rule.is_empty() {
        None
    } else if per_rule.iter().any(Vec::is_empty) {
        Some(Vec::new())
    } else {
        Some(per_rule.concat())
    }
}

fn value_matches(pattern: &str, sent: &Value) -> bool {
    let Value::String(sent) = sent else { return false };
    match (pattern.len() > 1 && pattern.starts_with('*'), pattern.len() > 1 && pattern.ends_with('*')) {
        (true, true) => sent.contains(&pattern[1..pattern.len() - 1]),
        (true, false) => sent.ends_with(&pattern[1..]),
        (false, true) => sent.starts_with(&pattern[..pattern.len() - 1]),
        (false, false) => sent == pattern,
    }
}

fn parameters_allow(rules: &[&Rule], data: &Map<String, Value>) -> bool {
    let missing = |name: &&str| !data.contains_key(&name.to_lowercase());
    if rules.iter().flat_map(|rule| &rule.required).any(missing) {
        return false;
    }
    let includes = |values: &[&str], sent: &Value| {
        values.is_empty() || values.iter().any(|value| value_matches(value, sent))
    };
    let denied = |rule: &Rule| -> bool { !rule.denied.is_empty() };
    if !data.is_empty() && rules.iter().any(|rule| denied(rule)) {
        if listed(rules, |rule| &rule.denied, "*").is_some() {
            return false;
        }
        for (name, sent) in data {
            if listed(rules, |rule| &rule.denied, name).is_some_and(|values| includes(&values, sent)) {
                return false;
            }
        }
    }
    if rules.iter().all(|rule| rule.allowed.is_empty()) {
        return true;
    }
    data.iter().all(|(name, sent)| match listed(rules, |rule| &rule.allowed, name) {
        Some(values) => includes(&values, sent),
        None => listed(rules, |rule| &rule.allowed, "*").is_some(),
    })
}

fn wrapping_allows(rules: &[&Rule], wrap: Option<u64>) -> bool {
    let min = rules.iter().filter_map(|rule| rule.min_wrap).filter(|bound| *bound > 0).min();
    let max = rules.iter().filter_map(|rule| rule.max_wrap).filter(|bound| *bound > 0).min();
    match (min, max, wrap) {
        (None, None, _) => true,
        (_, _, None) => false,
        (min, max, Some(wrap)) => min.is_none_or(|min| wrap >= min) && max.is_none_or(|max| wrap <= max),
    }
}

const WORDS: [&str; 9] = ["create", "read", "update", "delete", "list", "patch", "sudo", "scan", "deny"];

fn rule_path() -> impl Strategy<Value = String> {
    let segment = prop::sample::select(vec!["a", "b", "ab", "+", "+", "", "a+", "+b", "a*", "*", "{x}"]);
    let end = prop::sample::select(vec!["", "", "", "*", "/", "/*"]);
    let start = prop::sample::select(vec!["", "", "", "/"]);
    (start, prop::collection::vec(segment, 1..5), end)
        .prop_map(|(start, segments, end)| format!("{start}{}{end}", segments.join("/")))
        .prop_filter("what is no path", |path| !path.contains("+*"))
}

fn asked_path() -> impl Strategy<Value = String> {
    let segment = prop::sample::select(vec!["a", "b", "ab", "abx", "", "+", "a+", "a*", "{x}"]);
    (prop::collection::vec(segment, 1..5), any::<bool>())
        .prop_map(|(segments, slash)| segments.join("/") + if slash { "/" } else { "" })
}

fn parameters() -> impl Strategy<Value = Listed> {
    let name = prop::sample::select(vec!["a", "A", "b", "c", "*"]);
    let value = prop::sample::select(vec!["x", "y", "x*", "*x", "*x*", "*", "**", ""]);
    let one = (name, prop::collection::vec(value, 0..3));
    prop_oneof![2 => Just(Vec::new()), 1 => prop::collection::vec(one, 0..3)]
}

fn full_rule(path: impl Strategy<Value = String>) -> impl Strategy<Value = Rule> {
    let words = prop::collection::vec(prop::sample::select(WORDS[..8].to_vec()), 1..6);
    let required = prop::collection::vec(prop::sample::select(vec!["a", "B"]), 0..2);
    let bound = |range: std::ops::Range<u64>| prop_oneof![3 => Just(None), 1 => range.prop_map(Some)];
    (path, words, parameters(), parameters(), required, bound(0..20), bound(20..40)).prop_map(
        |(path, words, allowed, denied, required, min_wrap, max_wrap)| {
            // A bound of zero binds nothing.
            Rule { path, words, allowed, denied, required, min_wrap, max_wrap }
        },
    )
}

fn texts(policies: &[Vec<Rule>]) -> Vec<String> {
    policies.iter().map(|rules| rules.iter().map(Rule::text).collect()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn capabilities_are_those_of_the_best_rule(
        policies in prop::collection::vec(
            prop::collection::vec(
                (rule_path(), prop::collection::vec(prop::sample::select(WORDS.to_vec()), 0..3))
                    .prop_map(|(path, words)| Rule { path, words, ..Rule::default() }),
                0..6,
            ),
            1..4,
        ),
        asked in prop::collection::vec(asked_path(), 8),
    ) {
        let acl = acl(&texts(&policies));
        let rules = policies.concat();
        for path in &asked {
            let bare = path.trim_start_matches('/');
            prop_assert_eq!(acl.capabilities(path), words(&deciding(&rules, bare, true)), "{}", path);
            for word in &WORDS[..8] {
                let expected = words(&deciding(&rules, path, *word == "list")).contains(word);
                prop_assert_eq!(Ask::new(word, path).allowed(&acl), expected, "{} {}", word, path);
            }
        }
    }

    #[test]
    fn a_denial_by_the_best_rule_holds_for_every_operation(
        path in rule_path(),
        others in prop::collection::vec(rule_path(), 0..5),
        asked in asked_path(),
    ) {
        let all = WORDS[..8].to_vec();
        let mut rules: Vec<Rule> =
            others.into_iter().map(|path| Rule { path, words: all.clone(), ..Rule::default() }).collect();
        rules.push(Rule { path, words: vec!["deny"], ..Rule::default() });
        let acl = acl(&texts(&[rules.clone()]));
        for word in all {
            if words(&deciding(&rules, &asked, word == "list")) == ["deny"] {
                prop_assert!(!Ask::new(word, &asked).allowed(&acl), "{} {}", word, asked);
            }
        }
    }

    #[test]
    fn requests_are_held_against_all_rules_of_the_path(
        policies in prop::collection::vec(
            prop::collection::vec(full_rule(prop::sample::select(vec!["x", "x", "*", "+"]).prop_map(str::to_owned)), 0..3),
            1..3,
        ),
        word in prop::sample::select(WORDS[..6].to_vec()),
        data in prop::collection::btree_map(
            prop::sample::select(vec!["a", "A", "b", "c", "d"]),
            prop::sample::select(vec!["\"x\"", "\"xy\"", "\"y\"", "\"*\"", "\"\"", "1", "true"]),
            0..3,
        ),
        wrap in prop_oneof![Just(None), (0_u64..50).prop_map(Some)],
        needs_sudo: bool,
    ) {
        let data: Map<String, Value> =
            data.into_iter().map(|(name, value)| (name.to_owned(), serde_json::from_str(value).unwrap())).collect();
        let rules = policies.concat();
        let deciding = deciding(&rules, "x", word == "list");
        let granted = words(&deciding);
        let by_parameters = matches!(word, "list" | "delete") || parameters_allow(&deciding, &data);
        let expected = granted.contains(&word)
            && (!needs_sudo || granted.contains(&"sudo"))
            && wrapping_allows(&deciding, wrap)
            && by_parameters;
        let decision = Ask { data, wrap, needs_sudo, ..Ask::new(word, "x") }.of(&acl(&texts(&policies)));
        prop_assert_eq!(decision.allowed, expected, "{:#?}", rules);
        prop_assert_eq!(!decision.granting.is_empty(), expected);
    }

    #[test]
    fn no_text_makes_the_policy_reader_panic(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "path", " \"a/*\" ", "\"{{x\" ", "{", "}", "capabilities", "allowed_parameters", "min_wrapping_ttl", " = ",
                "[\"read\"]", "[", "]", "\"1h\"", "-1", "9e99", "\n", "{\"path\":", "cGF0aA==", "policy",
            ]),
            0..20,
        ),
        text: String,
    ) {
        let _ = vestal_core::policies::Policy::parse(&text, &pieces.concat());
        let _ = vestal_core::policies::Policy::parse("p", &text);
    }
}
