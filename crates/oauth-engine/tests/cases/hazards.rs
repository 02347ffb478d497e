//! What goes wrong in practice (`hazards.md`), each with its rule.

use std::time::Duration;

use serde_json::json;
use vestal_logical::testing::settle;
use vestal_logical::{Clock, Timestamp};
use vestal_storage::testing::{Fault, Target};

use crate::idp::{Act, Turn};
use crate::world::{Door, Got, START, World};

const A: &str = "a.example";
const LOST: &str = "the answer to an earlier refresh was lost";

fn reading(door: &Door, name: &'static str) -> tokio::task::JoinHandle<Got> {
    let door = door.clone();
    tokio::spawn(async move { door.read(name).await })
}

/// A world with one credential whose token lives that long; with tokens of an hour to follow.
async fn world_with(life: u64, options: serde_json::Value) -> (World, crate::world::House) {
    let world = World::new();
    let house = world.open().await;
    house.server("mock", A, options).await;
    world.idp.lives(A, [json!(life), json!(3600)]);
    house.connect("a", "mock").await;
    (world, house)
}

/// Instants of the presentations of one refresh token, in seconds from the start.
fn presented(world: &World, token: &str) -> Vec<u64> {
    let ledger = world.idp.ledger();
    ledger.iter().filter(|one| one.token == token).map(|one| one.at.since(START).as_secs()).collect()
}

#[tokio::test]
async fn h01_a_thousand_parallel_reads_are_one_token_call() {
    let (world, house) = world_with(100, json!({})).await;
    house.config(json!({ "tune_refresh_check_interval_seconds": 0 })).await;
    world.pass(95).await;
    world.idp.script(A, [Act::Hang]);
    let readers: Vec<_> = (0..1000).map(|_| reading(&house.door(), "a")).collect();
    settle().await;
    world.idp.let_go();
    for reader in readers {
        assert_eq!(reader.await.unwrap().token(), "token_2");
    }
    assert_eq!(world.idp.calls(), 2);
}

#[tokio::test]
async fn h01_readers_who_want_more_time_share_one_call_too() {
    let (world, house) = world_with(200, json!({})).await;
    house.config(json!({ "tune_refresh_check_interval_seconds": 0 })).await;
    world.idp.script(A, [Act::Hang]);
    let readers: Vec<_> = (0..1000)
        .map(|_| {
            let door = house.door();
            tokio::spawn(async move { door.read_min("a", 300).await })
        })
        .collect();
    settle().await;
    world.idp.let_go();
    for reader in readers {
        assert_eq!(reader.await.unwrap().token(), "token_2");
    }
    assert_eq!(world.idp.calls(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn h01_a_thousand_readers_on_many_threads_are_one_token_call() {
    let (world, house) = world_with(5, json!({})).await;
    world.idp.script(A, [Act::Hang]);
    let readers: Vec<_> = (0..1000).map(|_| reading(&house.door(), "a")).collect();
    while world.idp.calls() < 2 {
        tokio::task::yield_now().await;
    }
    // The call hangs by the time its door is open: letting go before would let nobody go.
    while !readers.iter().any(tokio::task::JoinHandle::is_finished) {
        world.idp.let_go();
        tokio::task::yield_now().await;
    }
    for reader in readers {
        assert_eq!(reader.await.unwrap().token(), "token_2");
    }
    assert_eq!(world.idp.calls(), 2);
    world.check().await;
}

#[tokio::test]
async fn h01_readers_join_a_refresh_that_the_schedule_began() {
    let (world, house) = world_with(100, json!({})).await;
    house.config(json!({ "tune_provider_timeout_seconds": 0 })).await;
    world.idp.script(A, [Act::Hang]);
    world.pass(92).await;
    assert_eq!(world.idp.calls(), 2, "the schedule has begun it");
    let reader = reading(&house.door(), "a");
    settle().await;
    world.idp.let_go();
    assert_eq!(reader.await.unwrap().token(), "token_2");
    assert_eq!(world.idp.calls(), 2);
}

#[tokio::test]
async fn h02_however_slow_the_answer_no_second_refresh_starts() {
    let (world, house) = world_with(100, json!({})).await;
    house
        .config(json!({ "tune_provider_timeout_seconds": 0, "tune_refresh_check_interval_seconds": 0 }))
        .await;
    world.pass(95).await;
    world.idp.script(A, [Act::Hang]);
    let first = reading(&house.door(), "a");
    world.pass(85).await;
    let second = reading(&house.door(), "a");
    world.pass(10).await;
    assert_eq!(first.await.unwrap().invalid(), "token expired", "its deadline has come, the flight goes on");
    world.pass(60).await;
    assert_eq!(world.idp.calls(), 2);
    world.idp.let_go();
    assert_eq!(second.await.unwrap().token(), "token_2");
    assert_eq!(world.idp.calls(), 2);
}

#[tokio::test]
async fn h03_a_store_that_takes_no_writes_keeps_the_token_unspent() {
    let (world, house) = world_with(100, json!({})).await;
    house.config(json!({ "tune_refresh_check_interval_seconds": 0 })).await;
    world.pass(95).await;
    house.store.next(Target::Commit, Fault::Refuse);
    let text = house.read("a").await.text();
    assert!(text.contains("store is unavailable"), "{text}");
    assert_eq!(world.idp.calls(), 1, "the provider was not asked");
    assert_eq!(house.read("a").await.token(), "token_2");
}

#[tokio::test]
async fn h03_a_refresh_that_a_crash_interrupted_is_known_at_the_next_start() {
    for (options, turn, fate) in [
        (json!({ "rotation": "grace:30" }), Turn::Rotating(Duration::from_secs(30)), "kept"),
        (json!({}), Turn::Rotating(Duration::from_secs(30)), "kept"),
        (json!({ "rotation": "reusable" }), Turn::Reusable, "kept"),
        (json!({ "rotation": "single" }), Turn::Rotating(Duration::ZERO), "in doubt"),
    ] {
        let (world, house) = world_with(100, options.clone()).await;
        world.idp.with(A, |realm| realm.turn = turn);
        world.idp.script(A, [Act::Hang]);
        world.pass(60).await;
        assert_eq!(world.idp.calls(), 2);
        house.crash().await;
        world.idp.let_go();
        settle().await;
        assert_eq!(world.told(A)[1].2, "issued", "the answer came when nobody was there to take it");
        let house = world.open().await;
        settle().await;
        world.check().await;
        if fate == "kept" {
            world.pass(1).await;
            assert_eq!(house.read("a").await.token(), "token_3", "{options}");
            continue;
        }
        assert_eq!(world.record("a").await.unwrap()["state"], "InDoubt");
        assert_eq!(house.read("a").await.token(), "token_1", "it is served to its end");
        assert_eq!(world.idp.calls(), 2, "nothing is presented before the last moment");
        world.pass(40).await;
        assert_eq!(world.idp.calls(), 3);
        assert!(house.read("a").await.text().contains(LOST));
        world.check().await;
    }
}

#[tokio::test]
async fn h04_a_lost_answer_is_asked_for_again_within_the_grace_only() {
    let grace = Duration::from_secs(30);
    let (world, house) = world_with(100, json!({ "rotation": "grace:30" })).await;
    world.idp.with(A, |realm| realm.turn = Turn::Rotating(grace));
    world.idp.script(A, [Act::AnswerLost, Act::AnswerLost]);
    world.pass(80).await;
    assert_eq!(house.read("a").await.token(), "token_4", "the third answer arrived");
    let at = presented(&world, "refresh_1");
    assert!(at.len() == 3 && at[2] - at[0] < 30, "{at:?}");
    world.check().await;
}

#[tokio::test]
async fn h04_outside_a_grace_a_token_is_never_presented_a_third_time() {
    for options in [json!({}), json!({ "rotation": "single" }), json!({ "rotation": "grace:1" })] {
        let (world, house) = world_with(3600, options.clone()).await;
        world.idp.with(A, |realm| realm.always = Some(Act::RequestLost));
        world.pass(3500).await;
        for _ in 0..10 {
            world.pass(100).await;
            house.read("a").await.text();
        }
        let at = presented(&world, "refresh_1");
        assert_eq!(at.len(), 2, "{options}: {at:?}");
        let text = house.read("a").await.invalid();
        assert!(text.contains(LOST), "{options}: {text}");
        world.check().await;
    }
}

#[tokio::test]
async fn h04_a_single_use_token_in_doubt_is_presented_once_more_at_the_last_moment() {
    let (world, house) = world_with(3600, json!({ "rotation": "single" })).await;
    world.idp.script(A, [Act::RequestLost]);
    world.pass(3560).await;
    assert_eq!(presented(&world, "refresh_1").len(), 1);
    let warnings = house.read("a").await.warnings();
    assert!(warnings[0].contains("1 attempt(s) to refresh this token failed"), "{warnings:?}");
    world.pass(25).await;
    let at = presented(&world, "refresh_1");
    assert!(at.len() == 2 && (3575..3590).contains(&at[1]), "{at:?}");
    assert_eq!(house.read("a").await.token(), "token_2", "it had not been spent");
    world.check().await;
}

#[tokio::test]
async fn h04_a_rejection_after_a_lost_answer_names_its_reason() {
    let (world, house) = world_with(3600, json!({})).await;
    world.idp.script(A, [Act::AnswerLost]);
    world.pass(3595).await;
    let text = house.read("a").await.invalid();
    assert_eq!(
        text,
        format!(
            "refresh failed: server rejected request: invalid_grant; {LOST}, and the refresh token with it: connect this credential again"
        )
    );
    assert_eq!(world.record("a").await.unwrap()["state"], json!({ "Broken": "AmbiguousRotation" }));
}

#[tokio::test]
async fn h04_a_success_that_cannot_be_read_counts_as_a_lost_answer() {
    let (world, house) = world_with(3600, json!({ "rotation": "grace:60" })).await;
    world.idp.with(A, |realm| realm.turn = Turn::Rotating(Duration::from_secs(60)));
    world.idp.script(A, [Act::Garbage]);
    world.pass(3300).await;
    assert_eq!(presented(&world, "refresh_1").len(), 2, "{}", world.record("a").await.unwrap());
    assert_eq!(house.read("a").await.token(), "token_3");
}

#[tokio::test]
async fn h05_an_answer_without_refresh_token_keeps_the_old_one_and_teaches_that_it_is_reusable() {
    let (world, house) = world_with(100, json!({})).await;
    world.idp.with(A, |realm| realm.turn = Turn::Reusable);
    world.idp.lives(A, [json!(100)]);
    world.pass(60).await;
    assert_eq!(presented(&world, "refresh_1").len(), 1);
    house.crash().await;
    let house = world.open().await;
    world.idp.script(A, [Act::AnswerLost, Act::AnswerLost, Act::AnswerLost]);
    world.pass(85).await;
    assert!(presented(&world, "refresh_1").len() >= 5, "a reusable token is presented as often as it takes");
    house.read("a").await.token();
}

#[tokio::test]
async fn h06_tokens_that_cannot_be_stored_are_served_from_memory_with_a_warning_until_they_can() {
    let (world, house) = world_with(100, json!({})).await;
    house.config(json!({ "tune_refresh_check_interval_seconds": 0 })).await;
    world.pass(95).await;
    world.idp.script(A, [Act::Hang]);
    let reader = reading(&house.door(), "a");
    settle().await;
    for _ in 0..8 {
        house.store.next(Target::Commit, Fault::Refuse);
    }
    world.idp.let_go();
    settle().await;
    for got in [reader.await.unwrap(), house.read("a").await] {
        let Got::Data(data, warnings) = got else { panic!("no data") };
        assert_eq!(data["access_token"], "token_2");
        assert!(warnings[0].contains("memory only"), "{warnings:?}");
    }
    assert_eq!(world.record("a").await.unwrap()["version"], 1);
    world.pass(20).await;
    assert_eq!(world.record("a").await.unwrap()["version"], 2);
    assert_eq!(house.read("a").await.warnings(), [""; 0]);
    assert_eq!(world.idp.calls(), 2);
    world.check().await;
}

#[tokio::test]
async fn h06_an_outcome_of_unknown_fate_is_read_again_never_assumed() {
    for written in [true, false] {
        let (world, house) = world_with(100, json!({})).await;
        house.config(json!({ "tune_refresh_check_interval_seconds": 0 })).await;
        world.pass(95).await;
        world.idp.script(A, [Act::Hang]);
        let reader = reading(&house.door(), "a");
        settle().await;
        house.store.next(Target::Commit, Fault::Undetermined { written });
        world.idp.let_go();
        assert_eq!(reader.await.unwrap().token(), "token_2");
        world.pass(10).await;
        let record = world.record("a").await.unwrap();
        assert_eq!((&record["version"], &record["attempt"]), (&json!(2), &json!(1)), "written {written}");
        assert_eq!(world.below("intent").await.len(), 0);
        assert_eq!(house.read("a").await.warnings(), [""; 0]);
        world.check().await;
    }
}

#[tokio::test]
async fn h06_an_intent_of_unknown_fate_is_read_again_before_anything_is_spent() {
    for (written, calls) in [(true, 2), (false, 1)] {
        let (world, house) = world_with(100, json!({})).await;
        house.config(json!({ "tune_refresh_check_interval_seconds": 0 })).await;
        world.pass(95).await;
        house.store.next(Target::Commit, Fault::Undetermined { written });
        house.read("a").await;
        assert_eq!(world.idp.calls(), calls, "written {written}");
    }
}

#[tokio::test]
async fn h07_a_deposed_leader_spends_nothing() {
    let (world, old) = world_with(100, json!({})).await;
    old.config(json!({ "tune_refresh_check_interval_seconds": 0 })).await;
    let new = world.open().await;
    world.pass(95).await;
    let text = old.read("a").await.text();
    assert!(text.contains("no longer leads"), "{text}");
    assert_eq!(world.idp.calls(), 1);
    assert_eq!(new.read("a").await.token(), "token_2");
}

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
