//! Tests of reading answers: tables, and properties for what no table thinks of.

use http::HeaderMap;
use proptest::prelude::*;
use vestal_crypto::SecretBytes;

use super::*;

fn answer(content_type: &str, body: &str) -> Result<TokenAnswer, Unreadable> {
    read(&response(content_type, body.as_bytes()))
}

fn response(content_type: &str, body: &[u8]) -> OutboundResponse {
    let mut headers = HeaderMap::new();
    if let Ok(value) = content_type.parse() {
        headers.insert(http::header::CONTENT_TYPE, value);
    }
    OutboundResponse { status: 200, headers, body: SecretBytes::new(body) }
}

const JSON: &str = "application/json; charset=utf-8";
const FORM: &str = "application/x-www-form-urlencoded";

#[test]
fn x20_the_lifetime_in_all_its_spellings() {
    let long = Life::Seconds(2_147_483_647);
    let cases = [
        ("3600", Some(Life::Seconds(3600))),
        ("\"3600\"", Some(Life::Seconds(3600))),
        ("\"+3600\"", Some(Life::Seconds(3600))),
        ("3600.9", Some(Life::Seconds(3600))),
        ("1e3", Some(Life::Seconds(1000))),
        ("99999999999", Some(long)),
        ("\"99999999999999999999999999\"", Some(long)),
        ("-5", Some(Life::Seconds(-5))),
        ("null", None),
        ("0", Some(Life::Hourly)),
        ("\"0\"", Some(Life::Hourly)),
        ("0.4", Some(Life::Hourly)),
        ("\"\"", Some(Life::Hourly)),
        ("\"soon\"", Some(Life::Hourly)),
        ("\"inf\"", Some(Life::Hourly)),
        ("1e999", Some(Life::Hourly)),
        ("true", Some(Life::Hourly)),
        ("[1]", Some(Life::Hourly)),
    ];
    for (value, expected) in cases {
        let body = format!(r#"{{"access_token":"a","expires_in":{value}}}"#);
        assert_eq!(answer(JSON, &body).unwrap().expires_in, expected, "{value}");
    }
    assert_eq!(answer(JSON, r#"{"access_token":"a"}"#).unwrap().expires_in, None);
    assert_eq!(answer(FORM, "access_token=a&expires_in=x").unwrap().expires_in, Some(Life::Hourly));
    assert_eq!(answer(FORM, "access_token=a&expires_in=60").unwrap().expires_in, Some(Life::Seconds(60)));
}

#[test]
fn the_content_type_decides_between_form_and_json() {
    let (form, json) =
        ("access_token=a+b%21&refresh_token=r&token_type=bearer", r#"{"access_token":"a b!"}"#);
    for content_type in [FORM, "text/plain", "Text/Plain; charset=utf-8", "APPLICATION/x-www-form-urlencoded"]
    {
        let read = answer(content_type, form).unwrap();
        assert_eq!(read.access_token.expose(), "a b!", "{content_type}");
        assert_eq!(read.refresh_token.unwrap().expose(), "r");
        assert!(answer(content_type, json).is_err(), "{content_type}");
    }
    for content_type in [JSON, "", "text/html", "application/octet-stream"] {
        assert_eq!(answer(content_type, json).unwrap().access_token.expose(), "a b!", "{content_type}");
        assert!(answer(content_type, form).is_err(), "{content_type}");
    }
    assert_eq!(answer(FORM, "access_token=1&access_token=2").unwrap().access_token.expose(), "1");
}

#[test]
fn well_known_types_have_one_spelling_and_others_stay() {
    let cases = [
        (r#""bearer""#, "Bearer"),
        (r#""BEARER""#, "Bearer"),
        (r#""mAc""#, "MAC"),
        (r#""basic""#, "Basic"),
        (r#""""#, "Bearer"),
        ("null", "Bearer"),
        (r#""DPoP""#, "DPoP"),
    ];
    for (given, shown) in cases {
        let body = format!(r#"{{"access_token":"a","token_type":{given}}}"#);
        assert_eq!(answer(JSON, &body).unwrap().token_type, shown, "{given}");
    }
    assert_eq!(answer(JSON, r#"{"access_token":"a"}"#).unwrap().token_type, "Bearer");
}

#[test]
fn a_success_without_a_token_is_spent_unless_it_names_an_error() {
    let missing = "oauth2: server response missing access_token";
    let parse = "oauth2: cannot parse json";
    let cases = [
        (r#"{"error":"bad_refresh_token"}"#, missing, false),
        (r#"{"access_token":""}"#, missing, true),
        (r#"{"access_token":5}"#, missing, true),
        (r#"{"access_token":null}"#, missing, true),
        ("{}", missing, true),
        ("[]", parse, true),
        ("", parse, true),
        ("<html>", parse, true),
        (r#"{"access_token":"a""#, parse, true),
    ];
    for (body, text, spent) in cases {
        assert_eq!(answer(JSON, body).unwrap_err(), Unreadable { text, spent }, "{body}");
    }
}

#[test]
fn a_refresh_token_that_came_as_a_number_is_kept() {
    let cases = [
        ("12345678901234567890123", Some("12345678901234567890123")),
        ("\"\"", None),
        ("null", None),
        ("{}", None),
    ];
    for (given, kept) in cases {
        let body = format!(r#"{{"access_token":"a","refresh_token":{given}}}"#);
        let found = answer(JSON, &body).unwrap().refresh_token;
        assert_eq!(found.as_ref().map(SecretString::expose), kept, "{given}");
    }
}

#[test]
fn deep_nesting_is_refused_and_not_followed() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let body = format!(r#"{{"access_token":"a","x":{deep}}}"#);
    assert_eq!(answer(JSON, &body).unwrap_err().text, "oauth2: cannot parse json");
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(content_type in "[ -~]{0,40}|text/plain|application/json", body: Vec<u8>) {
        if let Ok(read) = read(&response(&content_type, &body)) {
            prop_assert!(!read.access_token.is_empty());
            prop_assert!(!read.token_type.is_empty());
            prop_assert!(read.refresh_token.is_none_or(|token| !token.is_empty()));
        }
    }

    #[test]
    fn any_answer_that_is_json_is_read_or_refused(token in any::<String>(), kind in any::<String>(), life in "[-+.0-9eE]{0,12}") {
        let body = serde_json::json!({
            "access_token": token, "token_type": kind, "expires_in": life, "refresh_token": token,
        });
        match answer(JSON, &body.to_string()) {
            Ok(read) => {
                prop_assert_eq!(read.access_token.expose(), &token);
                let refresh = read.refresh_token.unwrap();
                prop_assert_eq!(refresh.expose(), &token);
                if let Some(Life::Seconds(seconds)) = read.expires_in {
                    prop_assert!(seconds != 0 && seconds.abs() <= LONGEST);
                }
            }
            Err(_) => prop_assert!(token.is_empty()),
        }
    }

    #[test]
    fn a_form_reads_back_what_was_written(token in ".{1,40}", refresh in ".{1,40}") {
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("refresh_token", &refresh)
            .append_pair("access_token", &token)
            .finish();
        let read = answer(FORM, &body).unwrap();
        prop_assert_eq!(read.access_token.expose(), token);
        let found = read.refresh_token.unwrap();
        prop_assert_eq!(found.expose(), refresh);
    }
}
