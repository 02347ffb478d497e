//! How answers are written: tables for people, JSON and YAML for programs, single fields for scripts.
//!
//! Invariant: what is written is a function of the answer and the format alone, byte for byte what Vault's
//! command line writes for the same answer. It does not know which command asked.

mod columns;
mod field;
mod go;
mod json;
mod ordered;
mod secret;
mod status;
mod yaml;
mod yaml_scalar;

use serde::Serialize;
use serde_json::Value;

pub(crate) use columns::{columns, headed, key_value};
pub(crate) use field::{named, of_secret, written};
pub(crate) use go::{shown, wrapped};
pub(crate) use ordered::Ordered;
pub(crate) use secret::{padded_title, section_title, table, warnings};
pub(crate) use status::{status_object, status_table};

/// How output is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Table,
    Json,
    Yaml,
    /// The answer's own bytes; only for `read`.
    Raw,
}

impl Format {
    /// Reads a format's name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "table" => Some(Self::Table),
            "json" => Some(Self::Json),
            "yaml" | "yml" => Some(Self::Yaml),
            "raw" => Some(Self::Raw),
            _ => None,
        }
    }
}

/// A value for programs, without the final newline. Tables fall back to JSON.
pub(crate) fn structured<T: Serialize>(format: Format, value: &T) -> String {
    match format {
        Format::Yaml => {
            let value = serde_json::to_value(value).unwrap_or(Value::Null);
            yaml::document(&value).trim_end_matches('\n').to_owned()
        }
        Format::Table | Format::Json | Format::Raw => json::pretty(value),
    }
}

#[cfg(test)]
mod tests;
