//! What a set of policies allows, compiled once per set and asked on each request.
//!
//! Exactly one rule decides about a path: the exact one, else the best that matches ([`Rank`]). Nothing is inherited from
//! wider rules; rules with the same path, of whichever policy, are one. What no rule allows is denied. Finding the
//! rule allocates nothing: exact paths and prefixes are binary searches, and paths with `+` are tried best first.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::capability::{Capabilities, Capability};
use super::defaults;
use super::parameters::Parameters;
use super::parse::{Policy, Rule};
use super::pattern::{Pattern, Rank, Segments};
use super::wrapping::Wrapping;

/// The rights of a set of policies. Immutable; share it in an `Arc`.
#[derive(Default)]
pub struct Acl {
    root: bool,
    /// Sorted by path.
    exact: Vec<(Box<str>, Grants)>,
    /// Sorted by prefix.
    prefixes: Vec<Prefix>,
    /// Best first.
    segments: Vec<(Segments, Grants)>,
}

struct Prefix {
    rank: Rank,
    text: Box<str>,
    /// The longest other prefix that this one begins with.
    parent: Option<usize>,
    grants: Grants,
}

/// All rules with one path, as one.
#[derive(Default)]
struct Grants {
    capabilities: Capabilities,
    parameters: Parameters,
    wrapping: Wrapping,
    /// Which policy grants what here.
    sources: Vec<(Arc<str>, Capabilities)>,
}

/// What a request wants, as far as policies care.
#[derive(Debug, Clone, Copy)]
pub struct AclRequest<'a> {
    /// What the operation asks for; a write that makes something new asks for [`Capability::Create`].
    pub capability: Capability,
    /// The full path without `/v1/`; for a list it ends in a slash.
    pub path: &'a str,
    /// Its parameters.
    pub data: &'a Map<String, Value>,
    /// How long the wrapping token shall live, if the answer shall be wrapped.
    pub wrap_ttl: Option<Duration>,
    /// Whether the path is one of those that ask for `sudo` as well.
    pub needs_sudo: bool,
}

/// Whether a request may go on, and thanks to whom.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decision {
    /// Whether it may.
    pub allowed: bool,
    /// Whether the caller has `sudo` there; root always has.
    pub sudo: bool,
    /// The policies that allow it, for audit; none if it is denied.
    pub granting: Vec<String>,
}

impl fmt::Debug for Acl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules = self.exact.len() + self.prefixes.len() + self.segments.len();
        f.debug_struct("Acl").field("root", &self.root).field("paths", &rules).finish_non_exhaustive()
    }
}

impl Acl {
    /// The rights of these policies together. Rules with templates are left out: there is no identity to fill them with.
    pub fn compile(policies: &[Arc<Policy>]) -> Self {
        let mut paths: BTreeMap<Pattern, Grants> = BTreeMap::new();
        for policy in policies {
            let name: Arc<str> = policy.name().into();
            for rule in policy.rules().iter().filter(|rule| !rule.templated) {
                paths.entry(Pattern::new(&rule.path)).or_default().add(&name, rule);
            }
        }
        let mut acl = Self { root: policies.iter().any(|policy| policy.is_root()), ..Self::default() };
        for (pattern, grants) in paths {
            match pattern {
                Pattern::Exact(path) => acl.exact.push((path, grants)),
                Pattern::Prefix(text) => acl.push_prefix(text, grants),
                Pattern::Segments(path) => acl.segments.push((Segments::new(&path), grants)),
            }
        }
        acl.segments.sort_by(|(one, _), (two, _)| two.rank.cmp(&one.rank));
        acl
    }

    /// Takes prefixes in their order.
    fn push_prefix(&mut self, text: Box<str>, grants: Grants) {
        let parent = self.longest_prefix(self.prefixes.len(), &text);
        self.prefixes.push(Prefix { rank: Rank::of_prefix(&text), text, parent, grants });
    }

    /// The longest prefix of `path` among the first `count`, all of which must not be greater than `path`.
    ///
    /// Between a prefix of the path and the path itself stands only what begins with that prefix; so the answer is the
    /// last of them, or what it begins with.
    fn longest_prefix(&self, count: usize, path: &str) -> Option<usize> {
        let mut candidate = count.checked_sub(1);
        while let Some(index) = candidate {
            let prefix = self.prefixes.get(index)?;
            if path.starts_with(&*prefix.text) {
                return candidate;
            }
            candidate = prefix.parent;
        }
        None
    }

    /// Whether the caller may do anything at all.
    pub fn is_root(&self) -> bool {
        self.root
    }

    /// Decides about a request.
    pub fn allow(&self, request: &AclRequest<'_>) -> Decision {
        if self.root {
            return Decision { allowed: true, sudo: true, granting: vec![defaults::ROOT.to_owned()] };
        }
        let wanted = request.capability;
        let Some(grants) = self.find(request.path, wanted == Capability::List) else {
            return Decision::default();
        };
        let sudo = grants.capabilities.contains(Capability::Sudo);
        let allowed = grants.capabilities.contains(wanted)
            && (sudo || !request.needs_sudo)
            && grants.wrapping.allows(request.wrap_ttl)
            && (!has_parameters(wanted) || grants.parameters.allow(request.data));
        let granting = if allowed { grants.granting(wanted) } else { Vec::new() };
        Decision { allowed, sudo, granting }
    }

    /// The capabilities at a path, sorted, as `sys/capabilities` answers.
    pub fn capabilities(&self, path: &str) -> Vec<&'static str> {
        if self.root {
            return vec![defaults::ROOT];
        }
        let found = self.find(path.trim_start_matches('/'), true);
        let capabilities = found.map(|grants| grants.capabilities).unwrap_or_default();
        if capabilities.grants() {
            capabilities.iter().map(Capability::word).collect()
        } else {
            vec![Capability::Deny.word()]
        }
    }

    /// Whether anything is granted at or below a mount's path (which ends in a slash): may the caller know of the mount?
    pub fn reaches_into(&self, mount: &str) -> bool {
        let at = |path: &str| self.find(path, true).is_some_and(|grants| grants.capabilities.grants());
        let below = |path: &str, grants: &Grants| path.starts_with(mount) && grants.capabilities.grants();
        self.root
            || at(mount)
            || self.exact.iter().any(|(path, grants)| below(path, grants))
            || self.prefixes.iter().any(|prefix| below(&prefix.text, &prefix.grants))
            || self
                .segments
                .iter()
                .any(|(segments, grants)| grants.capabilities.grants() && segments.reaches(mount))
    }

    /// The one rule that decides. A list is asked with its slash first, then, if nothing matches, without.
    fn find(&self, path: &str, list: bool) -> Option<&Grants> {
        let bare = if list { path.strip_suffix('/') } else { None };
        self.find_exact(path)
            .or_else(|| bare.and_then(|bare| self.find_exact(bare)))
            .or_else(|| self.find_best(path))
            .or_else(|| bare.and_then(|bare| self.find_best(bare)))
    }

    fn find_exact(&self, path: &str) -> Option<&Grants> {
        let index = self.exact.binary_search_by(|(known, _)| (**known).cmp(path)).ok()?;
        self.exact.get(index).map(|(_, grants)| grants)
    }

    fn find_best(&self, path: &str) -> Option<&Grants> {
        let not_greater = self.prefixes.partition_point(|prefix| *prefix.text <= *path);
        let prefix = self.longest_prefix(not_greater, path).and_then(|index| self.prefixes.get(index));
        let better = self
            .segments
            .iter()
            .take_while(|(segments, _)| prefix.is_none_or(|prefix| segments.rank > prefix.rank))
            .find(|(segments, _)| segments.matches(path));
        better.map(|(_, grants)| grants).or(prefix.map(|prefix| &prefix.grants))
    }
}

/// Parameter rules are for what sends or asks by parameters.
fn has_parameters(wanted: Capability) -> bool {
    matches!(wanted, Capability::Read | Capability::Create | Capability::Update | Capability::Patch)
}

impl Grants {
    fn add(&mut self, policy: &Arc<str>, rule: &Rule) {
        self.capabilities = self.capabilities.union(rule.capabilities);
        self.parameters.merge(&rule.parameters);
        self.wrapping = self.wrapping.merge(rule.wrapping);
        match self.sources.iter_mut().find(|(name, _)| name == policy) {
            Some((_, capabilities)) => *capabilities = capabilities.union(rule.capabilities),
            None => self.sources.push((Arc::clone(policy), rule.capabilities)),
        }
    }

    fn granting(&self, wanted: Capability) -> Vec<String> {
        let sources = self.sources.iter().filter(|(_, capabilities)| capabilities.contains(wanted));
        sources.map(|(name, _)| name.to_string()).collect()
    }
}
