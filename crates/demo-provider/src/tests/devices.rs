use std::time::Duration;

use serde_json::Value;

use super::{Seen, World, posted, text, world};
use crate::{Client, Grant, Options};

const POLL: (&str, &str) = ("grant_type", "urn:ietf:params:oauth:grant-type:device_code");

async fn begin(world: &World) -> Value {
    world.post("/device", &[("client_id", "demo-client"), ("scope", "openid rooms")]).await.json()
}

async fn poll(world: &World, started: &Value) -> Seen {
    let fields = [POLL, ("client_id", "demo-client"), ("device_code", text(started, "device_code"))];
    world.post("/token", &fields).await
}

#[tokio::test]
async fn a_device_gets_tokens_after_the_person_typed_its_code() {
    let world = world(Options::default());
    let started = begin(&world).await;
    assert_eq!((&started["expires_in"], &started["interval"]), (&300.into(), &5.into()));
    assert_eq!(text(&started, "verification_uri"), "http://provider.test/device/verify");
    let code = text(&started, "user_code");
    assert_eq!(
        text(&started, "verification_uri_complete"),
        format!("http://provider.test/device/verify?user_code={code}")
    );
    assert_eq!((code.len(), &code[4..5]), (9, "-"));
    assert_eq!(poll(&world, &started).await.error(), "authorization_pending");

    let page = world.get("/device/verify", &[("user_code", code)]).await.text();
    assert!(page.contains(&format!("value=\"{code}\"")));
    let typed = code.replace('-', " ").to_lowercase();
    let fields = [("user_code", typed.as_str()), ("name", "Ada Lovelace"), ("decision", "allow")];
    assert_eq!(world.post("/device/verify", &fields).await.status, 200);

    world.pass(Duration::from_secs(5));
    let tokens = poll(&world, &started).await.json();
    assert_eq!(text(&tokens, "scope"), "openid rooms");
    assert!(tokens["id_token"].is_string());
    assert_eq!(
        text(&world.bearer("/me", text(&tokens, "access_token")).await.json(), "name"),
        "Ada Lovelace"
    );
    assert_eq!(world.refresh(text(&tokens, "refresh_token")).await.status, 200);

    world.pass(Duration::from_secs(5));
    assert_eq!(poll(&world, &started).await.error(), "invalid_grant", "a device code buys once");
    let grants: Vec<_> = world.ledger().entries.iter().map(|entry| entry.grant).collect();
    assert_eq!(grants[..2], [Grant::DeviceCode; 2]);
}

#[tokio::test]
async fn a_device_that_is_denied_or_too_late_hears_so() {
    let world = world(Options::default());
    let denied = begin(&world).await;
    let fields = [("user_code", text(&denied, "user_code")), ("decision", "deny")];
    assert!(world.post("/device/verify", &fields).await.text().contains("refused"));
    assert_eq!(poll(&world, &denied).await.error(), "access_denied");
    world.pass(Duration::from_secs(5));
    assert_eq!(poll(&world, &denied).await.error(), "access_denied", "and stays denied");

    let late = begin(&world).await;
    world.pass(Duration::from_mins(5));
    assert_eq!(poll(&world, &late).await.error(), "expired_token");
    assert!(!world.provider.control().answer_device(text(&late, "user_code"), Some("Jane Doe")));
}

#[tokio::test]
async fn a_device_that_polls_too_fast_must_slow_down_by_five_seconds() {
    let world = world(Options::default());
    let started = begin(&world).await;
    assert_eq!(poll(&world, &started).await.error(), "authorization_pending");
    world.pass(Duration::from_millis(4999));
    assert_eq!(poll(&world, &started).await.error(), "slow_down");
    world.pass(Duration::from_millis(9999));
    assert_eq!(poll(&world, &started).await.error(), "slow_down");
    world.pass(Duration::from_secs(15));
    assert_eq!(poll(&world, &started).await.error(), "authorization_pending");
    assert!(world.provider.control().answer_device(text(&started, "user_code"), Some("Jane Doe")));
    assert!(!world.provider.control().answer_device(text(&started, "user_code"), None), "answered once");
    world.pass(Duration::from_secs(15));
    assert_eq!(poll(&world, &started).await.status, 200);
}

#[tokio::test]
async fn a_mistyped_code_is_asked_for_again() {
    let world = world(Options::default());
    begin(&world).await;
    let answer = world.post("/device/verify", &[("user_code", "<b>NO"), ("decision", "allow")]).await;
    assert_eq!(answer.status, 400);
    let page = answer.text();
    assert!(page.contains("role=\"alert\"") && page.contains("&lt;b&gt;NO") && !page.contains("<b>NO"));
    assert_eq!(world.post("/device/verify", &[("user_code", "X")]).await.status, 400, "no decision");
}

#[tokio::test]
async fn a_device_code_serves_only_the_client_it_was_made_for() {
    let clients = vec![Client::demo(), Client::confidential("other", "x")];
    let world = world(Options { clients, auto_approve: true, ..Options::default() });
    let started = begin(&world).await;
    let fields = [POLL, ("client_id", "other"), ("device_code", text(&started, "device_code"))];
    assert_eq!(world.post("/token", &fields).await.error(), "invalid_grant");
    // A secret is not needed here, but one that comes is checked.
    let fields = [POLL, ("device_code", text(&started, "device_code"))];
    assert_eq!(
        world.send(posted("/token", Some("demo-client:wrong"), &fields)).await.unwrap().error(),
        "invalid_client"
    );
    assert_eq!(poll(&world, &started).await.status, 200, "approved at once");
    assert_eq!(world.post("/device", &[("client_id", "nobody")]).await.error(), "invalid_client");
    assert_eq!(world.post("/token", &[POLL, ("client_id", "demo-client")]).await.error(), "invalid_request");
}
