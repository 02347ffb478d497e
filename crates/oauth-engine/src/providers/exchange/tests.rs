//! Tests of style detection and several secrets, against a script.

use std::sync::Arc;
use std::time::Duration;

use vestal_logical::{HttpTransport, Timestamp, TransportError};

use super::*;
use crate::providers::network::Reach;
use crate::providers::scripted::{Script, Scripted, answer, oauth_error, token};

const LIST: &str = "provider request failed for all client secrets:";
const ALLOW: Allow = Allow { now: Timestamp::from_seconds(1_000), time: Some(Duration::from_secs(5)) };

struct Outcome {
    result: Result<(String, Option<AuthStyle>), ProviderError>,
    /// Of each request: the secret it carried, in `header` or `params`.
    tries: Vec<String>,
}

async fn run(secrets: &[&str], style: Option<AuthStyle>, script: Vec<Scripted>) -> Outcome {
    run_as(Ask::Code { code: &SecretString::from("c-1"), redirect_url: "" }, secrets, style, script).await
}

async fn run_as(ask: Ask<'_>, secrets: &[&str], style: Option<AuthStyle>, script: Vec<Scripted>) -> Outcome {
    let script = Script::new(script);
    let network = Network::new(Arc::clone(&script) as Arc<dyn HttpTransport>, Reach::default());
    let url = Url::parse("https://idp.example/token").unwrap();
    let client = Client {
        id: "id".into(),
        secrets: secrets.iter().map(|secret| SecretString::from(*secret)).collect(),
    };
    let endpoint = TokenEndpoint { network: &network, url: &url, client: &client, style };
    let result = endpoint.run(ask, ALLOW).await;
    let tries = script.asked().iter().map(|asked| tried(asked, secrets)).collect();
    let result =
        result.map(|exchanged| (exchanged.answer.access_token.expose().to_owned(), exchanged.learned));
    Outcome { result, tries }
}

fn tried(asked: &crate::providers::scripted::Asked, secrets: &[&str]) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let mut fields = url::form_urlencoded::parse(asked.body.as_bytes());
    let in_body = fields.find(|(name, _)| name == "client_secret").map(|(_, secret)| secret.into_owned());
    match (&asked.authorization, in_body) {
        (None, Some(secret)) => format!("params {secret}"),
        (None, None) => "public".to_owned(),
        (Some(basic), None) => {
            let secret = secrets.iter().find(|secret| {
                basic.strip_prefix("Basic ") == Some(&STANDARD.encode(format!("id:{secret}")))
            });
            format!("header {}", secret.unwrap())
        }
        (Some(_), Some(_)) => "both".to_owned(),
    }
}

fn rejected(code: &str) -> ProviderError {
    let text = format!("server rejected request: {code}");
    ProviderError::Rejected { text, code: code.to_owned(), cause: Cause::answered(400, Some(code)) }
}

#[tokio::test]
async fn x13_the_header_first_then_parameters_and_what_worked_is_learned() {
    let found = run(&["s"], None, vec![oauth_error(401, "invalid_client"), token("a")]).await;
    assert_eq!(found.result, Ok(("a".to_owned(), Some(AuthStyle::InParams))));
    assert_eq!(found.tries, ["header s", "params s"]);

    let found = run(&["s"], None, vec![token("a")]).await;
    assert_eq!(found.result, Ok(("a".to_owned(), Some(AuthStyle::InHeader))));
    assert_eq!(found.tries, ["header s"]);

    let found = run(&["s"], Some(AuthStyle::InParams), vec![token("a")]).await;
    assert_eq!(found.result, Ok(("a".to_owned(), None)));
    assert_eq!(found.tries, ["params s"]);
}

#[tokio::test]
async fn a_style_that_is_known_is_not_found_out_again() {
    for style in [AuthStyle::InHeader, AuthStyle::InParams] {
        let found = run(&["s"], Some(style), vec![oauth_error(401, "invalid_client"), token("a")]).await;
        assert_eq!(found.result, Err(rejected("invalid_client")));
        assert_eq!(found.tries.len(), 1);
    }
}

#[tokio::test]
async fn after_a_rejected_grant_a_failing_server_or_silence_nothing_is_presented_again() {
    let broken = || Err(TransportError::Broken("connection closed".to_owned()));
    let reset = || Err(TransportError::Reset("connection reset".to_owned()));
    let silence = || Err(TransportError::TimedOut("after 5 s".to_owned()));
    for last in [
        oauth_error(400, "invalid_grant"),
        oauth_error(401, "invalid_grant"),
        oauth_error(403, "access_denied"),
        answer(500, "oops"),
        oauth_error(500, "invalid_client"),
        answer(503, "{}"),
        answer(429, "{}"),
        answer(307, ""),
        answer(200, "{}"),
        broken(),
        reset(),
        silence(),
    ] {
        let shown = format!("{last:?}");
        let found = run(&["s", "t"], None, vec![last, token("a")]).await;
        assert!(found.result.is_err(), "{shown}");
        assert_eq!(found.tries, ["header s"], "{shown}");
    }
}

#[tokio::test]
async fn answers_that_are_no_oauth_error_may_be_about_the_style() {
    for status in [400, 401, 403, 404, 405, 415] {
        let found = run(&["s"], None, vec![answer(status, "<html>"), token("a")]).await;
        assert_eq!(found.result, Ok(("a".to_owned(), Some(AuthStyle::InParams))), "{status}");
    }
}

#[tokio::test]
async fn an_endpoint_that_takes_no_parameters_does_not_hide_that_the_secret_was_wrong() {
    let script = vec![oauth_error(401, "invalid_client"), oauth_error(400, "invalid_request"), token("a")];
    let found = run(&["old", "new"], None, script).await;
    assert_eq!(found.result, Ok(("a".to_owned(), Some(AuthStyle::InHeader))));
    assert_eq!(found.tries, ["header old", "params old", "header new"]);
}

#[tokio::test]
async fn row_005_further_secrets_are_tried_when_the_client_is_blamed() {
    let script =
        vec![oauth_error(401, "invalid_client"), oauth_error(400, "unauthorized_client"), token("a")];
    let found = run(&["hij", "pqr", "good"], Some(AuthStyle::InParams), script).await;
    assert_eq!(found.result, Ok(("a".to_owned(), None)));
    assert_eq!(found.tries, ["params hij", "params pqr", "params good"]);
}

#[tokio::test]
async fn row_006_all_secrets_are_listed_when_all_were_tried() {
    let script = vec![oauth_error(400, "unauthorized_client"), oauth_error(401, "invalid_client")];
    let found = run(&["right", "wrong"], Some(AuthStyle::InParams), script).await;
    let text = "provider request failed for all client secrets:\
                \n\t\t* exchange failed: server rejected request: unauthorized_client\
                \n\t\t* exchange failed: server rejected request: invalid_client";
    let (code, cause) = ("unauthorized_client".to_owned(), Cause::Code("unauthorized_client"));
    assert_eq!(found.result, Err(ProviderError::Rejected { text: text.to_owned(), code, cause }));
}

#[tokio::test]
async fn what_is_said_of_the_last_secret_counts_unless_it_blames_the_client_too() {
    let first = || oauth_error(401, "invalid_client");
    // A server that fails is not made a verdict by an old secret (W6).
    let found = run(&["old", "good"], Some(AuthStyle::InHeader), vec![first(), answer(500, "")]).await;
    assert!(matches!(found.result, Err(ProviderError::Busy { .. })));
    // Not all were tried: no list.
    let script = vec![first(), oauth_error(400, "invalid_grant")];
    let found = run(&["old", "good", "other"], Some(AuthStyle::InHeader), script).await;
    assert_eq!(found.result, Err(rejected("invalid_grant")));
    assert_eq!(found.tries.len(), 2);
    // All were tried: the list, and the grant's verdict.
    let script = vec![first(), oauth_error(400, "invalid_grant")];
    let found = run(&["old", "good"], Some(AuthStyle::InHeader), script).await;
    assert!(
        matches!(found.result, Err(ProviderError::Rejected { code, text, .. }) if code == "invalid_grant" && text.starts_with(LIST))
    );
}

#[tokio::test]
async fn the_list_is_the_text_whatever_class_decides() {
    let reset = || Err(TransportError::Reset("connection reset".to_owned()));
    let cases = [
        (oauth_error(403, "access_denied"), "", "server rejected request: access_denied"),
        (answer(500, ""), "", "oauth2: cannot fetch token: 500 Internal Server Error"),
        (answer(200, "{}"), "", "oauth2: server response missing access_token"),
        (reset(), "transient: ", "Post \"https://idp.example/token\": connection reset"),
    ];
    for (last, mark, line) in cases {
        let script = vec![oauth_error(401, "invalid_client"), last];
        let found = run(&["old", "good"], Some(AuthStyle::InHeader), script).await;
        let text = found.result.unwrap_err().to_string();
        let first = "\n\t\t* exchange failed: server rejected request: invalid_client";
        assert_eq!(text, format!("{mark}{LIST}{first}\n\t\t* exchange failed: {line}"));
    }
    let found = run(&["", ""], Some(AuthStyle::InHeader), vec![]).await;
    let line = format!("\n\t\t* exchange failed: {NO_SECRET}");
    assert_eq!(found.result, Err(ProviderError::Unacceptable(format!("{LIST}{line}{line}"))));
}

#[tokio::test]
async fn without_a_secret_a_code_is_not_sent_and_a_refresh_is_a_public_client_s() {
    let missing = ProviderError::Unacceptable(NO_SECRET.to_owned());
    for secrets in [&[][..], &[""]] {
        let found = run(secrets, None, vec![token("a")]).await;
        assert_eq!((found.result, found.tries), (Err(missing.clone()), Vec::<String>::new()));
        let refresh = SecretString::from("r-1");
        let found = run_as(Ask::Refresh(&refresh), secrets, None, vec![token("a")]).await;
        assert_eq!(found.result, Ok(("a".to_owned(), None)));
        assert_eq!(found.tries, ["public"]);
    }
    let found = run(&["", "s"], Some(AuthStyle::InParams), vec![token("a")]).await;
    assert_eq!(found.tries, ["params s"], "an empty secret is passed over");
}

#[tokio::test]
async fn an_empty_refresh_token_is_a_fault_of_the_caller_and_is_not_sent() {
    let found = run_as(Ask::Refresh(&SecretString::default()), &["s"], None, vec![token("a")]).await;
    let text = "oauth2: token expired and refresh token is not set".to_owned();
    assert_eq!((found.result, found.tries), (Err(ProviderError::Internal(text)), Vec::<String>::new()));
}

#[tokio::test]
async fn what_was_presented_does_not_come_back_in_the_error() {
    let body =
        r#"{"error":"invalid_grant","error_description":"code the-code-1 with secret s3cret-1 is stale"}"#;
    let (code, script) = (SecretString::from("the-code-1"), vec![answer(400, body)]);
    let ask = Ask::Code { code: &code, redirect_url: "" };
    let found = run_as(ask, &["s3cret-1"], Some(AuthStyle::InParams), script).await;
    let text = found.result.unwrap_err().to_string();
    assert_eq!(
        text,
        "server rejected request: invalid_grant: code [redacted] with secret [redacted] is stale"
    );
}
