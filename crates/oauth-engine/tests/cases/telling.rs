//! What readers and the log are told when refreshing fails, and how long.

use serde_json::json;

use crate::idp::Act;
use crate::log::Log;
use crate::reading::{A, GONE, house, quiet_house};
use crate::world::World;

#[tokio::test]
async fn x17_a_deleted_server_is_told_whatever_the_credential_waits_for() {
    // what the provider says, and what is told without a server to blame
    let cases = [
        (500, json!({}), "token expired"),
        (400, json!({ "error": "invalid_scope" }), "refresh failed: server rejected request: invalid_scope"),
        (
            401,
            json!({ "error": "invalid_client" }),
            "refresh failed: server rejected request: invalid_client",
        ),
        (400, json!({ "error": "invalid_grant" }), "refresh failed: server rejected request: invalid_grant"),
    ];
    for (status, body, told) in cases {
        let world = World::new();
        let house = quiet_house(&world).await;
        house.connect_with("a", json!({ "server": "mock", "maximum_expiry_seconds": 120 })).await;
        world.idp.script(A, [Act::Answer(status, body.clone(), &[])]);
        assert_eq!(house.read_min("a", 300).await.invalid(), told, "{body}");
        house.door().delete("servers/mock").await.empty();
        assert_eq!(house.read_min("a", 300).await.invalid(), GONE, "{body}");
        assert_eq!(house.read("a").await.warnings(), [GONE], "{body}");
        let before = world.record("a").await;
        assert_eq!(house.read_min("a", 300).await.invalid(), GONE, "{body}");
        assert_eq!(world.record("a").await, before, "what is no news is not written: {body}");
        world.check().await;
    }
}

#[tokio::test]
async fn what_waits_for_its_settings_tells_that_its_server_went_elsewhere() {
    let world = World::new();
    let house = quiet_house(&world).await;
    house.connect_with("a", json!({ "server": "mock", "maximum_expiry_seconds": 120 })).await;
    world.idp.script(A, [Act::Answer(400, json!({ "error": "invalid_scope" }), &[])]);
    house.read_min("a", 300).await.invalid();
    house.server("mock", "b.example", json!({})).await;
    let text = house.read_min("a", 300).await.invalid();
    assert!(text.contains("another origin"), "{text}");
    assert_eq!(world.told("b.example"), []);
    world.check().await;
}

#[tokio::test]
async fn w12_a_refusal_of_the_settings_goes_with_the_settings_and_stays_as_long_as_they_do() {
    let refuse = || Act::Answer(401, json!({ "error": "invalid_client" }), &[]);
    let outage = || Act::Answer(503, json!({}), &[]);
    let refused = "refresh failed: server rejected request: invalid_client";
    let passing = "1 attempt(s) to refresh this token failed, most recently: \
                   refresh failed: oauth2: cannot fetch token: 503 Service Unavailable";
    for rewritten in [true, false] {
        let world = World::new();
        let house = quiet_house(&world).await;
        house.connect_with("a", json!({ "server": "mock", "maximum_expiry_seconds": 120 })).await;
        world.idp.script(A, [refuse()]);
        assert_eq!(house.read_min("a", 300).await.invalid(), refused);
        if rewritten {
            house.server("mock", A, json!({})).await;
        }
        // What is known of a server's health is in memory: without a restart these settings are not tried again.
        house.crash().await;
        let house = world.open().await;
        world.idp.script(A, [outage()]);
        let (told, warned) = if rewritten {
            ("token expired".to_owned(), passing.to_owned())
        } else {
            (refused.to_owned(), format!("token will expire: {refused}"))
        };
        assert_eq!(house.read_min("a", 300).await.invalid(), told, "rewritten: {rewritten}");
        assert_eq!(world.idp.calls(), 3, "rewritten: {rewritten}");
        assert_eq!(house.read("a").await.warnings(), [warned], "rewritten: {rewritten}");
        // A success clears both.
        assert_eq!(house.read_min("a", 300).await.invalid(), "token expired");
        assert_eq!(world.idp.calls(), 4);
        assert_eq!(house.read("a").await.warnings(), [""; 0], "rewritten: {rewritten}");
        assert_eq!(house.read("a").await.token(), "token_2");
    }
}

#[tokio::test]
async fn w12_what_the_provider_found_wrong_with_the_request_is_forgotten_when_the_server_is_rewritten() {
    let world = World::new();
    let house = house(&world).await;
    world.idp.lives(A, [json!(60)]);
    house.connect("a", "mock").await;
    world.idp.with(A, |realm| {
        realm.always = Some(Act::Answer(400, json!({ "error": "invalid_scope" }), &[]));
    });
    world.pass(55).await;
    let refused = "refresh failed: server rejected request: invalid_scope";
    assert_eq!(house.read("a").await.invalid(), refused);
    world.idp.with(A, |realm| realm.always = Some(Act::Answer(503, json!({}), &[])));
    house.server("mock", A, json!({})).await;
    world.pass(5).await;
    assert_eq!(house.read("a").await.invalid(), "token expired");
    world.check().await;
}

#[tokio::test]
async fn w20_the_log_names_the_cause_of_a_failed_refresh_and_nothing_from_outside() {
    let described = json!({ "error": "invalid_client", "error_description": "canary" });
    let cases = [
        (Act::Answer(503, json!({ "canary": "canary" }), &[]), "cause=HTTP 503"),
        (Act::Answer(401, described, &[]), "cause=invalid_client"),
        (Act::Answer(400, json!({ "error": "canary" }), &[]), "cause=HTTP 400"),
        (Act::Answer(200, json!({ "canary": 1 }), &[]), "cause=no token in the answer"),
        (Act::NotSent, "cause=not sent"),
        (Act::RequestLost, "cause=no answer"),
    ];
    for (act, cause) in cases {
        let world = World::new();
        let house = quiet_house(&world).await;
        world.idp.lives(A, [json!(5)]);
        house.connect("canary", "mock").await;
        let (log, _guard) = Log::capture();
        world.idp.script(A, [act.clone()]);
        house.read("canary").await.invalid();
        world.idp.script(A, [act]);
        house.write("canary", json!({ "server": "mock", "code": "canary" })).await.text();
        let told = log.text();
        for begins in ["a refresh brought no tokens credential=", "connecting failed credential="] {
            let line = told.lines().find(|line| line.contains(begins)).unwrap_or_else(|| panic!("{told}"));
            assert!(line.ends_with(cause), "{line}");
        }
        assert!(!told.contains("canary"), "{told}");
    }
}
