//! Judges an answer of a token endpoint that is no success (reference §3.7, §7.5).
//!
//! Invariants: a text never carries the body of an answer, only the error members that OAuth defines, cut, without
//! control characters and without what was presented, if that is long enough to be a secret. Knows nothing of which
//! request comes next.

use std::time::Duration;

use serde_json::{Map, Value};
use vestal_crypto::SecretString;
use vestal_logical::{OutboundResponse, Timestamp};

use super::network::status_line;
use super::{Cause, ProviderError, form};

/// Error codes that stay as they are however often one asks.
const PERMANENT: [&str; 6] = [
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
];
/// Error codes that pass.
const PASSING: [&str; 3] = ["temporarily_unavailable", "slow_down", "server_error"];

const CODE_LIMIT: usize = 64;
const TEXT_LIMIT: usize = 400;
/// What is shorter is a word that anyone may use, not a secret.
const SHORTEST_SECRET: usize = 8;
/// What is as long as this stands in no text by chance, whatever touches it.
const UNMISTAKABLE: usize = 16;
const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// One failed request.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) error: ProviderError,
    /// 0 when there was no answer.
    status: u16,
    code: Option<String>,
}

impl From<ProviderError> for Failure {
    fn from(error: ProviderError) -> Self {
        Self { error, status: 0, code: None }
    }
}

impl Failure {
    /// Whether the answer blames the client, so that another of its secrets may be right and nothing was spent.
    pub(crate) fn blames_the_client(&self) -> bool {
        (400..500).contains(&self.status)
            && matches!(self.code.as_deref(), Some("invalid_client" | "unauthorized_client"))
    }

    /// Whether the answer may mean that the client showed itself in the wrong way.
    pub(crate) fn may_be_the_style(&self) -> bool {
        match self.code.as_deref() {
            Some("invalid_client") => (400..500).contains(&self.status),
            Some("invalid_grant") => false,
            Some(_) => self.status == 401,
            None => (400..500).contains(&self.status) && !matches!(self.status, 408 | 425 | 429),
        }
    }

    /// Whether the answer finds the request itself malformed.
    pub(crate) fn blames_the_form(&self) -> bool {
        self.code.as_deref() == Some("invalid_request")
    }
}

/// Judges `response`, whose status is no success. `presented` is what no text may repeat.
pub(crate) fn judge(response: &OutboundResponse, presented: &[&SecretString], now: Timestamp) -> Failure {
    let status = response.status;
    let members = match serde_json::from_slice(response.body.expose()) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    };
    let code = code(&members, presented);
    let told = code.as_ref().filter(|_| matches!(status, 400 | 401 | 403));
    let text = match told {
        Some(code) => rejection(code, &members, presented),
        None => format!("oauth2: cannot fetch token: {}", status_line(status)),
    };
    let cause = Cause::answered(status, told.map(String::as_str));
    let passes = told.is_some_and(|code| PASSING.contains(&code.as_str()));
    let error = match told {
        Some(code) if PERMANENT.contains(&code.as_str()) => {
            ProviderError::Rejected { text, code: code.clone(), cause }
        }
        _ if passes || status == 429 || status >= 500 => {
            ProviderError::Busy { text, retry_after: retry_after(response, now), cause }
        }
        _ => ProviderError::Refused { text, spent: false, cause },
    };
    Failure { error, status, code }
}

fn rejection(code: &str, members: &Map<String, Value>, presented: &[&SecretString]) -> String {
    let mut text = format!("server rejected request: {code}");
    if let Some(description) = member(members, "error_description", TEXT_LIMIT, presented) {
        text.push_str(": ");
        text.push_str(&description);
    }
    if let Some(uri) = member(members, "error_uri", TEXT_LIMIT, presented) {
        text.push_str(" (see ");
        text.push_str(&uri);
        text.push(')');
    }
    text
}

/// The error code. One that is a plain word is taken as it is, even if someone's secret is part of it.
fn code(members: &Map<String, Value>, presented: &[&SecretString]) -> Option<String> {
    let given = members.get("error")?.as_str()?;
    let plain =
        given.len() <= CODE_LIMIT && given.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if plain {
        Some(given.to_owned()).filter(|code| !code.is_empty())
    } else {
        member(members, "error", CODE_LIMIT, presented)
    }
}

fn member(
    members: &Map<String, Value>,
    name: &str,
    limit: usize,
    presented: &[&SecretString],
) -> Option<String> {
    let text = members.get(name)?.as_str().filter(|text| !text.is_empty())?;
    let clean = redacted(text, presented);
    Some(clean.chars().map(|c| if c.is_control() { ' ' } else { c }).take(limit).collect())
}

/// The text without what was presented, as it is or escaped, in one pass. A provider's own words stay, also where they
/// hold a short code or a secret that is a word.
fn redacted(text: &str, presented: &[&SecretString]) -> String {
    let secrets = presented.iter().copied().filter(|secret| secret.expose().len() >= SHORTEST_SECRET);
    let mut forms: Vec<SecretString> = secrets
        .flat_map(|secret| [secret.clone(), SecretString::new(form::encoded(secret.expose()))])
        .collect();
    forms.sort_by_key(|form| std::cmp::Reverse(form.expose().len()));
    let (mut clean, mut rest, mut before) = (String::with_capacity(text.len()), text, None);
    while let Some(next) = rest.chars().next() {
        let found = forms.iter().find_map(|form| {
            let after = rest.strip_prefix(form.expose())?;
            stands_apart(form.expose(), before, after).then_some((form, after))
        });
        (before, rest) = match found {
            Some((form, after)) => {
                clean.push_str("[redacted]");
                (form.expose().chars().next_back(), after)
            }
            None => {
                clean.push(next);
                (Some(next), rest.get(next.len_utf8()..).unwrap_or_default())
            }
        };
    }
    clean
}

/// Whether what was found is the secret and not a part of a longer word.
fn stands_apart(secret: &str, before: Option<char>, after: &str) -> bool {
    let touches = |neighbour: Option<char>| neighbour.is_some_and(char::is_alphanumeric);
    secret.len() >= UNMISTAKABLE || !touches(before) && !touches(after.chars().next())
}

/// Seconds or a date (RFC 9110, section 10.2.3).
fn retry_after(response: &OutboundResponse, now: Timestamp) -> Option<Duration> {
    let text = response.headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
            Timestamp::from_seconds(at.as_second()).since(now)
        }
    };
    Some(wait.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use vestal_crypto::SecretBytes;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(784_111_770);

    fn answer(status: u16, body: &str) -> OutboundResponse {
        OutboundResponse { status, headers: HeaderMap::new(), body: SecretBytes::new(body) }
    }

    fn error(status: u16, body: &str) -> ProviderError {
        judge(&answer(status, body), &[], NOW).error
    }

    fn rejected(text: &str, code: &str) -> ProviderError {
        ProviderError::Rejected {
            text: text.into(),
            code: code.into(),
            cause: Cause::answered(400, Some(code)),
        }
    }

    #[test]
    fn x09_an_oauth_error_is_told_with_its_description_and_address() {
        let body = r#"{"error":"invalid_grant","error_description":"nope","error_uri":"http://e"}"#;
        let text = "server rejected request: invalid_grant: nope (see http://e)";
        assert_eq!(error(400, body), rejected(text, "invalid_grant"));
        for status in [401, 403] {
            assert_eq!(
                error(status, r#"{"error":"invalid_client"}"#),
                rejected("server rejected request: invalid_client", "invalid_client")
            );
        }
    }

    #[test]
    fn x10_other_answers_are_no_verdict_about_the_grant() {
        let cause = |text: &str| match text.strip_prefix("server rejected request: ") {
            Some(told) => Cause::answered(400, told.split(':').next()),
            None => Cause::Status(text.split(' ').nth(4).unwrap().parse().unwrap()),
        };
        let refused =
            |text: &str| ProviderError::Refused { text: text.into(), spent: false, cause: cause(text) };
        let busy =
            |text: &str| ProviderError::Busy { text: text.into(), retry_after: None, cause: cause(text) };
        let cases = [
            (
                403,
                r#"{"error":"access_denied","error_description":"by policy"}"#,
                refused("server rejected request: access_denied: by policy"),
            ),
            (400, "<html>s3cret</html>", refused("oauth2: cannot fetch token: 400 Bad Request")),
            (400, r#"{"message":"s3cret"}"#, refused("oauth2: cannot fetch token: 400 Bad Request")),
            (400, r#"["invalid_grant"]"#, refused("oauth2: cannot fetch token: 400 Bad Request")),
            (400, r#"{"error":5}"#, refused("oauth2: cannot fetch token: 400 Bad Request")),
            (404, r#"{"error":"invalid_grant"}"#, refused("oauth2: cannot fetch token: 404 Not Found")),
            (307, "", refused("oauth2: cannot fetch token: 307 Temporary Redirect")),
            (
                500,
                r#"{"error":"invalid_grant"}"#,
                busy("oauth2: cannot fetch token: 500 Internal Server Error"),
            ),
            (503, "s3cret", busy("oauth2: cannot fetch token: 503 Service Unavailable")),
            (429, "{}", busy("oauth2: cannot fetch token: 429 Too Many Requests")),
            (599, "", busy("oauth2: cannot fetch token: 599")),
            (
                400,
                r#"{"error":"temporarily_unavailable"}"#,
                busy("server rejected request: temporarily_unavailable"),
            ),
        ];
        for (status, body, expected) in cases {
            assert_eq!(error(status, body), expected, "{status} {body}");
        }
    }

    #[test]
    fn the_style_is_doubted_only_where_nothing_can_have_been_spent() {
        let cases = [
            (401, "", true),
            (401, r#"{"error":"invalid_client"}"#, true),
            (400, r#"{"error":"invalid_client"}"#, true),
            (401, r#"{"error":"access_denied"}"#, true),
            (400, "bad request", true),
            (404, "", true),
            (422, r#"{"error":"invalid_grant"}"#, false),
            (400, r#"{"error":"invalid_grant"}"#, false),
            (401, r#"{"error":"invalid_grant"}"#, false),
            (400, r#"{"error":"unauthorized_client"}"#, false),
            (400, r#"{"error":"invalid_request"}"#, false),
            (408, "", false),
            (429, "", false),
            (500, "", false),
            (500, r#"{"error":"invalid_client"}"#, false),
            (302, "", false),
        ];
        for (status, body, expected) in cases {
            assert_eq!(
                judge(&answer(status, body), &[], NOW).may_be_the_style(),
                expected,
                "{status} {body}"
            );
        }
        let unsent = Failure::from(ProviderError::NoAnswer("timeout".into()));
        assert!(!unsent.may_be_the_style() && !unsent.blames_the_client());
    }

    #[test]
    fn what_was_presented_never_comes_back_in_a_text() {
        let token = SecretString::from("rt/secret+1");
        let body = r#"{"error":"invalid_grant","error_description":"token rt/secret+1 (rt%2Fsecret%2B1)\nis\u0000bad"}"#;
        let text = judge(&answer(400, body), &[&token], NOW).error.to_string();
        assert_eq!(text, "server rejected request: invalid_grant: token [redacted] ([redacted]) is bad");
        let long =
            format!(r#"{{"error":"{}","error_description":"{}"}}"#, "e".repeat(5000), "d".repeat(100_000));
        assert!(error(400, &long).to_string().len() < 600);
    }

    #[test]
    fn an_error_code_is_known_whatever_was_presented() {
        let body = r#"{"error":"invalid_grant","error_description":"this one is invalid"}"#;
        let found = judge(&answer(400, body), &[&SecretString::from("invalid")], NOW).error;
        assert_eq!(
            found,
            rejected("server rejected request: invalid_grant: this one is invalid", "invalid_grant")
        );
    }

    #[test]
    fn words_stay_words_whatever_was_presented() {
        let long = "a-refresh-token-of-27-bytes";
        let cases = [
            (
                "code",
                "code=code, the authorization code is invalid",
                "code=code, the authorization code is invalid",
            ),
            ("a", "bad authorization", "bad authorization"),
            (
                "s3cret-8",
                "s3cret-8 and s3cret-8, s3cret-80, xs3cret-8",
                "[redacted] and [redacted], s3cret-80, xs3cret-8",
            ),
            ("redacted", "redacted twice: redacted", "[redacted] twice: [redacted]"),
            ("authoriz", "bad authorization", "bad authorization"),
            (long, "token%3Da-refresh-token-of-27-bytesx", "token%3D[redacted]x"),
        ];
        for (secret, text, expected) in cases {
            assert_eq!(redacted(text, &[&SecretString::from(secret)]), expected, "{secret}");
        }
        let (short, longer) = (SecretString::from("s3cret-8"), SecretString::from("s3cret-8/more"));
        assert_eq!(redacted("s3cret-8/more s3cret-8", &[&short, &longer]), "[redacted] [redacted]");
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_bounded() {
        let cases = [
            ("7", Some(7)),
            (" 7 ", Some(7)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(7)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("999999999", Some(86_400)),
            ("-1", None),
            ("soon", None),
        ];
        for (header, expected) in cases {
            let mut response = answer(503, "");
            response.headers.insert(http::header::RETRY_AFTER, header.parse().unwrap());
            let ProviderError::Busy { retry_after, .. } = judge(&response, &[], NOW).error else {
                panic!("{header}")
            };
            assert_eq!(retry_after.map(|wait| wait.as_secs()), expected, "{header}");
        }
    }
}
