//! What a rule's path matches, and which of two rules that match is the better one.
//!
//! A path without wildcards is exact. `foo*` matches what begins with `foo`; a star elsewhere is a letter. A `+` that is a
//! whole segment matches any one segment, also an empty one; a `+` beside other letters is a letter.

use std::cmp::Reverse;

/// How a rule's path is matched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Pattern {
    /// Nothing but this path.
    Exact(Box<str>),
    /// Everything that begins with this.
    Prefix(Box<str>),
    /// A path that was written with `+`, in full.
    Segments(Box<str>),
}

impl Pattern {
    /// The pattern of a path as rules write it; a leading slash does not count.
    pub(crate) fn new(path: &str) -> Self {
        let path = path.strip_prefix('/').unwrap_or(path);
        if path == "+" || path.starts_with("+/") || path.contains("/+") {
            Self::Segments(path.into())
        } else {
            match path.strip_suffix('*') {
                Some(prefix) => Self::Prefix(prefix.into()),
                None => Self::Exact(path.into()),
            }
        }
    }
}

/// The order among rules that are not exact; the greatest that matches counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    /// Where the first wildcard stands.
    first_wildcard: usize,
    /// Not open at its end.
    closed: bool,
    wildcards: Reverse<usize>,
    length: usize,
    path: Box<str>,
}

impl Rank {
    pub(crate) fn of_prefix(prefix: &str) -> Self {
        Self {
            first_wildcard: prefix.len(),
            closed: false,
            wildcards: Reverse(0),
            length: prefix.len(),
            path: prefix.into(),
        }
    }

    fn of_segments(path: &str) -> Self {
        Self {
            first_wildcard: path.find('+').unwrap_or(path.len()),
            closed: !path.ends_with('*'),
            wildcards: Reverse(path.split('/').filter(|segment| *segment == "+").count()),
            length: path.len(),
            path: path.into(),
        }
    }
}

/// A path with `+`, ready to be matched.
pub(crate) struct Segments {
    /// `None` matches any segment.
    fixed: Vec<Option<Box<str>>>,
    /// How the next segment begins, when the rest is open.
    tail: Option<Box<str>>,
    pub(crate) rank: Rank,
}

impl Segments {
    pub(crate) fn new(path: &str) -> Self {
        let (closed, open) = match path.strip_suffix('*') {
            Some(open) => (open, true),
            None => (path, false),
        };
        let mut parts: Vec<&str> = closed.split('/').collect();
        let tail = if open { parts.pop().map(Box::from) } else { None };
        let fixed = parts.into_iter().map(|part| (part != "+").then(|| part.into())).collect();
        Self { fixed, tail, rank: Rank::of_segments(path) }
    }

    pub(crate) fn matches(&self, path: &str) -> bool {
        let mut parts = path.split('/');
        let fixed = self.fixed.iter().all(|wanted| {
            parts.next().is_some_and(|part| wanted.as_deref().is_none_or(|wanted| wanted == part))
        });
        fixed
            && match &self.tail {
                None => parts.next().is_none(),
                Some(tail) => parts.next().is_some_and(|part| part.starts_with(&**tail)),
            }
    }

    /// Whether it could match some path that begins with these segments (a mount's path, ending in a slash).
    pub(crate) fn reaches(&self, mount: &str) -> bool {
        let mount = mount.strip_suffix('/').unwrap_or(mount);
        let mut fixed = self.fixed.iter();
        for part in mount.split('/') {
            match (fixed.next(), &self.tail) {
                (Some(wanted), _) if wanted.as_deref().is_none_or(|wanted| wanted == part) => {}
                (None, Some(tail)) => return part.starts_with(&**tail),
                _ => return false,
            }
        }
        true
    }
}
