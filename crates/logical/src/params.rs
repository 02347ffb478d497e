//! The leniencies that Vault's clients rely on, as types of fields (reference §1.3, core §1.4).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::{Map, Value};

use crate::Reply;
use crate::decode::{as_sent, go_type, whole_number};

/// A span of whole seconds: `300`, `"300"`, `"5m"`, `"1h30m"`, `"2d"`. Null is as if it had not been sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seconds(Option<u64>);

impl Seconds {
    /// The seconds, or nothing when the field was absent or null.
    #[must_use]
    pub fn given(self) -> Option<u64> {
        self.0
    }

    /// The seconds, or this many when the field was absent or null.
    #[must_use]
    pub fn or(self, otherwise: u64) -> u64 {
        self.0.unwrap_or(otherwise)
    }

    /// The span; zero when the field was absent or null.
    #[must_use]
    pub fn span(self) -> Duration {
        Duration::from_secs(self.or(0))
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if value.is_null() {
            return Ok(Self(None));
        }
        let nanos = duration_nanos(&value).map_err(D::Error::custom)?;
        let seconds = nanos / 1_000_000_000;
        // The fraction is cut before the sign is judged, as in the reference: `-0.5s` is 0.
        if seconds < 0 {
            return Err(D::Error::custom(format_args!("cannot provide negative value '{seconds}'")));
        }
        // Beyond this, a span of nanoseconds no longer fits 64 bits; the reference overflows here.
        match u64::try_from(seconds) {
            Ok(seconds) if seconds <= 9_223_372_036 => Ok(Self(Some(seconds))),
            _ => Err(D::Error::custom("the duration is too long")),
        }
    }
}

/// A span in nanoseconds, possibly negative, from a number of seconds or a duration text.
pub fn duration_nanos(value: &Value) -> Result<i128, &'static str> {
    const UNREADABLE: &str = "could not parse duration from input";
    match value {
        Value::Null => Ok(0),
        Value::Number(number) => whole_number(&number.to_string())
            .map(|seconds| i128::from(seconds) * 1_000_000_000)
            .ok_or(UNREADABLE),
        Value::String(text) => duration_text(text),
        _ => Err(UNREADABLE),
    }
}

/// Reads `""`, `"90"`, `"2d"` (alone) or a sequence such as `"1h30m"`.
pub fn duration_text(text: &str) -> Result<i128, &'static str> {
    if text.is_empty() {
        return Ok(0);
    }
    if let Ok(seconds) = text.parse::<i64>() {
        return Ok(i128::from(seconds) * 1_000_000_000);
    }
    if let Some(days) = text.strip_suffix('d').and_then(|days| days.parse::<i64>().ok()) {
        return Ok(i128::from(days) * 86_400_000_000_000);
    }
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let (part, next) = duration_part(rest)?;
        total = total.checked_add(part).ok_or("time: invalid duration")?;
        rest = next;
    }
    if text.len() == 1 && !text.starts_with(|c: char| c.is_ascii_digit()) {
        return Err("time: invalid duration");
    }
    Ok(sign * total)
}

/// One number with its unit, and what follows it.
fn duration_part(text: &str) -> Result<(i128, &str), &'static str> {
    const INVALID: &str = "time: invalid duration";
    let number_end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, rest) = text.split_at(number_end);
    if !number.contains(|c: char| c.is_ascii_digit()) || number.matches('.').count() > 1 {
        return Err(INVALID);
    }
    let unit_end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
    let (unit, next) = rest.split_at(unit_end);
    let scale: i128 = match unit {
        "" => return Err("time: missing unit in duration"),
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return Err("time: unknown unit in duration"),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| INVALID)? };
    let fraction: String = fraction.chars().take(15).collect();
    let power = 10_i128.pow(u32::try_from(fraction.len()).unwrap_or(0));
    let fraction: i128 = if fraction.is_empty() { 0 } else { fraction.parse().map_err(|_| INVALID)? };
    let nanos = whole
        .checked_mul(scale)
        .and_then(|whole| whole.checked_add(fraction * scale / power))
        .ok_or(INVALID)?;
    Ok((nanos, next))
}

impl JsonSchema for Seconds {
    fn schema_name() -> Cow<'static, str> {
        "Seconds".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "format": "seconds" })
    }
}

/// A list of texts: a JSON list, or one text split at commas. Parts are trimmed; empty parts stay.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CommaList(pub Vec<String>);

impl<'de> Deserialize<'de> for CommaList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let parts = match Value::deserialize(deserializer)? {
            Value::Null => Vec::new(),
            Value::String(text) if text.is_empty() => Vec::new(),
            Value::String(text) => text.split(',').map(|part| part.trim().to_owned()).collect(),
            Value::Array(items) => list_of_texts(items).map_err(D::Error::custom)?,
            Value::Object(members) if members.is_empty() => Vec::new(),
            Value::Object(members) => {
                return Err(D::Error::custom(nested_text(0, &Value::Object(members))));
            }
            scalar => vec![scalar_text(&scalar).unwrap_or_default()],
        };
        Ok(Self(parts))
    }
}

fn list_of_texts(items: Vec<Value>) -> Result<Vec<String>, String> {
    let mut parts = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        match scalar_text(&item) {
            Some(text) => parts.push(text.trim().to_owned()),
            None => return Err(nested_text(index, &item)),
        }
    }
    Ok(parts)
}

fn nested_text(index: impl std::fmt::Display, item: &Value) -> String {
    let kind = if item.is_array() { "[]interface {}" } else { "map[string]interface {}" };
    format!("1 error(s) decoding:\n\n* '[{index}]' expected type 'string', got unconvertible type '{kind}'")
}

/// The text of anything but a list or an object.
fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(if *value { "1" } else { "0" }.to_owned()),
        Value::Null => Some(String::new()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

impl JsonSchema for CommaList {
    fn schema_name() -> Cow<'static, str> {
        "CommaList".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "array", "items": { "type": "string" } })
    }
}

/// Pairs of texts: a JSON object of scalars, a list of `k=v` texts, or one `k=v` text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyValues(pub BTreeMap<String, String>);

impl<'de> Deserialize<'de> for KeyValues {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let pairs = match Value::deserialize(deserializer)? {
            Value::Null => BTreeMap::new(),
            Value::Object(members) => object_pairs(members).map_err(D::Error::custom)?,
            Value::Array(items) => {
                let texts = list_of_texts(items).map_err(D::Error::custom)?;
                texts.iter().map(|text| pair(text)).collect::<Result<_, _>>().map_err(D::Error::custom)?
            }
            Value::String(text) => [pair(&text).map_err(D::Error::custom)?].into(),
            Value::Bool(_) | Value::Number(_) => return Err(D::Error::custom("invalid key pair")),
        };
        Ok(Self(pairs))
    }
}

fn object_pairs(members: Map<String, Value>) -> Result<BTreeMap<String, String>, String> {
    members
        .into_iter()
        .map(|(key, value)| match scalar_text(&value) {
            Some(text) => Ok((key, text)),
            None => Err(nested_text(0, &value)),
        })
        .collect()
}

/// Splits at the first `=`; the key must not be empty.
fn pair(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("invalid key pair"),
    }
}

impl JsonSchema for KeyValues {
    fn schema_name() -> Cow<'static, str> {
        "KeyValues".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "additionalProperties": { "type": "string" } })
    }
}

/// An object, or null. As everywhere with these clients, an empty list is an empty object, and a list of objects is all
/// of their members.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Members(pub Option<Map<String, Value>>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let refuse = |place: &str, value: &Value| {
            Err(D::Error::custom(format_args!(
                "'{place}' expected type 'map[string]interface {{}}', got unconvertible type '{}'",
                go_type(value)
            )))
        };
        match as_sent(deserializer)? {
            Value::Null => Ok(Self(None)),
            Value::Object(members) => Ok(Self(Some(members))),
            Value::Array(items) => {
                let mut all = Map::new();
                for (index, item) in items.into_iter().enumerate() {
                    match item {
                        Value::Object(members) => all.extend(members),
                        other => return refuse(&format!("[{index}]"), &other),
                    }
                }
                Ok(Self(Some(all)))
            }
            other => refuse("", &other),
        }
    }
}

impl JsonSchema for Members {
    fn schema_name() -> Cow<'static, str> {
        "Members".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "additionalProperties": true })
    }
}

/// All input as it came, for endpoints whose fields are the user's own (kv v1, cubbyhole). Such an endpoint declares
/// no field, so none is unknown, and what its path captures is asked of the call.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Fields(pub Map<String, Value>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match as_sent(deserializer)? {
            Value::Object(members) => Ok(Self(members)),
            _ => Err(D::Error::custom("expected an object")),
        }
    }
}

impl Fields {
    /// Tells of these fields in the answer of an operation that takes none; only writes take the user's own.
    #[must_use]
    pub fn ignored_by<T>(&self, reply: Reply<T>) -> Reply<T> {
        if self.0.is_empty() {
            return reply;
        }
        let mut names: Vec<&str> = self.0.keys().map(String::as_str).collect();
        names.sort_unstable();
        reply.warn(format!("Endpoint ignored these unrecognized parameters: [{}]", names.join(" ")))
    }
}

impl JsonSchema for Fields {
    fn schema_name() -> Cow<'static, str> {
        "Fields".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "additionalProperties": true })
    }
}

/// The input of an endpoint that takes none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, JsonSchema)]
pub struct NoFields {}
