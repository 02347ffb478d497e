//! Block YAML, keys sorted, written as go-yaml does, so that scripts see the same bytes.
//!
//! An emitter of our own, because the kept YAML crates quote and sort differently, and only writing is needed.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::yaml_scalar::{Place, number, text};

/// The whole document, with its final newline.
pub(super) fn document(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(fields) if !fields.is_empty() => mapping(&mut out, fields, 0, false),
        Value::Array(items) if !items.is_empty() => sequence(&mut out, items, 0, false),
        scalar => {
            inline(&mut out, scalar, 0);
            end_line(&mut out);
        }
    }
    out
}

/// `started` says that the first entry continues a line that a dash began.
fn mapping(out: &mut String, fields: &Map<String, Value>, indent: usize, started: bool) {
    let mut entries: Vec<(&String, &Value)> = fields.iter().collect();
    entries.sort_by(|left, right| natural(left.0, right.0));
    for (index, (key, value)) in entries.into_iter().enumerate() {
        if !(started && index == 0) {
            pad(out, indent);
        }
        text(out, key, Place::Key);
        out.push(':');
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                out.push('\n');
                mapping(out, inner, indent + 2, false);
            }
            // A list inside a map is not indented further.
            Value::Array(items) if !items.is_empty() => {
                out.push('\n');
                sequence(out, items, indent, false);
            }
            scalar => {
                out.push(' ');
                inline(out, scalar, indent + 2);
                end_line(out);
            }
        }
    }
}

fn sequence(out: &mut String, items: &[Value], indent: usize, started: bool) {
    for (index, item) in items.iter().enumerate() {
        if !(started && index == 0) {
            pad(out, indent);
        }
        out.push_str("- ");
        match item {
            Value::Object(inner) if !inner.is_empty() => mapping(out, inner, indent + 2, true),
            Value::Array(inner) if !inner.is_empty() => sequence(out, inner, indent + 2, true),
            scalar => {
                inline(out, scalar, indent + 2);
                end_line(out);
            }
        }
    }
}

/// What fits behind a colon or a dash; `indent` is that of lines it continues on.
fn inline(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Number(value) => out.push_str(&number(&value.to_string())),
        Value::String(value) => text(out, value, Place::Value { indent }),
        Value::Array(_) => out.push_str("[]"),
        Value::Object(_) => out.push_str("{}"),
    }
}

fn pad(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

fn end_line(out: &mut String) {
    if !out.ends_with('\n') {
        out.push('\n');
    }
}

/// The order of keys: runs of digits by their number, other signs before letters.
fn natural(left: &str, right: &str) -> Ordering {
    let (mut a, mut b) = (left.chars().peekable(), right.chars().peekable());
    let mut after_digit = false;
    loop {
        let (Some(&x), Some(&y)) = (a.peek(), b.peek()) else {
            return left.chars().count().cmp(&right.chars().count());
        };
        if x.is_ascii_digit() && y.is_ascii_digit() {
            let order = digits(&mut a).cmp(&digits(&mut b));
            if order != Ordering::Equal {
                return order;
            }
            after_digit = true;
            continue;
        }
        if x != y {
            return match (x.is_alphabetic(), y.is_alphabetic()) {
                (true, false) if after_digit => Ordering::Less,
                (false, true) if after_digit => Ordering::Greater,
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                _ => x.cmp(&y),
            };
        }
        after_digit = false;
        a.next();
        b.next();
    }
}

/// A run of digits as something that orders by its number.
fn digits(from: &mut std::iter::Peekable<std::str::Chars<'_>>) -> (usize, String) {
    let mut run = String::new();
    while let Some(digit) = from.next_if(char::is_ascii_digit) {
        run.push(digit);
    }
    let significant = run.trim_start_matches('0').to_owned();
    (significant.len(), significant)
}
