//! What goes wrong in practice (H1 to H8 in `docs/references.md`), each with its rule.

use std::time::Duration;

use serde_json::json;
use vestal_logical::testing::settle;
use vestal_storage::testing::{Fault, Target};

use crate::idp::{Act, Turn};
use crate::world::{Door, Got, START, World};

const A: &str = "a.example";
const LOST: &str = "the answer to an earlier refresh was lost";

/// Lets other threads run until a condition holds, and fails when it does not within a minute.
#[expect(clippy::disallowed_methods, reason = "threads of the test's own live in real time")]
async fn until(what: &str, condition: impl Fn() -> bool) {
    let start = std::time::Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_mins(1), "waited a minute for {what}");
        tokio::task::yield_now().await;
    }
}

pub(crate) fn reading(door: &Door, name: &'static str) -> tokio::task::JoinHandle<Got> {
    let door = door.clone();
    tokio::spawn(async move { door.read(name).await })
}

/// A world with one credential whose token lives that long; with tokens of an hour to follow.
pub(crate) async fn world_with(life: u64, options: serde_json::Value) -> (World, crate::world::House) {
    let world = World::new();
    let house = world.open().await;
    house.server("mock", A, options).await;
    world.idp.lives(A, [json!(life), json!(3600)]);
    house.connect("a", "mock").await;
    (world, house)
}

/// Instants of the presentations of one refresh token, in seconds from the start.
pub(crate) fn presented(world: &World, token: &str) -> Vec<u64> {
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
    until("the call", || world.idp.calls() >= 2).await;
    // The call hangs by the time its door is open: letting go before would let nobody go.
    until("a reader to be answered", || {
        world.idp.let_go();
        readers.iter().any(tokio::task::JoinHandle::is_finished)
    })
    .await;
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
