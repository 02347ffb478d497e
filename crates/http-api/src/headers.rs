//! Reads the request headers that Vault's clients send.
//!
//! Invariants: a token longer than allowed is refused before it is copied; tokens and cookies are never among the
//! headers handed on. It does not know what a token may do.

use std::fmt::Write as _;
use std::time::Duration;

use http::{HeaderMap, HeaderName, StatusCode, header};
use vestal_crypto::SecretString;
use vestal_logical::WrapAsk;
use vestal_logical::params::duration_text;

use crate::refusal::Refusal;

const TOKEN: HeaderName = HeaderName::from_static("x-vault-token");
const NAMESPACE: HeaderName = HeaderName::from_static("x-vault-namespace");
const WRAP_TTL: &str = "x-vault-wrap-ttl";
const WRAP_FORMAT: &str = "x-vault-wrap-format";

/// Paths that belong to the whole server, not to a namespace.
const ROOT_ONLY: [&str; 14] = [
    "sys/health",
    "sys/init",
    "sys/seal",
    "sys/unseal",
    "sys/rekey",
    "sys/rekey-recovery-key",
    "sys/generate-root",
    "sys/generate-recovery-token",
    "sys/step-down",
    "sys/metrics",
    "sys/raw",
    "sys/storage",
    "sys/pprof",
    "sys/in-flight-req",
];

/// The client token: its own header, else a bearer.
pub(crate) fn token(headers: &HeaderMap, longest: usize) -> Result<Option<SecretString>, Refusal> {
    let own = headers.get(TOKEN).map(header::HeaderValue::as_bytes).filter(|token| !token.is_empty());
    let bearer = || headers.get(header::AUTHORIZATION)?.as_bytes().strip_prefix(b"Bearer ");
    let Some(token) = own.or_else(bearer).map(<[u8]>::trim_ascii).filter(|token| !token.is_empty()) else {
        return Ok(None);
    };
    if token.len() > longest {
        return Err(Refusal::invalid(format!("the client token is longer than {longest} bytes")));
    }
    Ok(Some(String::from_utf8_lossy(token).into_owned().into()))
}

/// The namespace as the client named it, which the answer repeats.
pub(crate) fn namespace(headers: &HeaderMap) -> Option<&header::HeaderValue> {
    headers.get(NAMESPACE).filter(|name| !name.is_empty())
}

/// The name under which the namespace is repeated.
pub(crate) fn namespace_name() -> HeaderName {
    NAMESPACE
}

/// Whether `path` cannot be asked for in a namespace at all, not even in the root by name.
pub(crate) fn is_root_only(path: &str) -> bool {
    ROOT_ONLY
        .iter()
        .any(|root| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// There is one namespace, with a few spellings.
pub(crate) fn check_namespace(headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(name) = namespace(headers) else { return Ok(()) };
    let mut name = name.as_bytes();
    while let Some(rest) = name.strip_prefix(b"/") {
        name = rest;
    }
    while let Some(rest) = name.strip_suffix(b"/") {
        name = rest;
    }
    match name {
        b"" | b"root" => Ok(()),
        _ => Err(Refusal::text(StatusCode::NOT_FOUND, "namespace not found")),
    }
}

/// The wish for wrapping.
pub(crate) fn wrap(headers: &HeaderMap) -> Result<Option<WrapAsk>, Refusal> {
    let Some(value) = headers.get(WRAP_TTL) else { return Ok(None) };
    let given = value.as_bytes();
    let refuse = |why: &str| Err(Refusal::invalid(format!("error parsing X-Vault-Wrap-TTL header: {why}")));
    let invalid = || refuse(&format!("time: invalid duration {}", quoted(given)));
    // Nothing longer is a duration.
    let Ok(text) = str::from_utf8(given.get(..64).unwrap_or(given)) else { return invalid() };
    if given.len() > 64 {
        return refuse("time: invalid duration");
    }
    let whole =
        !text.is_empty() && text.trim_start_matches(['+', '-']).bytes().all(|byte| byte.is_ascii_digit());
    if whole && text.parse::<i64>().is_err() {
        return invalid();
    }
    let nanos = match duration_text(text) {
        Ok(nanos) => nanos,
        Err(why) => return refuse(&duration_fault(why, text)),
    };
    if nanos < 0 {
        return refuse("requested wrap ttl cannot be negative");
    }
    match i64::try_from(nanos) {
        Ok(0) => Ok(None),
        // OpenBao knows this one format and ignores all other words.
        Ok(_) if headers.get(WRAP_FORMAT).is_some_and(|format| format == "jwt") => {
            Err(Refusal::invalid("the `jwt` of X-Vault-Wrap-Format is not supported yet"))
        }
        Ok(nanos) => Ok(Some(WrapAsk { ttl: Duration::from_nanos(nanos.unsigned_abs()) })),
        Err(_) if whole => {
            refuse("multiplication of durations resulted in overflow, one operand may be too large")
        }
        Err(_) => invalid(),
    }
}

/// Go's words, which quote the duration; it is no secret, and clients show it to who typed it.
fn duration_fault(why: &str, text: &str) -> String {
    let whole = quoted(text.as_bytes());
    // Days are read as one whole number.
    if let Some(days) = text.strip_suffix('d') {
        let overflows = !days.is_empty() && days.bytes().all(|byte| byte.is_ascii_digit());
        let fault = if overflows { "value out of range" } else { "invalid syntax" };
        return format!("strconv.ParseInt: parsing {}: {fault}", quoted(days.as_bytes()));
    }
    if why.contains("unknown unit") {
        let unit = text
            .split(|c: char| c.is_ascii_digit() || c == '.')
            .map(|unit| unit.trim_start_matches(['+', '-']))
            .find(|unit| !matches!(*unit, "" | "ns" | "us" | "µs" | "μs" | "ms" | "s" | "m" | "h"));
        return format!(
            "time: unknown unit {} in duration {whole}",
            quoted(unit.unwrap_or_default().as_bytes())
        );
    }
    format!("{why} {whole}")
}

/// In quotes, with everything escaped that is not printable ASCII.
fn quoted(text: &[u8]) -> String {
    let mut out = String::from("\"");
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend(['\\', char::from(byte)]),
            b' '..=b'~' => out.push(char::from(byte)),
            // Writing to a String does not fail.
            _ => drop(write!(out, "\\x{byte:02x}")),
        }
    }
    out.push('"');
    out
}

/// The headers that mounts may pass through and audit may record.
pub(crate) fn passed_on(headers: &HeaderMap) -> Vec<(String, String)> {
    let secret = [TOKEN, header::AUTHORIZATION, header::PROXY_AUTHORIZATION, header::COOKIE];
    headers
        .iter()
        .filter(|(name, _)| !secret.contains(name))
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect()
}

/// The media type of a PATCH: merge-patch, or how it is not.
pub(crate) fn check_merge_patch(headers: &HeaderMap) -> Result<(), Refusal> {
    const WANTED: &str = "application/merge-patch+json";
    let given = headers.get(header::CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let media = media_type(given.as_deref().unwrap_or_default()).map_err(Refusal::invalid)?;
    if media == WANTED {
        return Ok(());
    }
    let text = format!("PATCH requires Content-Type of {WANTED}, provided {media}");
    Err(Refusal::text(StatusCode::UNSUPPORTED_MEDIA_TYPE, text))
}

/// Whether the body says it is a form.
pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| media_type(value).ok())
        .is_some_and(|media| media == "application/x-www-form-urlencoded")
}

/// The lower-case media type of a `Content-Type`, or Go's word for what is wrong with it.
fn media_type(value: &str) -> Result<String, &'static str> {
    let (media, parameters) = value.split_once(';').unwrap_or((value, ""));
    let media = media.trim().to_ascii_lowercase();
    let token_end = |text: &str| text.find(|c| !is_token(c)).unwrap_or(text.len());
    let (kind, rest) = media.split_at(token_end(&media));
    if kind.is_empty() {
        return Err("mime: no media type");
    }
    if !rest.is_empty() {
        let subtype = rest.strip_prefix('/').ok_or("mime: expected slash after first token")?;
        match token_end(subtype) {
            0 => return Err("mime: expected token after slash"),
            end if end < subtype.len() => return Err("mime: unexpected content after media subtype"),
            _ => {}
        }
    }
    check_parameters(parameters)?;
    Ok(media)
}

fn check_parameters(parameters: &str) -> Result<(), &'static str> {
    const INVALID: &str = "mime: invalid media parameter";
    let mut seen: Vec<String> = Vec::new();
    let mut rest = parameters.trim_start();
    while !rest.is_empty() {
        let (name, value) = rest.split_once('=').ok_or(INVALID)?;
        let name = name.trim().to_ascii_lowercase();
        if name.is_empty() || !name.chars().all(is_token) {
            return Err(INVALID);
        }
        rest = after_value(value).ok_or(INVALID)?.trim_start();
        if !rest.is_empty() {
            rest = rest.strip_prefix(';').ok_or(INVALID)?.trim_start();
        }
        if seen.contains(&name) {
            return Err("mime: duplicate parameter name");
        }
        seen.push(name);
    }
    Ok(())
}

/// What follows a token or a quoted text.
fn after_value(value: &str) -> Option<&str> {
    let Some(quoted) = value.strip_prefix('"') else {
        let end = value.find(|c| !is_token(c)).unwrap_or(value.len());
        return if end == 0 { None } else { value.get(end..) };
    };
    let mut escaped = false;
    for (at, c) in quoted.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return quoted.get(at + 1..),
            _ => {}
        }
    }
    None
}

fn is_token(c: char) -> bool {
    c.is_ascii_graphic() && !"()<>@,;:\\\"/[]?=".contains(c)
}

#[cfg(test)]
mod tests;
