//! Reads policies from their text: HCL 1, JSON, or base64 of either.
//!
//! What is not understood is refused, for half a policy may grant more than its author meant. Errors say which key on
//! which line, and never repeat a path or a value.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json};
use vestal_hcl::{Body, Item, Value};
use vestal_logical::params::duration_text;

use super::capability::{Capabilities, Capability};
use super::defaults::{self, canonical_name};
use super::parameters::{ParameterValue, Parameters, TextPattern, Values};
use super::wrapping::Wrapping;

/// Why a text is no policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PolicyError(String);

/// A named set of rules.
pub struct Policy {
    name: String,
    text: String,
    root: bool,
    rules: Vec<Rule>,
}

/// What one `path` block says.
pub(super) struct Rule {
    pub(super) path: String,
    /// Whether the path holds `{{…}}`, to be filled from an identity.
    pub(super) templated: bool,
    pub(super) capabilities: Capabilities,
    pub(super) parameters: Parameters,
    pub(super) wrapping: Wrapping,
}

impl Policy {
    /// Reads a policy. The name may be in any letter case, but cannot be `root`, which has no text.
    pub fn parse(name: &str, text: &str) -> Result<Self, PolicyError> {
        let name = canonical_name(name);
        if name == defaults::ROOT {
            return Err(PolicyError("the root policy has no text".to_owned()));
        }
        let text = decoded(text)?;
        let body = vestal_hcl::parse(&text).map_err(|failure| PolicyError(failure.to_string()))?;
        let rules = rules(&body).map_err(PolicyError)?;
        Ok(Self { name, text, root: false, rules })
    }

    /// The policy that allows everything.
    pub fn root() -> Self {
        Self { name: defaults::ROOT.to_owned(), text: String::new(), root: true, rules: Vec::new() }
    }

    /// The canonical name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text, no longer in base64; empty for `root`.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether this is the policy that allows everything.
    pub fn is_root(&self) -> bool {
        self.root
    }

    pub(super) fn rules(&self) -> &[Rule] {
        &self.rules
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy").field("rules", &self.rules.len()).finish_non_exhaustive()
    }
}

/// No policy is itself base64, since each holds a brace or a quote, or nothing at all.
fn decoded(text: &str) -> Result<String, PolicyError> {
    let packed: String = text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
    match STANDARD.decode(packed) {
        Ok(bytes) if !bytes.is_empty() => {
            String::from_utf8(bytes).map_err(|_| PolicyError("the base64 text does not hold text".to_owned()))
        }
        _ => Ok(text.to_owned()),
    }
}

fn rules(body: &Body) -> Result<Vec<Rule>, String> {
    refuse_unknown(body, &["name", "path"])?;
    for name in body.all("name") {
        name.text().map_err(|mismatch| mismatch.to_string())?;
    }
    let in_place = |item: &Item, reason: String| format!("path on line {}: {reason}", item.at().line);
    body.all("path").map(|item| rule(item).map_err(|reason| in_place(item, reason))).collect()
}

/// How many unknown keys an error names, and how much of each.
const NAMED: usize = 5;
const SHOWN: usize = 64;

fn refuse_unknown(body: &Body, known: &[&str]) -> Result<(), String> {
    let mut unknown = body.unknown(known);
    let mut named: Vec<String> = unknown
        .by_ref()
        .take(NAMED)
        .map(|item| {
            let key: String = item.key().chars().take(SHOWN).collect();
            format!("invalid key `{key}` on line {}", item.at().line)
        })
        .collect();
    match unknown.count() {
        0 if named.is_empty() => return Ok(()),
        0 => {}
        more => named.push(format!("and {more} more")),
    }
    Err(named.join(", "))
}

const KEYS: [&str; 8] = [
    "capabilities",
    "policy",
    "allowed_parameters",
    "denied_parameters",
    "required_parameters",
    "min_wrapping_ttl",
    "max_wrapping_ttl",
    "comment",
];

/// Keys that narrow a rule in ways that are not built; to ignore them would grant more than was meant.
const NOT_YET: [&str; 5] =
    ["mfa_methods", "expiration", "pagination_limit", "control_group", "list_scan_response_keys_filter_path"];

fn rule(item: &Item) -> Result<Rule, String> {
    if item.labels().len() > 1 {
        return Err("a path block takes one label".to_owned());
    }
    // A block without a label is a rule for the path `path`, as it has always been.
    let path = item.label().unwrap_or("path");
    let templated = is_templated(path)?;
    if path.contains("+*") {
        return Err("invalid use of wildcards (`+*` is forbidden)".to_owned());
    }
    let body = item.body().map_err(|mismatch| mismatch.to_string())?;
    refuse_unknown(body, &[KEYS.as_slice(), NOT_YET.as_slice()].concat())?;
    for inner in NOT_YET.iter().flat_map(|key| body.all(key)) {
        if !matches!(&inner.value, Value::List(list) if list.is_empty()) {
            return Err(format!("`{}` on line {} is not supported yet", inner.key(), inner.at().line));
        }
    }
    Ok(Rule {
        path: path.to_owned(),
        templated,
        capabilities: capabilities(body)?,
        parameters: Parameters {
            allowed: parameter_values(body, "allowed_parameters")?,
            denied: parameter_values(body, "denied_parameters")?,
            required: texts(body, "required_parameters")?.iter().map(|name| name.to_lowercase()).collect(),
        },
        wrapping: wrapping(body)?,
    })
}

/// Whether a path holds templates. Each `{{` must have its `}}`, and nothing may be open inside.
fn is_templated(path: &str) -> Result<bool, String> {
    let mut parts = path.split("{{");
    let closings = |part: &str| part.matches("}}").count();
    let balanced =
        parts.next().is_none_or(|before| closings(before) == 0) && parts.all(|part| closings(part) == 1);
    if balanced { Ok(path.contains("{{")) } else { Err("unbalanced templating characters".to_owned()) }
}

fn is_empty_list(value: &Value) -> bool {
    matches!(value, Value::List(list) if list.is_empty())
        || matches!(value, Value::Object(body) if body.items.is_empty())
}

/// All texts of all lists of this key.
fn texts(body: &Body, key: &str) -> Result<Vec<String>, String> {
    let mut all = Vec::new();
    for item in body.all(key).filter(|item| !is_empty_list(&item.value)) {
        all.extend(item.texts().map_err(|mismatch| mismatch.to_string())?);
    }
    Ok(all)
}

fn capabilities(body: &Body) -> Result<Capabilities, String> {
    let mut granted = Capabilities::default();
    for (index, word) in texts(body, "capabilities")?.iter().enumerate() {
        let capability = Capability::from_word(word).ok_or_else(|| {
            let known = Capability::ALL.map(Capability::word).join(", ");
            format!("invalid capability, number {} in the list is none of {known}", index + 1)
        })?;
        granted = granted.with(capability);
    }
    let Some(item) = body.last("policy") else { return Ok(granted) };
    let old = old_policy(&item.text().map_err(|mismatch| mismatch.to_string())?).ok_or_else(|| {
        format!("invalid policy on line {}, none of deny, read, write, sudo", item.at().line)
    })?;
    Ok(granted.union(old.iter().copied().collect()))
}

/// What the words before there were capabilities stand for.
fn old_policy(word: &str) -> Option<&'static [Capability]> {
    use Capability::{Create, Delete, Deny, List, Read, Sudo, Update};
    match word {
        "" => Some(&[]),
        "deny" => Some(&[Deny]),
        "read" => Some(&[Read, List]),
        "write" => Some(&[Create, Read, Update, Delete, List]),
        "sudo" => Some(&[Create, Read, Update, Delete, List, Sudo]),
        _ => None,
    }
}

fn parameter_values(body: &Body, key: &str) -> Result<BTreeMap<String, Values>, String> {
    let mut all = BTreeMap::<String, Values>::new();
    for item in body.all(key) {
        if !item.labels().is_empty() {
            return Err(format!("`{key}` on line {} takes no labels", item.at().line));
        }
        let parameters = item.body().map_err(|mismatch| mismatch.to_string())?;
        for parameter in &parameters.items {
            let Value::List(list) = &parameter.value else {
                let line = parameter.at().line;
                return Err(format!("in `{key}` on line {line}: each parameter must be a list"));
            };
            let values = all.entry(parameter.key().to_lowercase()).or_default();
            values.0.extend(list.iter().map(parameter_value));
        }
    }
    Ok(all)
}

fn parameter_value(value: &Value) -> ParameterValue {
    match value {
        Value::Text(text) => ParameterValue::Text(TextPattern::new(text)),
        other => exact(other).map_or(ParameterValue::Never, ParameterValue::Exact),
    }
}

/// The JSON that equals this value, unless it holds a number: requests keep the text of theirs.
fn exact(value: &Value) -> Option<Json> {
    match value {
        Value::Null | Value::Integer(_) | Value::Float(_) => None,
        Value::Bool(flag) => Some(Json::Bool(*flag)),
        Value::Text(text) => Some(Json::String(text.clone())),
        Value::List(list) => list.iter().map(exact).collect::<Option<Vec<_>>>().map(Json::Array),
        Value::Object(body) => {
            let members = body.items.iter().map(|item| Some((item.key().to_owned(), exact(&item.value)?)));
            members.collect::<Option<Map<_, _>>>().map(Json::Object)
        }
    }
}

fn wrapping(body: &Body) -> Result<Wrapping, String> {
    let wrapping =
        Wrapping { min: duration(body, "min_wrapping_ttl")?, max: duration(body, "max_wrapping_ttl")? };
    if wrapping.contradicts_itself() {
        return Err("max_wrapping_ttl cannot be less than min_wrapping_ttl".to_owned());
    }
    Ok(wrapping)
}

/// A bound; zero and less bind nothing.
fn duration(body: &Body, key: &str) -> Result<Option<Duration>, String> {
    let Some(item) = body.last(key) else { return Ok(None) };
    let unreadable = |why: &str| format!("error parsing {key} on line {}: {why}", item.at().line);
    let nanos = match &item.value {
        Value::Integer(seconds) => i128::from(*seconds) * 1_000_000_000,
        Value::Float(seconds) if seconds.abs() < 1e12 => Duration::try_from_secs_f64(seconds.trunc())
            .map_or(0, |span| i128::from(span.as_secs()) * 1_000_000_000),
        Value::Text(text) => duration_text(text).map_err(unreadable)?,
        _ => return Err(unreadable("could not parse duration from input")),
    };
    let nanos = if nanos <= 0 {
        0
    } else {
        u64::try_from(nanos).map_err(|_| unreadable("the duration is too long"))?
    };
    Ok((nanos > 0).then(|| Duration::from_nanos(nanos)))
}
