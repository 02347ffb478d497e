//! Input fields that carry secrets, read as leniently as other texts.
//!
//! Knows nothing of what the secrets are for.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};
use vestal_crypto::SecretString;
use vestal_logical::params::CommaList;

/// One secret text.
#[derive(Debug, Clone, Default)]
pub(crate) struct SecretText(pub(crate) SecretString);

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(SecretString::new(text)))
    }
}

impl JsonSchema for SecretText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        SecretString::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        SecretString::json_schema(generator)
    }
}

/// Several secret texts, as a list or separated by commas; empty ones stay.
#[derive(Debug, Clone, Default)]
pub(crate) struct SecretList(pub(crate) Vec<SecretString>);

impl<'de> Deserialize<'de> for SecretList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let CommaList(texts) = CommaList::deserialize(deserializer)?;
        Ok(Self(texts.into_iter().map(SecretString::new).collect()))
    }
}

impl JsonSchema for SecretList {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "SecretList".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "array",
            "items": { "type": "string", "format": "password", "writeOnly": true },
            "writeOnly": true
        })
    }
}
