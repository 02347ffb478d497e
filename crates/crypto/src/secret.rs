//! Strings and bytes that do not show themselves.
//!
//! Invariants: no `Display`, no `Serialize` (writing one out goes through [`crate::exposed`], so it is
//! visible in code); `Debug` prints `[redacted]`; the memory is zeroized on drop; comparison takes the same
//! time wherever the difference is, though a difference in length shows. Copies made by others (a parser's
//! scratch space, a `String` cloned before it came here) are beyond its reach.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use zeroize::Zeroizing;

use crate::constant_time_eq;

/// What the `Debug` of everything secret prints.
pub(crate) const REDACTED: &str = "[redacted]";

/// Secret bytes: an opened record, a share, a piece of key material.
#[derive(Clone, Default)]
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Takes the bytes over; a `Vec` is moved, a slice copied.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// The bytes themselves. The caller answers for where they go.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Vec<u8>> for SecretBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self::new(bytes)
    }
}

impl PartialEq for SecretBytes {
    fn eq(&self, other: &Self) -> bool {
        constant_time_eq(self.expose(), other.expose())
    }
}

impl Eq for SecretBytes {}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

/// A secret text: a token, a password, a client secret.
///
/// It can be read from JSON but not written; where a record must hold it, the field says so:
///
/// ```
/// use vestal_crypto::SecretString;
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Stored {
///     #[serde(serialize_with = "vestal_crypto::exposed::serialize")]
///     refresh_token: SecretString,
/// }
///
/// let stored: Stored = serde_json::from_str(r#"{"refresh_token":"r-1"}"#).unwrap();
/// assert_eq!(format!("{:?}", stored.refresh_token), "[redacted]");
/// assert_eq!(serde_json::to_string(&stored).unwrap(), r#"{"refresh_token":"r-1"}"#);
/// ```
#[derive(Clone, Default)]
pub struct SecretString(Zeroizing<String>);

impl SecretString {
    /// Takes the text over; a `String` is moved, a `&str` copied.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself. The caller answers for where it goes.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// How many bytes the text has.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for SecretString {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for SecretString {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl PartialEq for SecretString {
    fn eq(&self, other: &Self) -> bool {
        constant_time_eq(self.expose().as_bytes(), other.expose().as_bytes())
    }
}

impl Eq for SecretString {}

impl fmt::Debug for SecretString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl<'de> Deserialize<'de> for SecretString {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Not `deserialize_string`: serde_json would then refuse a number itself, and quote it.
        deserializer.deserialize_any(SecretVisitor)
    }
}

/// Serde's own errors for a wrong type quote the value found; a password sent as a number must not come back
/// in a text.
struct SecretVisitor;

impl<'de> Visitor<'de> for SecretVisitor {
    type Value = SecretString;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<SecretString, E> {
        Ok(SecretString::new(text))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<SecretString, E> {
        Ok(SecretString::new(text))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<SecretString, E> {
        Err(E::custom("expected a string, found a boolean"))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<SecretString, E> {
        Err(E::custom("expected a string, found a number"))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<SecretString, E> {
        Err(E::custom("expected a string, found a number"))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<SecretString, E> {
        Err(E::custom("expected a string, found a number"))
    }

    fn visit_bytes<E: Error>(self, _: &[u8]) -> Result<SecretString, E> {
        Err(E::custom("expected a string, found bytes"))
    }

    // A number comes as a map when serde_json keeps its text.
    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<SecretString, A::Error> {
        Err(A::Error::custom("expected a string, found a number or an object"))
    }
}

impl JsonSchema for SecretString {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("SecretString")
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "password", "writeOnly": true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_equal_only_when_every_byte_is() {
        let cases =
            [("", "", true), ("a", "a", true), ("a", "b", false), ("a", "aa", false), ("ab", "aB", false)];
        for (left, right, equal) in cases {
            assert_eq!(SecretString::from(left) == SecretString::from(right), equal, "{left:?} {right:?}");
            assert_eq!(SecretBytes::new(left) == SecretBytes::new(right), equal, "{left:?} {right:?}");
        }
    }

    #[test]
    fn a_secret_of_the_wrong_type_is_refused_without_quoting_it() {
        for wrong in ["815", "-815", "8.15", "true", "[815]", r#"{"a":815}"#, "null"] {
            let direct = serde_json::from_str::<SecretString>(wrong).unwrap_err().to_string();
            let value: serde_json::Value = serde_json::from_str(wrong).unwrap();
            let through_value = serde_json::from_value::<SecretString>(value).unwrap_err().to_string();
            for text in [direct, through_value] {
                assert!(text.contains("a string"), "{wrong}: {text}");
                assert!(
                    !text.contains("815") && !text.contains("8.15") && !text.contains("true"),
                    "{wrong}: {text}"
                );
            }
        }
    }

    #[test]
    fn a_secret_reads_escapes_and_borrowed_text_alike() {
        for json in [r#""p\u00e4ss""#, r#""päss""#] {
            assert_eq!(serde_json::from_str::<SecretString>(json).unwrap().expose(), "päss");
        }
    }

    #[test]
    fn the_schema_of_a_secret_field_marks_it_write_only() {
        #[derive(JsonSchema)]
        struct Fields {
            #[expect(dead_code, reason = "only its schema is looked at")]
            token: SecretString,
            #[expect(dead_code, reason = "only its schema is looked at")]
            secret: Option<SecretString>,
        }
        let schema = serde_json::to_value(schemars::schema_for!(Fields)).unwrap();
        assert_eq!(
            schema["properties"]["token"],
            serde_json::json!({ "type": "string", "format": "password", "writeOnly": true })
        );
        assert_eq!(schema["properties"]["secret"]["writeOnly"], true);
        assert_eq!(schema["required"], serde_json::json!(["token"]));
    }
}
