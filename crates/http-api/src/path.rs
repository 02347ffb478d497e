//! Finds the one spelling of a path, or refuses it.
//!
//! Two stages, as Vault's clients know them: a raw path with `//`, `.` or `..` is sent elsewhere; what then decodes to
//! such a segment is refused. What remains is decoded once and is the same for policy, audit, handler and store.
//!
//! Invariants: cleaning is idempotent and never leads to another host; a canonical path holds no empty, `.` or
//! `..` segment, no character that cannot be printed, and is UTF-8. It does not know what is mounted.

use std::fmt::Write as _;

/// What a raw path turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// Below `/v1/`: decoded, without that prefix.
    Api(String),
    /// The same place under its clean name.
    Elsewhere(String),
    /// Not below `/v1/`.
    Nowhere,
    /// Bad escapes, not UTF-8, or not printable.
    Unreadable,
}

/// Looks at the raw path of a request.
pub(crate) fn find(raw: &str) -> Found {
    let Some(decoded) = decode(raw.as_bytes(), false).and_then(|bytes| String::from_utf8(bytes).ok()) else {
        return Found::Unreadable;
    };
    if !is_printable(&decoded) {
        return Found::Unreadable;
    }
    if !raw.starts_with("/v1/") {
        return Found::Nowhere;
    }
    let clean = clean(raw);
    if clean != raw {
        return Found::Elsewhere(clean);
    }
    // `raw` starts with `/v1/` and no escape stands there, so the decoded path starts with it too.
    Found::Api(decoded.strip_prefix("/v1/").unwrap_or_default().to_owned())
}

/// Whether a decoded path has a segment that some reader would take for another place.
pub(crate) fn is_relative(path: &str) -> bool {
    let inner = path.strip_suffix('/').unwrap_or(path);
    !path.is_empty() && inner.split('/').any(|segment| matches!(segment, "" | "." | ".."))
}

/// The path without empty, `.` and `..` segments; a slash at the end stays.
pub(crate) fn clean(raw: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in raw.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            _ => kept.push(segment),
        }
    }
    let mut clean = format!("/{}", kept.join("/"));
    if raw.ends_with('/') && clean.len() > 1 || clean == "/v1" {
        clean.push('/');
    }
    clean
}

/// Undoes percent escapes; in a query or form `+` is a blank. `None` for an escape that is none.
pub(crate) fn decode(text: &[u8], plus_is_blank: bool) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(&byte) = bytes.next() {
        out.push(match byte {
            b'%' => hex_digit(*bytes.next()?)? << 4 | hex_digit(*bytes.next()?)?,
            b'+' if plus_is_blank => b' ',
            _ => byte,
        });
    }
    Some(out)
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

fn is_printable(text: &str) -> bool {
    if text.is_ascii() {
        return text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    }
    text.chars().all(|c| match c {
        ' '..='~' => true,
        '\0'..='\u{9f}' => false,
        // A text's second character is escaped for one reason only: that it cannot be printed.
        _ => {
            let mut pair = String::from("a");
            pair.push(c);
            pair.escape_debug().count() == 2
        }
    })
}

/// Text that may stand in a `Location`; escapes that are there stay.
pub(crate) fn escape_for_header(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if matches!(byte, b'!'..=b'~')
            && !matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}')
        {
            out.push(char::from(byte));
        } else {
            // Writing to a String does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests;
