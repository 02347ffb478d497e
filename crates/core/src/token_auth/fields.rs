//! The forms in which clients send what only token endpoints take.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer};
use serde_json::Value;
use vestal_crypto::SecretString;
use vestal_logical::Error;
use vestal_logical::params::duration_nanos;

/// A token or nothing: null and the empty text are nothing.
#[derive(Default)]
pub(crate) struct GivenToken(Option<SecretString>);

impl GivenToken {
    /// The token, if one was given.
    pub(crate) fn given(&self) -> Option<&SecretString> {
        self.0.as_ref()
    }
}

impl<'de> Deserialize<'de> for GivenToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A number for a token is a mistake: to revoke it must not look like a success.
        let text = match Value::deserialize(deserializer)? {
            Value::Null => String::new(),
            Value::String(text) => text,
            Value::Number(_) => return Err(serde::de::Error::custom(unconvertible("json.Number"))),
            Value::Bool(_) => return Err(serde::de::Error::custom(unconvertible("bool"))),
            Value::Array(_) => return Err(serde::de::Error::custom(unconvertible("[]interface {}"))),
            Value::Object(_) => {
                return Err(serde::de::Error::custom(unconvertible("map[string]interface {}")));
            }
        };
        Ok(Self((!text.is_empty()).then(|| SecretString::new(text))))
    }
}

impl JsonSchema for GivenToken {
    fn schema_name() -> Cow<'static, str> {
        "Token".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        SecretString::json_schema(generator)
    }
}

/// A token's id of the caller's choice, where numbers are taken for texts.
#[derive(Default)]
pub(super) struct ChosenId(Option<SecretString>);

impl ChosenId {
    /// The id, if one was given.
    pub(super) fn given(&self) -> Option<&SecretString> {
        self.0.as_ref()
    }
}

impl<'de> Deserialize<'de> for ChosenId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = match Value::deserialize(deserializer)? {
            Value::Number(number) => Value::String(number.to_string()),
            Value::Bool(value) => Value::String(if value { "1" } else { "0" }.to_owned()),
            other => other,
        };
        GivenToken::deserialize(value).map(|id| Self(id.0)).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for ChosenId {
    fn schema_name() -> Cow<'static, str> {
        GivenToken::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        GivenToken::json_schema(generator)
    }
}

fn unconvertible(kind: &str) -> String {
    format!("'' expected type 'string', got unconvertible type '{kind}'")
}

/// A list of texts, or one text that is its only member: here nothing is split at commas.
#[derive(Default)]
pub(super) struct TextList(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for TextList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = |value: Value| match value {
            Value::String(text) => Ok(text),
            Value::Number(number) => Ok(number.to_string()),
            Value::Bool(value) => Ok(if value { "1" } else { "0" }.to_owned()),
            Value::Null => Ok(String::new()),
            Value::Array(_) | Value::Object(_) => Err(serde::de::Error::custom("expected a list of texts")),
        };
        match Value::deserialize(deserializer)? {
            Value::Null => Ok(Self::default()),
            Value::String(only) if only.is_empty() => Ok(Self::default()),
            Value::Object(members) if members.is_empty() => Ok(Self::default()),
            Value::Array(items) => Ok(Self(items.into_iter().map(text).collect::<Result<_, _>>()?)),
            only => Ok(Self(vec![text(only)?])),
        }
    }
}

impl JsonSchema for TextList {
    fn schema_name() -> Cow<'static, str> {
        "TextList".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "array", "items": { "type": "string" } })
    }
}

/// A span in nanoseconds whose faults the endpoint itself names. Null and the empty text are nothing.
pub(super) struct Span(Result<i128, &'static str>);

impl Default for Span {
    fn default() -> Self {
        Self(Ok(0))
    }
}

impl Span {
    /// Whole seconds; what is less than one counts as one, for 0 is nothing.
    pub(super) fn seconds(&self, field: &str) -> Result<u64, Error> {
        const LONGEST: u64 = 9_223_372_036;
        match self.0 {
            Err(reason) => Err(Error::invalid(format!("`{field}`: {reason}"))),
            Ok(nanos) if nanos < 0 => Err(Error::invalid(format!("{field} must be positive"))),
            Ok(0) => Ok(0),
            Ok(nanos) => match u64::try_from((nanos / 1_000_000_000).max(1)) {
                Ok(seconds) if seconds <= LONGEST => Ok(seconds),
                _ => Err(Error::invalid(format!("`{field}` is too long"))),
            },
        }
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The field is a text, and only then read as a span.
        let value = match Value::deserialize(deserializer)? {
            Value::Bool(value) => Value::from(u8::from(value)),
            Value::Array(_) => return Err(serde::de::Error::custom(unconvertible("[]interface {}"))),
            Value::Object(_) => {
                return Err(serde::de::Error::custom(unconvertible("map[string]interface {}")));
            }
            Value::Number(number) => Value::String(number.to_string()),
            other => other,
        };
        Ok(Self(duration_nanos(&value)))
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "format": "seconds" })
    }
}
