//! Reads items as the types that configuration and policies are made of.
//!
//! The leniencies are those that files for Vault rely on: `"8200"` is a number where one is wanted, `1` and `"true"` are
//! true, a number is a text where one is wanted. A boolean is never a text.

use crate::{Body, Item, Position, Value};

/// An item holds another kind of value than it must. It names the key and the kinds, never the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{key}` on line {} must be {expected}, not {found}", at.line)]
pub struct Mismatch {
    key: String,
    at: Position,
    expected: &'static str,
    found: &'static str,
}

impl Mismatch {
    /// Where the item starts.
    pub fn at(&self) -> Position {
        self.at
    }
}

impl Item {
    /// That this item must be something else, which `expected` says.
    pub fn mismatch(&self, expected: &'static str) -> Mismatch {
        Mismatch { key: self.key().to_owned(), at: self.at(), expected, found: self.value.kind() }
    }

    /// A text, or a number's text.
    pub fn text(&self) -> Result<String, Mismatch> {
        self.value.as_text().ok_or_else(|| self.mismatch("a text"))
    }

    /// A list of texts.
    pub fn texts(&self) -> Result<Vec<String>, Mismatch> {
        let texts = match &self.value {
            Value::List(list) => list.iter().map(Value::as_text).collect(),
            _ => None,
        };
        texts.ok_or_else(|| self.mismatch("a list of texts"))
    }

    /// A whole number, also one in quotes.
    pub fn integer(&self) -> Result<i64, Mismatch> {
        let number = match &self.value {
            Value::Integer(number) => Some(*number),
            Value::Text(text) => text.trim().parse().ok(),
            _ => None,
        };
        number.ok_or_else(|| self.mismatch("a whole number"))
    }

    /// A boolean, also `0`, `1` and booleans in quotes.
    pub fn flag(&self) -> Result<bool, Mismatch> {
        let flag = match &self.value {
            Value::Bool(flag) => Some(*flag),
            Value::Integer(0) => Some(false),
            Value::Integer(1) => Some(true),
            Value::Text(text) => match text.as_str() {
                "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
                "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
                _ => None,
            },
            _ => None,
        };
        flag.ok_or_else(|| self.mismatch("a boolean"))
    }

    /// The items of a block or an object.
    pub fn body(&self) -> Result<&Body, Mismatch> {
        match &self.value {
            Value::Object(body) => Ok(body),
            _ => Err(self.mismatch("a block")),
        }
    }
}

impl Value {
    /// This text, or the text of this number.
    pub fn as_text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Integer(number) => Some(number.to_string()),
            Self::Float(number) => Some(number.to_string()),
            _ => None,
        }
    }
}
