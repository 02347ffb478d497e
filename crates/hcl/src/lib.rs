//! Reads HCL 1, the language of policies and configuration, and the JSON that may stand in its place.
//!
//! [`parse`] turns either into one ordered tree, [`Body`]. What the tree means is the reader's business: this crate
//! knows neither policies nor configuration, expands no `${…}` and gives no key a meaning.
//!
//! Invariants: nothing panics, whatever the input; nesting deeper than [`MAX_DEPTH`] and texts longer than
//! [`MAX_BYTES`] are refused before they cost anything; keys that are repeated are all kept, in their order; no error
//! and no `Debug` shows a text value, for it may be a secret.

mod cursor;
mod error;
mod json;
mod labels;
mod number;
mod parser;
mod scanner;
mod strings;
mod tree;
mod typed;

pub use error::{ParseError, Position};
pub use tree::{Body, Item, Key, Value};
pub use typed::Mismatch;

/// The longest text that is read, in bytes.
pub const MAX_BYTES: usize = 4 << 20;

/// How deeply objects and lists may nest.
pub const MAX_DEPTH: usize = 128;

/// The tree of a text: JSON if its first byte that is not blank is `{`, else HCL 1.
pub fn parse(text: &str) -> Result<Body, ParseError> {
    if text.len() > MAX_BYTES {
        return Err(ParseError::too_long());
    }
    if text.trim_start().starts_with('{') { json::parse(text) } else { parser::parse(text) }
}
