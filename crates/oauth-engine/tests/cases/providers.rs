//! What providers do (H9 to H20 in `docs/references.md`), each with its rule.

use std::time::Duration;

use serde_json::json;
use vestal_logical::testing::settle;
use vestal_logical::{Clock, Timestamp};

use crate::hazards::{presented, reading, world_with};
use crate::idp::Act;
use crate::world::{START, World};

const A: &str = "a.example";

#[tokio::test]
async fn h09_a_lifetime_counts_from_when_it_was_asked_for() {
    let (world, house) = world_with(100, json!({})).await;
    house.config(json!({ "tune_refresh_check_interval_seconds": 0 })).await;
    world.pass(95).await;
    world.idp.script(A, [Act::Hang]);
    let reader = reading(&house.door(), "a");
    world.pass(25).await;
    world.idp.let_go();
    let data = reader.await.unwrap().data();
    let end = Timestamp::parse(data["expire_time"].as_str().unwrap()).unwrap();
    assert_eq!(end.since(START).as_secs(), 95 + 3600);
}

#[tokio::test]
async fn h10_a_crowd_of_readers_reaches_the_provider_a_few_at_a_time() {
    let world = World::new();
    let house = world.open().await;
    house.server("mock", A, json!({})).await;
    house.config(json!({ "tune_refresh_check_interval_seconds": 0 })).await;
    world.idp.lives(A, [json!(5)]);
    for n in 0..600 {
        house.connect(&format!("c{n}"), "mock").await;
    }
    world.idp.lives(A, [json!(3600)]);
    world.idp.with(A, |realm| realm.always = Some(Act::Hang));
    let readers: Vec<_> = (0..600)
        .map(|n| {
            let door = house.door();
            tokio::spawn(async move { door.read(&format!("c{n}")).await })
        })
        .collect();
    settle().await;
    assert_eq!(world.idp.calls() - 600, 256);
    world.idp.let_go();
    settle().await;
    assert_eq!(world.idp.calls() - 600, 512);
    world.idp.let_go();
    settle().await;
    world.idp.let_go();
    for reader in readers {
        reader.await.unwrap().token();
    }
    assert_eq!(world.idp.calls() - 600, 600);
}

#[tokio::test]
async fn h11_retry_after_is_honoured_by_the_schedule_and_by_readers() {
    let (world, house) = world_with(600, json!({})).await;
    world.idp.script(A, [Act::Answer(429, json!({}), &[("retry-after", "700")])]);
    world.pass(595).await;
    let first = world.idp.ledger()[1].at;
    for _ in 0..50 {
        assert_eq!(house.read("a").await.invalid(), "token expired");
    }
    assert_eq!(world.idp.calls(), 2, "readers wait as well");
    world.pass(1000).await;
    let second = world.idp.ledger()[2].at;
    assert!(second.since(first) >= Duration::from_secs(700), "{second} is too early");
    assert_eq!(house.read("a").await.token(), "token_2");
}

#[tokio::test]
async fn h11_an_outage_neither_breaks_a_credential_nor_hammers_the_provider() {
    let (world, house) = world_with(3600, json!({})).await;
    world.idp.with(A, |realm| realm.always = Some(Act::Answer(503, json!({}), &[])));
    world.pass(86_400).await;
    for _ in 0..100 {
        assert_eq!(house.read("a").await.invalid(), "token expired");
    }
    let calls = world.idp.calls();
    assert!(calls < 400, "{calls} calls in a day of outage");
    world.idp.with(A, |realm| realm.always = None);
    world.pass(900).await;
    assert_eq!(house.read("a").await.token(), "token_2");
    assert_eq!(house.read("a").await.warnings(), [""; 0]);
    world.check().await;
}

#[tokio::test]
async fn h12_a_rejected_refresh_token_is_never_presented_again() {
    let (world, house) = world_with(3600, json!({})).await;
    world.idp.script(A, [Act::Answer(400, json!({ "error": "invalid_grant" }), &[])]);
    world.pass(3500).await;
    let warnings = house.read("a").await.warnings();
    assert_eq!(warnings, ["token will expire: refresh failed: server rejected request: invalid_grant"]);
    assert_eq!(world.index("due").await.len(), 0);
    world.pass(86_400).await;
    for _ in 0..100 {
        let text = house.read_min("a", 300).await.invalid();
        assert_eq!(text, "refresh failed: server rejected request: invalid_grant");
    }
    house.server("mock", A, json!({})).await;
    house.crash().await;
    let house = world.open().await;
    world.pass(86_400).await;
    assert_eq!(world.idp.calls(), 2);
    house.connect("a", "mock").await;
    assert_eq!(house.read("a").await.token(), "token_2", "only a person helps");
    world.check().await;
}

#[tokio::test]
async fn h13_a_provider_that_hangs_delays_no_other() {
    let world = World::new();
    let house = world.open().await;
    house.server("slow", "slow.example", json!({})).await;
    house.server("quick", A, json!({})).await;
    world.idp.lives("slow.example", [json!(600)]);
    world.idp.lives(A, [json!(600)]);
    for n in 0..100 {
        house.connect(&format!("slow {n}"), "slow").await;
    }
    house.connect("quick", "quick").await;
    world.idp.with("slow.example", |realm| realm.always = Some(Act::Hang));
    world.pass(560).await;
    let quick: Vec<_> = world.idp.ledger().into_iter().filter(|one| one.host == A).collect();
    assert_eq!(quick.len(), 2);
    let late = quick[1].at.since(START).as_secs();
    assert!(late <= 541, "the quick one waited for the slow ones: {late}");
    let slow = world.told("slow.example").len() - 100;
    assert!(slow < 30, "{slow} calls to a provider that does not answer");
    assert_eq!(house.read("slow 1").await.token(), "token_2", "readers of good tokens wait for nobody");
}

#[tokio::test]
async fn h18_a_refused_client_parks_its_server_and_breaks_no_credential() {
    let world = World::new();
    let house = world.open().await;
    house.server("mock", A, json!({})).await;
    world.idp.lives(A, [json!(600)]);
    for n in 0..50 {
        house.connect(&format!("c{n}"), "mock").await;
    }
    world
        .idp
        .with(A, |realm| realm.always = Some(Act::Answer(401, json!({ "error": "invalid_client" }), &[])));
    world.pass(3600).await;
    let wasted = world.idp.calls() - 50;
    assert!(wasted <= 8, "{wasted} calls with a secret that is refused");
    let refused = "refresh failed: server rejected request: invalid_client";
    for n in 0..50 {
        assert_eq!(house.read(&format!("c{n}")).await.invalid(), refused);
    }
    assert_eq!(world.idp.calls() - 50, wasted, "readers burn nothing either");
    world.check().await;
    world.idp.with(A, |realm| realm.always = None);
    world.idp.lives(A, [json!(3600)]);
    house.server("mock", A, json!({})).await;
    world.pass(60).await;
    for n in 0..50 {
        house.read(&format!("c{n}")).await.token();
    }
    world.check().await;
}

#[tokio::test]
async fn h19_the_margin_is_a_share_of_the_life() {
    for (life, earliest, latest) in
        [(20, 9, 10), (300, 213, 228), (3600, 3060, 3240), (86_400, 81_900, 82_800)]
    {
        let (world, _house) = world_with(life, json!({})).await;
        world.pass(life).await;
        let at = presented(&world, "refresh_1")[0];
        assert!((earliest..=latest).contains(&at), "a life of {life} was refreshed after {at}");
    }
}

#[tokio::test]
async fn h20_five_minute_tokens_are_always_good_and_refreshed_about_once_in_four_minutes() {
    let (world, house) = world_with(300, json!({})).await;
    world.idp.lives(A, [json!(300)]);
    for _ in 0..120 {
        world.pass(30).await;
        house.read("a").await.token();
        let end =
            world.record("a").await.unwrap()["expires"].as_str().map(|end| Timestamp::parse(end).unwrap());
        assert!(
            end.unwrap().since(world.clock.now()).as_secs() >= 60,
            "more than a fifth of the life is lost"
        );
    }
    let calls = world.idp.calls();
    assert!((16..=19).contains(&calls), "{calls} calls in an hour");
}
