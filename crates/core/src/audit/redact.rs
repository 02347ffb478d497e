//! Turns values into salted HMACs: keys of objects, numbers, booleans and null stay readable, texts do not.

use serde_json::{Map, Value};
use vestal_crypto::Salt;

/// How one device shows values.
pub(super) struct Redactor<'a> {
    pub(super) salt: &'a Salt,
    /// The device was told to write values as they are.
    pub(super) raw: bool,
    /// Whether accessors are hashed.
    pub(super) hash_accessors: bool,
}

impl Redactor<'_> {
    /// One text.
    pub(super) fn text(&self, text: &str) -> String {
        if self.raw { text.to_owned() } else { hash(self.salt, text) }
    }

    /// A public handle.
    pub(super) fn accessor(&self, accessor: &str) -> String {
        if self.hash_accessors { self.text(accessor) } else { accessor.to_owned() }
    }

    /// A whole map, except for the members that the mount leaves readable.
    pub(super) fn map(&self, map: &Map<String, Value>, readable: &[String]) -> Value {
        let shown = map.iter().map(|(key, value)| {
            let value = if readable.contains(key) { value.clone() } else { self.value(value) };
            (key.clone(), value)
        });
        Value::Object(shown.collect())
    }

    /// Any value.
    pub(super) fn value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(items) => Value::Array(items.iter().map(|item| self.value(item)).collect()),
            Value::Object(map) => self.map(map, &[]),
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }
}

/// `hmac-sha256:` and the HMAC in hex, as `sys/audit-hash` answers it.
pub(super) fn hash(salt: &Salt, text: &str) -> String {
    format!("hmac-sha256:{}", salt.hmac_hex(text.as_bytes()))
}
