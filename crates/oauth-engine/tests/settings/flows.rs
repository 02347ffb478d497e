//! Plain flows against the demo provider: how the client shows itself, what answers become, how long is waited.

use std::time::Duration;

use serde_json::{Value, json};
use vestal_demo_provider::{Client, ClientAuth, Endpoint, Fault, Grant, Options, Rule};

use crate::demo::{BASE, Demo, world};
use crate::mount::Mount;

/// A server that finds out for itself how the client shows itself.
fn server(options: &Value) -> Value {
    let mut all =
        json!({ "auth_code_url": format!("{BASE}/authorize"), "token_url": format!("{BASE}/token") });
    all.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    json!({ "client_id": "demo-client", "client_secret": "demo-secret", "provider": "custom", "provider_options": all })
}

fn long() -> Options {
    Options { access_life: Duration::from_hours(1), ..Options::default() }
}

async fn demo(options: Options) -> (std::sync::Arc<Demo>, Mount) {
    let (demo, mount) = world(options).await;
    mount.write("servers/demo", server(&json!({}))).await.done();
    (demo, mount)
}

fn code(demo: &Demo) -> Value {
    json!({ "server": "demo", "code": demo.code(Some("me")) })
}

#[tokio::test]
async fn x13_the_style_is_found_out_at_the_first_write_and_survives_a_restart() {
    for (auth, first, then) in [
        (ClientAuth::Header, vec![true], true),
        (ClientAuth::Any, vec![true], true),
        (ClientAuth::Parameters, vec![true, false], false),
    ] {
        let (demo, mount) = demo(Options { client_auth: auth, ..long() }).await;
        mount.write("creds/a", code(&demo)).await.done();
        let by_header = |demo: &Demo| demo.seen().iter().map(|seen| seen.by_header).collect::<Vec<_>>();
        assert_eq!(by_header(&demo), first, "{auth:?}");
        mount.write("creds/b", code(&demo)).await.done();
        assert_eq!(by_header(&demo), [then], "{auth:?}");
        let mount = mount.reopened().await;
        mount.write("creds/c", code(&demo)).await.done();
        assert_eq!(by_header(&demo), [then], "{auth:?}");
        // Writing the server anew forgets what was learned (W43).
        mount.write("servers/demo", server(&json!({}))).await.done();
        mount.write("creds/d", code(&demo)).await.done();
        assert_eq!(by_header(&demo), first, "{auth:?}");
    }
}

#[tokio::test]
async fn w07_a_code_that_was_refused_is_not_presented_again() {
    let (demo, mount) = demo(long()).await;
    let text = mount.write("creds/a", json!({ "server": "demo", "code": "invalid" })).await.refused(400);
    assert!(text.starts_with("exchange failed: server rejected request: invalid_grant"), "{text}");
    assert_eq!(demo.paths(), ["/token"]);
    mount.read("creds/a").await.absent();
}

#[tokio::test]
async fn row_005_client_secrets_fallback() {
    let (demo, mount) = world(long()).await;
    let mut several = server(&json!({}));
    several["client_secret"] = json!("hij");
    several["client_secrets"] = json!(["pqr", "demo-secret"]);
    mount.write("servers/demo", several).await.done();
    mount.write("creds/a", code(&demo)).await.done();
    assert!(mount.read("creds/a").await.data()["access_token"].is_string());
    assert_eq!(
        demo.seen().len(),
        5,
        "header and parameters for each wrong one, the header for the right one"
    );
}

#[tokio::test]
async fn row_006_all_wrong_secrets_are_listed() {
    let (demo, mount) = world(long()).await;
    let mut several = server(&json!({ "auth_style": "in_params" }));
    several["client_secret"] = json!("hij");
    several["client_secrets"] = json!(["pqr"]);
    mount.write("servers/demo", several).await.done();
    let text = mount.write("creds/a", code(&demo)).await.refused(400);
    let line = "\n\t\t* exchange failed: server rejected request: invalid_client: client secret is wrong";
    assert_eq!(text, format!("provider request failed for all client secrets:{line}{line}"));
}

#[tokio::test]
async fn a_server_without_secrets_exchanges_no_code_but_refreshes_as_a_public_client() {
    let clients = vec![Client::demo(), Client::public("app")];
    let (demo, mount) = world(Options { clients, ..long() }).await;
    let mut public = server(&json!({}));
    public["client_id"] = json!("app");
    public["client_secret"] = json!("");
    mount.write("servers/demo", public).await.done();
    let text = mount.write("creds/a", json!({ "server": "demo", "code": "c" })).await.refused(400);
    assert_eq!(text, "exchange failed: missing client secret in configuration");
    assert!(demo.seen().is_empty());
    let text =
        mount.write("creds/a", json!({ "server": "demo", "refresh_token": "unknown" })).await.refused(400);
    assert!(text.starts_with("refresh failed: server rejected request: invalid_grant"), "{text}");
    let seen = demo.seen();
    assert_eq!((seen.len(), seen[0].by_header), (1, false));
    assert!(seen[0].form.ends_with("&client_id=app"), "{}", seen[0].form);
}

#[tokio::test]
async fn row_055_forms_are_read_as_json_is() {
    let (demo, mount) = demo(long()).await;
    demo.control().inject(Rule::always(Endpoint::Token, Fault::form_encoded()));
    mount.write("creds/a", code(&demo)).await.done();
    let data = mount.read("creds/a").await.data();
    assert_eq!(data["type"], "Bearer");
    assert_eq!(data["expire_time"], "2023-11-14T23:13:20Z");
    mount.clock.advance(Duration::from_secs(3595)).await;
    let again = mount.read("creds/a").await.data();
    assert_ne!(again["access_token"], data["access_token"], "the refresh token of a form is used");
}

#[tokio::test]
async fn x20_lifetimes_as_they_are_shown() {
    let cases = [
        (json!(0), None),
        (json!("never"), None),
        (Value::Null, None),
        (json!("3600"), Some("2023-11-14T23:13:20Z")),
        (json!(99_999_999_999_u64), Some("2091-12-03T01:27:27Z")),
    ];
    let (demo, mount) = demo(long()).await;
    for (life, expected) in cases {
        demo.control().inject(Rule::next(1, Endpoint::Token, Fault::set("expires_in", life.clone())));
        mount.write("creds/a", code(&demo)).await.done();
        let data = mount.read("creds/a").await.data();
        assert_eq!(data.get("expire_time").and_then(Value::as_str), expected, "{life}");
    }
}

#[tokio::test]
async fn answers_that_are_no_tokens_are_500_and_say_nothing_of_their_body() {
    let cases = [
        (Fault::status(503), "oauth2: cannot fetch token: 503 Service Unavailable"),
        (Fault::too_many_requests(5), "oauth2: cannot fetch token: 429 Too Many Requests"),
        (Fault::html(), "oauth2: cannot parse json"),
        (Fault::empty(), "oauth2: cannot parse json"),
        (Fault::half_json(), "oauth2: cannot parse json"),
        (
            Fault::huge(2 << 20),
            "Post \"https://provider.test/token\": the answer of provider.test is too large",
        ),
        (Fault::redirect_to("https://evil.example/"), "oauth2: cannot fetch token: 307 Temporary Redirect"),
        (Fault::omit("access_token"), "oauth2: server response missing access_token"),
        (Fault::set("access_token", 7), "oauth2: server response missing access_token"),
        (Fault::oauth_error("access_denied"), "server rejected request: access_denied: fault on request"),
        (
            Fault::drop_before(),
            "transient: Post \"https://provider.test/token\": provider.test: connection reset",
        ),
    ];
    for (fault, text) in cases {
        let (demo, mount) = demo(long()).await;
        demo.control().inject(Rule::next(1, Endpoint::Token, fault));
        assert_eq!(mount.write("creds/a", code(&demo)).await.refused(500), text);
        assert_eq!(demo.paths(), ["/token"], "nothing is sent again, nor elsewhere: {text}");
        mount.read("creds/a").await.absent();
    }
}

#[tokio::test]
async fn row_076_a_provider_that_hangs_is_waited_for_as_long_as_the_limit_says() {
    let (demo, mount) = demo(Options { access_life: Duration::from_secs(120), ..Options::default() }).await;
    mount.write("servers/demo", server(&json!({ "rotation": "reusable" }))).await.done();
    let config = json!({ "tune_provider_timeout_seconds": 10, "tune_refresh_check_interval_seconds": 0 });
    mount.write("config", config).await.done();
    mount.write("creds/a", code(&demo)).await.done();
    demo.control().inject(Rule::always(Endpoint::Token, Fault::hang()).only(Grant::RefreshToken));
    demo.seen();
    // Sixty seconds are wanted and left; then nothing is left.
    for (passes, wanted, limit) in [(60, 61, 10.3), (60, 60, 15.0)] {
        mount.clock.advance(Duration::from_secs(passes)).await;
        let asked = async {
            let query = json!({ "minimum_seconds": wanted });
            mount.call(vestal_logical::Operation::Read, "creds/a", query).await
        };
        let (answer, ()) = tokio::join!(asked, mount.clock.advance(Duration::from_secs(16)));
        assert_eq!(answer.refused(400), "token expired");
        let seen = demo.seen();
        assert!((seen[0].timeout.unwrap().as_secs_f64() - limit).abs() < 0.3, "{:?}", seen[0].timeout);
    }
    demo.control().inject(Rule::always(Endpoint::Token, Fault::hang()));
    let connecting = mount.write("creds/b", code(&demo));
    let (answer, ()) = tokio::join!(connecting, mount.clock.advance(Duration::from_secs(11)));
    assert_eq!(answer.refused(500), "Post \"https://provider.test/token\": context deadline exceeded");
    assert_eq!(demo.seen()[0].timeout, Some(Duration::from_secs(10)));
}
