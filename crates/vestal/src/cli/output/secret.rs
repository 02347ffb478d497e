//! Vault's envelope as a table, and its warnings.

use serde_json::{Map, Value};
use vestal_client::{Auth, Secret, WrapInfo};

use super::columns::key_value;
use super::go::{quoted, shown, wrapped};
use crate::cli::duration::human;

/// The two-column table of an answer; `None` when there is nothing to show.
pub(crate) fn table(secret: &Secret) -> Option<String> {
    let mut rows = lease_rows(secret);
    if let Some(auth) = &secret.auth {
        rows.extend(auth_rows(auth));
    }
    if let Some(wrapped) = &secret.wrap_info {
        rows.extend(wrap_rows(wrapped));
    }
    if let Some(data) = &secret.data {
        rows.extend(data_rows(data));
    }
    (!rows.is_empty()).then(|| key_value(rows))
}

/// Rows of free-form data, in the order of keys.
fn data_rows(data: &Map<String, Value>) -> Vec<(String, String)> {
    data.iter().map(|(key, value)| (key.clone(), cell(key, value))).collect()
}

/// A title over a table as wide as its keys make it: `== Data ==`.
pub(crate) fn section_title(title: &str, data: &Map<String, Value>) -> String {
    let widest = data.keys().map(String::len).max().unwrap_or(0);
    // Four blanks between the columns, five letters of "Value".
    padded_title(title, widest + 9)
}

/// A title as wide as `width` where it fits.
pub(crate) fn padded_title(title: &str, width: usize) -> String {
    let signs = match width.saturating_sub(title.len() + 2) {
        0 => 4,
        room => room + room % 2,
    };
    let side = "=".repeat(signs / 2);
    format!("{side} {title} {side}")
}

/// What the server wants known, for stderr; `None` when it is nothing.
pub(crate) fn warnings(secret: &Secret) -> Option<String> {
    let warnings = secret.warnings.as_ref().filter(|list| !list.is_empty())?;
    let mut text = String::from("WARNING! The following warnings were returned from the server:\n\n");
    for warning in warnings {
        text.push_str(&wrapped(&format!("* {warning}"), 2));
        text.push('\n');
    }
    Some(text)
}

fn row(key: &str, value: impl Into<String>) -> (String, String) {
    (key.to_owned(), value.into())
}

fn lease_rows(secret: &Secret) -> Vec<(String, String)> {
    match (secret.lease_duration > 0, secret.lease_id.as_str()) {
        (false, _) => Vec::new(),
        // A duration without a lease is advice on when to read again.
        (true, "") => vec![row("refresh_interval", human(secret.lease_duration))],
        (true, lease) => vec![
            row("lease_id", lease),
            row("lease_duration", human(secret.lease_duration)),
            row("lease_renewable", secret.renewable.to_string()),
        ],
    }
}

fn auth_rows(auth: &Auth) -> Vec<(String, String)> {
    let list = |policies: &Option<Vec<String>>| quoted(policies.as_deref().unwrap_or_default());
    let duration = if auth.lease_duration == 0 { "∞".to_owned() } else { human(auth.lease_duration) };
    let mut rows = vec![
        row("token", &auth.client_token),
        row("token_accessor", &auth.accessor),
        row("token_duration", duration),
        row("token_renewable", auth.renewable.to_string()),
        row("token_policies", list(&auth.token_policies)),
        row("identity_policies", list(&auth.identity_policies)),
        row("policies", list(&auth.policies)),
    ];
    let metadata = auth.metadata.iter().flatten();
    rows.extend(metadata.map(|(key, value)| (format!("token_meta_{key}"), shown(value))));
    rows
}

fn wrap_rows(wrapped: &WrapInfo) -> Vec<(String, String)> {
    let mut rows = vec![
        row("wrapping_token:", &wrapped.token),
        row("wrapping_accessor:", &wrapped.accessor),
        row("wrapping_token_ttl:", human(wrapped.ttl)),
        row("wrapping_token_creation_time:", spelled_instant(&wrapped.creation_time)),
        row("wrapping_token_creation_path:", &wrapped.creation_path),
    ];
    if !wrapped.wrapped_accessor.is_empty() {
        rows.push(row("wrapped_accessor:", &wrapped.wrapped_accessor));
    }
    rows
}

/// `2026-11-24T10:59:03Z` as Go prints an instant; other texts stay.
fn spelled_instant(text: &str) -> String {
    match text.strip_suffix('Z').and_then(|bare| bare.split_once('T')) {
        Some((date, time)) => format!("{date} {time} +0000 UTC"),
        None => text.to_owned(),
    }
}

fn cell(key: &str, value: &Value) -> String {
    match value.as_i64() {
        Some(seconds) if names_a_duration(key) => human(seconds),
        _ => shown(value),
    }
}

fn names_a_duration(key: &str) -> bool {
    const WORDS: [&str; 3] = ["period", "ttl", "duration"];
    let ends = |word: &&str| key == *word || key.ends_with(&format!("_{word}"));
    WORDS.iter().any(ends) || matches!(key, "lease_max" | "ttl_max")
}
