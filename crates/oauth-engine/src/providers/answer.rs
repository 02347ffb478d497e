//! Reads what a token endpoint answered with a success status (reference §7.4).
//!
//! Invariants: no input panics or costs more than its length; no error text carries any of it. Knows nothing of how the
//! answer came or what it is for.

use serde_json::{Map, Value};
use url::form_urlencoded;
use vestal_crypto::SecretString;
use vestal_logical::OutboundResponse;

use super::Life;

/// The longest lifetime that is told apart, in seconds.
const LONGEST: i64 = i32::MAX as i64;

/// The members of an answer that anyone uses.
#[derive(Debug, Clone)]
pub(crate) struct TokenAnswer {
    pub(crate) access_token: SecretString,
    pub(crate) token_type: String,
    pub(crate) refresh_token: Option<SecretString>,
    pub(crate) expires_in: Option<Life>,
    pub(crate) id_token: Option<SecretString>,
}

/// A success without a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unreadable {
    pub(crate) text: &'static str,
    /// What was presented may be spent. Not so when the answer itself names an error.
    pub(crate) spent: bool,
}

/// Reads the answer, as a form or as JSON by its content type.
pub(crate) fn read(response: &OutboundResponse) -> Result<TokenAnswer, Unreadable> {
    let declared = response.headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let body = response.body.expose();
    let members = if is_form(declared.unwrap_or_default()) { form(body) } else { json(body)? };
    token(members)
}

/// The media type without its parameters.
fn is_form(content_type: &str) -> bool {
    let media = content_type.split(';').next().unwrap_or_default().trim();
    ["application/x-www-form-urlencoded", "text/plain"].iter().any(|form| media.eq_ignore_ascii_case(form))
}

/// The first value of each name.
fn form(body: &[u8]) -> Map<String, Value> {
    let mut members = Map::new();
    for (name, value) in form_urlencoded::parse(body) {
        members.entry(name.into_owned()).or_insert_with(|| Value::String(value.into_owned()));
    }
    members
}

fn json(body: &[u8]) -> Result<Map<String, Value>, Unreadable> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(members)) => Ok(members),
        _ => Err(Unreadable { text: "oauth2: cannot parse json", spent: true }),
    }
}

fn token(mut members: Map<String, Value>) -> Result<TokenAnswer, Unreadable> {
    let access_token = match members.remove("access_token") {
        Some(Value::String(token)) if !token.is_empty() => SecretString::new(token),
        _ => {
            let refused = matches!(members.get("error"), Some(Value::String(error)) if !error.is_empty());
            return Err(Unreadable { text: "oauth2: server response missing access_token", spent: !refused });
        }
    };
    Ok(TokenAnswer {
        access_token,
        token_type: token_type(members.remove("token_type")),
        refresh_token: text(members.remove("refresh_token")),
        expires_in: members.remove("expires_in").as_ref().and_then(life),
        id_token: text(members.remove("id_token")),
    })
}

/// A number is taken by its digits: losing a refresh token for its type would be worse.
fn text(member: Option<Value>) -> Option<SecretString> {
    match member? {
        Value::String(text) if !text.is_empty() => Some(SecretString::new(text)),
        Value::Number(number) => Some(SecretString::new(number.to_string())),
        _ => None,
    }
}

/// As it is shown: the well-known types in their usual spelling.
fn token_type(member: Option<Value>) -> String {
    let Some(Value::String(given)) = member else { return "Bearer".to_owned() };
    match given.to_ascii_lowercase().as_str() {
        "" | "bearer" => "Bearer".to_owned(),
        "mac" => "MAC".to_owned(),
        "basic" => "Basic".to_owned(),
        _ => given,
    }
}

/// Absent and null are no expiry; 0 and what is no number are "some time, who knows".
fn life(member: &Value) -> Option<Life> {
    match member {
        Value::Null => None,
        Value::Number(number) => Some(seconds(&number.to_string())),
        Value::String(text) => Some(seconds(text)),
        _ => Some(Life::Hourly),
    }
}

fn seconds(text: &str) -> Life {
    let whole = text.parse::<i64>().ok().or_else(|| {
        let value = text.parse::<f64>().ok().filter(|value| value.is_finite())?;
        #[expect(clippy::cast_precision_loss, reason = "the longest lifetime has 31 bits")]
        let near = value.clamp(-(LONGEST as f64), LONGEST as f64);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the fraction is to be cut, the range was just cut"
        )]
        let whole = near as i64;
        Some(whole)
    });
    match whole {
        None | Some(0) => Life::Hourly,
        Some(seconds) => Life::Seconds(seconds.clamp(-LONGEST, LONGEST)),
    }
}

/// Reads any bytes as the answer of a token endpoint would be read, a failure included, and says whether there was a
/// token; an ID token in it is taken apart and checked. For fuzzing: it must neither panic nor grow beyond its input.
#[cfg(feature = "testing")]
#[must_use]
pub fn fuzzed(status: u16, content_type: &[u8], body: &[u8]) -> bool {
    let mut headers = http::HeaderMap::new();
    if let Ok(value) = http::HeaderValue::from_bytes(content_type) {
        headers.insert(http::header::CONTENT_TYPE, value);
    }
    let response = OutboundResponse { status, headers, body: vestal_crypto::SecretBytes::new(body) };
    if (200..300).contains(&status) {
        let Ok(answer) = read(&response) else { return false };
        if let Some(token) = answer.id_token {
            super::id_token::fuzzed(token.expose());
        }
        return true;
    }
    let presented = SecretString::from("presented");
    let failure = super::refusal::judge(&response, &[&presented], vestal_logical::Timestamp::default());
    debug_assert!(failure.error.to_string().len() < 8192, "texts are cut");
    false
}

#[cfg(test)]
mod tests;
