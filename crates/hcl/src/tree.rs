//! The tree that both languages become.

use std::fmt;

use crate::Position;

/// The items between two braces, or of a whole text, in their order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Body {
    /// The items; a key that is repeated stands here as often as it was written.
    pub items: Vec<Item>,
}

/// `key = value`, or `key "label" "label" { … }`.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The key, then the labels; at least one.
    pub keys: Vec<Key>,
    /// What it holds.
    pub value: Value,
    /// Whether it was written with `=` (in JSON: whether it stands as it was written).
    pub assigned: bool,
}

/// A key or a label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Without quotes and escapes.
    pub text: String,
    /// Whether it was quoted.
    pub quoted: bool,
    /// Where it starts.
    pub at: Position,
}

/// A value. Its `Debug` shows the kind of a text, not the text.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// JSON's `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction or an exponent.
    Float(f64),
    /// A quoted text or a heredoc.
    Text(String),
    /// `[ … ]`
    List(Vec<Value>),
    /// `{ … }`
    Object(Body),
}

impl Value {
    /// The kind of value, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Integer(_) | Self::Float(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::List(list) => f.debug_list().entries(list).finish(),
            Self::Object(body) => body.fmt(f),
            plain => f.write_str(plain.kind()),
        }
    }
}

impl Item {
    /// The first key.
    pub fn key(&self) -> &str {
        self.keys.first().map_or("", |key| key.text.as_str())
    }

    /// The keys after the first.
    pub fn labels(&self) -> &[Key] {
        self.keys.get(1..).unwrap_or_default()
    }

    /// The first label.
    pub fn label(&self) -> Option<&str> {
        self.labels().first().map(|key| key.text.as_str())
    }

    /// Where the item starts.
    pub fn at(&self) -> Position {
        self.keys.first().map_or(Position { line: 1, column: 1 }, |key| key.at)
    }
}

impl Body {
    /// The item of this key; of several, the last.
    pub fn last(&self, key: &str) -> Option<&Item> {
        self.items.iter().rev().find(|item| item.key() == key)
    }

    /// All items of this key, in their order.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a Item> {
        self.items.iter().filter(move |item| item.key() == key)
    }

    /// The items whose key is none of these.
    pub fn unknown<'a>(&'a self, known: &'a [&str]) -> impl Iterator<Item = &'a Item> {
        self.items.iter().filter(move |item| !known.contains(&item.key()))
    }
}
