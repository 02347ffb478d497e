//! Where a text stops being readable, and why.

use std::fmt;

use crate::MAX_BYTES;

/// A place in a text; both count from one, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Why a text could not be read. It says what was expected and what kind of thing was found, never a text value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {reason}")]
pub struct ParseError {
    at: Position,
    reason: String,
}

impl ParseError {
    pub(crate) fn new(at: Position, reason: impl Into<String>) -> Self {
        Self { at, reason: reason.into() }
    }

    pub(crate) fn expected(at: Position, expected: &str, found: impl fmt::Display) -> Self {
        Self::new(at, format!("expected {expected}, found {found}"))
    }

    pub(crate) fn too_long() -> Self {
        let start = Position { line: 1, column: 1 };
        Self::new(start, format!("the text is longer than {MAX_BYTES} bytes"))
    }

    pub(crate) fn too_deep(at: Position) -> Self {
        Self::new(at, "objects and lists nest too deeply")
    }

    /// Where reading stopped.
    pub fn at(&self) -> Position {
        self.at
    }

    /// What is wrong there, without the place.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}
