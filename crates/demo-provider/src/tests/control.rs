use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use super::{Seen, World, text, world};
use crate::{End, Fault, Ledger, Options, Rotation, Rule, Stored};

async fn send(world: &World, method: &str, path: &str, body: Option<&str>) -> Seen {
    let mut request = Request::builder().method(method).uri(path);
    if body.is_some() {
        request = request.header("content-type", "application/json");
    }
    world.send(request.body(Body::from(body.unwrap_or_default().to_owned())).unwrap()).await.unwrap()
}

fn controlled() -> World {
    world(Options { control: true, ..Options::default() })
}

#[tokio::test]
async fn without_the_option_there_is_no_control_over_http() {
    let world = world(Options::default());
    for path in ["/_control/ledger", "/_control/faults"] {
        assert_eq!(send(&world, "GET", path, None).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn the_ledger_reads_the_same_over_http() {
    let world = controlled();
    let tokens = world.connect().await;
    world.refresh(text(&tokens, "refresh_token")).await;
    world.refresh(text(&tokens, "refresh_token")).await;
    let read = |seen: Seen| serde_json::from_slice::<Ledger>(&seen.body).unwrap();
    assert_eq!(read(send(&world, "GET", "/_control/ledger", None).await), world.ledger());
    let tail = read(send(&world, "GET", "/_control/ledger?after=2", None).await);
    assert_eq!(tail, world.provider.control().ledger_after(2));
    assert_eq!(tail.entries.len(), 1);
    assert_eq!(send(&world, "GET", "/_control/ledger?since=2", None).await.status, 400);
    assert_eq!(send(&world, "GET", "/_control/ledger?after=x", None).await.status, 400);
}

#[tokio::test]
async fn faults_are_asked_for_listed_and_taken_back_over_http() {
    let world = controlled();
    let tokens = world.connect().await;
    let rule = r#"{"endpoint":"token","fault":{"after":["drop"]}}"#;
    let added = send(&world, "POST", "/_control/faults", Some(rule)).await.json();
    assert_eq!(added, json!({ "number": 1 }));
    let listed: Vec<Stored> =
        serde_json::from_slice(&send(&world, "GET", "/_control/faults", None).await.body).unwrap();
    let expected = Rule::next(1, crate::Endpoint::Token, Fault::drop_after());
    assert_eq!(listed, [Stored { number: 1, rule: expected }]);
    assert!(world.try_refresh(text(&tokens, "refresh_token")).await.is_err());

    send(&world, "POST", "/_control/faults", Some(rule)).await;
    assert_eq!(send(&world, "DELETE", "/_control/faults/2", None).await.status, 204);
    assert_eq!(send(&world, "DELETE", "/_control/faults/2", None).await.status, 404);
    send(&world, "POST", "/_control/faults", Some(rule)).await;
    assert_eq!(send(&world, "DELETE", "/_control/faults", None).await.status, 204);
    assert!(world.provider.control().faults().is_empty());
}

#[tokio::test]
async fn what_is_no_rule_is_refused() {
    let world = controlled();
    for body in [
        "",
        "{}",
        r#"{"endpoint":"nowhere","fault":{}}"#,
        r#"{"endpoint":"token","fault":{"before":["explode"]}}"#,
        r#"{"endpoint":"token","fault":{},"tims":{"next":2}}"#,
        r#"{"endpoint":"token","fault":{"befor":[]}}"#,
    ] {
        assert_eq!(send(&world, "POST", "/_control/faults", Some(body)).await.status, 400, "{body}");
    }
    // A page from elsewhere can send this without being asked, but not as JSON.
    let plain = r#"{"endpoint":"token","fault":{}}"#;
    let request = Request::post("/_control/faults").header("content-type", "text/plain");
    assert_eq!(world.send(request.body(Body::from(plain)).unwrap()).await.unwrap().status, 400);
    assert_eq!(send(&world, "POST", "/_control/release", None).await.status, 400);
    assert!(world.provider.control().faults().is_empty());
}

#[tokio::test]
async fn held_calls_are_released_over_http() {
    let world = std::sync::Arc::new(controlled());
    let tokens = world.connect().await;
    let rule = r#"{"endpoint":"token","fault":{"before":["hold"]}}"#;
    send(&world, "POST", "/_control/faults", Some(rule)).await;
    let (held, token) = (world.clone(), text(&tokens, "refresh_token").to_owned());
    let call = tokio::spawn(async move { held.refresh(&token).await.status });
    world.provider.control().until_held(1).await;
    let released = send(&world, "POST", "/_control/release", Some("{}")).await.json();
    assert_eq!(released, json!({ "released": 1 }));
    assert_eq!(call.await.unwrap(), 200);
}

#[tokio::test]
async fn a_person_can_withdraw_consent() {
    let world = controlled();
    let (one, two) = (world.connect().await, world.connect().await);
    assert_eq!(send(&world, "POST", "/_control/families/1/withdraw", Some("{}")).await.status, 204);
    assert_eq!(send(&world, "POST", "/_control/families/1/withdraw", Some("{}")).await.status, 404);
    assert_eq!(world.refresh(text(&one, "refresh_token")).await.error(), "invalid_grant");
    assert_eq!(world.bearer("/me", text(&two, "access_token")).await.status, 200);
    world.provider.control().withdraw_all();
    assert_eq!(world.bearer("/me", text(&two, "access_token")).await.status, 401);
    let ended: Vec<_> = world.ledger().families.iter().map(|family| family.ended).collect();
    assert_eq!(ended, [Some(End::Withdrawn); 2]);
}

#[tokio::test]
async fn a_code_can_be_had_without_a_browser() {
    let world = controlled();
    let control = world.provider.control();
    let code = control.code("demo-client", Some("rooms")).unwrap();
    assert_eq!(text(&world.exchange(&code, &[]).await.json(), "scope"), "rooms");
    assert_eq!(world.exchange(&code, &[]).await.error(), "invalid_grant", "good once, as any code");
    assert_eq!(control.code("nobody", None), None);
}

#[tokio::test]
async fn a_test_may_look_at_a_token_and_change_the_terms() {
    let world = controlled();
    let control = world.provider.control();
    let tokens = world.connect().await;
    let (access, refresh) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));
    let seen = control.inspect(refresh).unwrap();
    assert_eq!((seen.serial, seen.family, seen.is_refresh_token, seen.is_live), (1, 1, true, true));
    assert!(!control.inspect(access).unwrap().is_refresh_token);
    assert_eq!(control.inspect("unknown"), None);

    control.set_access_life(Duration::from_mins(5));
    control.set_rotation(Rotation::Reusable);
    let next = world.refresh(refresh).await.json();
    assert_eq!((&next["expires_in"], text(&next, "refresh_token")), (&300.into(), refresh));
    world.pass(Duration::from_secs(20));
    assert!(!control.inspect(access).unwrap().is_live, "issued under the old terms");
    assert!(control.inspect(text(&next, "access_token")).unwrap().is_live);
}
