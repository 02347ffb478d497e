//! Which parameters, with which values, a request may, must and must not carry.
//!
//! Names are compared without regard to letter case where that makes a rule stricter: a request cannot slip past a
//! denial by writing `Name`, and cannot meet a requirement by it either, since no engine would read `Name` as `name`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// Stands for every parameter that is not named.
const ANY_NAME: &str = "*";

/// The parameter rules of a path.
#[derive(Clone, Default)]
pub(crate) struct Parameters {
    /// When there are any, nothing else may be sent.
    pub(crate) allowed: BTreeMap<String, Values>,
    pub(crate) denied: BTreeMap<String, Values>,
    pub(crate) required: BTreeSet<String>,
}

/// Values of one parameter; none means any.
#[derive(Clone, Default)]
pub(crate) struct Values(pub(crate) Vec<ParameterValue>);

/// One value that a policy names.
#[derive(Clone)]
pub(crate) enum ParameterValue {
    /// A text, perhaps with a star at either end.
    Text(TextPattern),
    /// A boolean, a list or an object.
    Exact(Value),
    /// A number, or something with a number in it: no request holds what a policy means by it.
    Never,
}

impl Parameters {
    /// Of two rules for the same path: what either forbids or asks for, and what either allows.
    pub(crate) fn merge(&mut self, other: &Self) {
        merge_values(&mut self.allowed, &other.allowed);
        merge_values(&mut self.denied, &other.denied);
        self.required.extend(other.required.iter().cloned());
    }

    pub(crate) fn allow(&self, data: &Map<String, Value>) -> bool {
        if !self.required.iter().all(|name| data.contains_key(name)) {
            return false;
        }
        if data.is_empty() || (self.denied.is_empty() && self.allowed.is_empty()) {
            return true;
        }
        !self.deny(data) && self.permit(data)
    }

    fn deny(&self, data: &Map<String, Value>) -> bool {
        self.denied.contains_key(ANY_NAME)
            || data.iter().any(|(name, value)| {
                self.denied.get(lower(name).as_ref()).is_some_and(|values| values.include(value))
            })
    }

    fn permit(&self, data: &Map<String, Value>) -> bool {
        self.allowed.is_empty()
            || data.iter().all(|(name, value)| match self.allowed.get(lower(name).as_ref()) {
                Some(values) => values.include(value),
                None => self.allowed.contains_key(ANY_NAME),
            })
    }
}

fn merge_values(into: &mut BTreeMap<String, Values>, from: &BTreeMap<String, Values>) {
    for (name, values) in from {
        match into.get_mut(name) {
            None => {
                into.insert(name.clone(), values.clone());
            }
            Some(known) if known.0.is_empty() || values.0.is_empty() => known.0.clear(),
            Some(known) => known.0.extend(values.0.iter().cloned()),
        }
    }
}

fn lower(name: &str) -> Cow<'_, str> {
    if name.chars().any(char::is_uppercase) { Cow::Owned(name.to_lowercase()) } else { Cow::Borrowed(name) }
}

impl Values {
    fn include(&self, sent: &Value) -> bool {
        self.0.is_empty() || self.0.iter().any(|value| value.matches(sent))
    }
}

impl ParameterValue {
    fn matches(&self, sent: &Value) -> bool {
        match self {
            Self::Text(pattern) => sent.as_str().is_some_and(|text| pattern.matches(text)),
            Self::Exact(value) => value == sent,
            Self::Never => false,
        }
    }
}

/// A text whose first or last character may be a star that stands for anything. A star alone is just a star.
#[derive(Clone)]
pub(crate) struct TextPattern {
    middle: String,
    open_start: bool,
    open_end: bool,
}

impl TextPattern {
    pub(crate) fn new(text: &str) -> Self {
        let middle = text.strip_prefix('*').unwrap_or(text);
        let open_start = text != "*" && middle.len() < text.len();
        let inner = middle.strip_suffix('*').unwrap_or(middle);
        let open_end = text != "*" && inner.len() < middle.len();
        let middle = if text == "*" { text } else { inner };
        Self { middle: middle.to_owned(), open_start, open_end }
    }

    pub(crate) fn matches(&self, text: &str) -> bool {
        match (self.open_start, self.open_end) {
            (false, false) => text == self.middle,
            (true, false) => text.ends_with(&self.middle),
            (false, true) => text.starts_with(&self.middle),
            (true, true) => text.contains(&self.middle),
        }
    }
}
