//! The life of a credential where requests, schedule and changes of settings meet.

use std::time::Duration;

use serde_json::{Value, json};
use vestal_logical::testing::settle;
use vestal_logical::{Clock, Operation};
use vestal_storage::testing::{Fault, Target};

use crate::idp::{Act, Turn};
use crate::world::{Got, House, World};

const A: &str = "a.example";

/// A house without background refreshing and one credential that has expired, and a reader that waits for its refresh.
async fn refreshing(world: &World) -> (House, tokio::task::JoinHandle<Got>) {
    let house = world.open().await;
    house.server("mock", A, json!({})).await;
    house.config(json!({ "tune_refresh_check_interval_seconds": 0 })).await;
    world.idp.lives(A, [json!(5), json!(3600)]);
    house.connect("a", "mock").await;
    world.idp.script(A, [Act::Hang]);
    let door = house.door();
    let reader = tokio::spawn(async move { door.read("a").await });
    settle().await;
    assert_eq!(world.idp.calls(), 2);
    (house, reader)
}

#[tokio::test]
async fn w05_readers_that_leave_stop_no_refresh() {
    let world = World::new();
    let (house, reader) = refreshing(&world).await;
    reader.abort();
    settle().await;
    world.idp.let_go();
    settle().await;
    assert_eq!(world.record("a").await.unwrap()["version"], 2);
    assert_eq!(house.read("a").await.token(), "token_2");
}

#[tokio::test]
async fn w08_reads_of_a_good_token_wait_for_no_flight() {
    let world = World::new();
    let house = world.open().await;
    house.server("mock", A, json!({})).await;
    world.idp.lives(A, [json!(600)]);
    house.connect("a", "mock").await;
    world.idp.script(A, [Act::Hang]);
    world.pass(530).await;
    assert_eq!(world.idp.calls(), 2, "a refresh is under way");
    assert_eq!(house.read("a").await.token(), "token_1");
}

#[tokio::test]
async fn deleting_does_not_wait_for_a_flight_and_its_tokens_are_kept_to_be_revoked() {
    let world = World::new();
    let (house, reader) = refreshing(&world).await;
    house.door().delete("creds/a").await.empty();
    house.read("a").await.empty();
    world.check().await;
    world.idp.let_go();
    reader.await.unwrap().empty();
    world.check().await;
    assert_eq!(world.below("intent").await.len(), 0);
    let orphans = world.below("orphan").await;
    assert_eq!(orphans.len(), 1);
    assert_eq!(orphans[0]["tokens"]["refresh_token"], "refresh_2");
    assert_eq!(orphans[0]["server"], "mock");
}

#[tokio::test]
async fn connecting_anew_does_not_wait_for_a_flight_and_wins_over_it() {
    let world = World::new();
    let (house, reader) = refreshing(&world).await;
    house.connect("a", "mock").await;
    assert_eq!(house.read("a").await.token(), "token_2");
    world.idp.let_go();
    assert_eq!(reader.await.unwrap().token(), "token_2", "the reader sees the new generation");
    assert_eq!(world.below("orphan").await[0]["tokens"]["access_token"], "token_3");
    assert_eq!(world.record("a").await.unwrap()["version"], 1);
    world.check().await;
}

#[tokio::test]
async fn what_changes_beside_the_tokens_while_they_are_refreshed_is_merged() {
    let world = World::new();
    let (house, reader) = refreshing(&world).await;
    // A reader that finds the server gone notes it in the record, under the eyes of the flight.
    house.door().delete("servers/mock").await.empty();
    world.idp.let_go();
    assert_eq!(reader.await.unwrap().token(), "token_2");
    world.check().await;
}

#[tokio::test]
async fn refreshes_that_only_minimum_seconds_asks_for_are_rationed() {
    let world = World::new();
    let house = world.open().await;
    house.server("mock", A, json!({})).await;
    house.connect("a", "mock").await;
    for _ in 0..50 {
        assert_eq!(house.read_min("a", 7200).await.invalid(), "token expired");
    }
    assert_eq!(world.idp.calls(), 1 + 10);
    world.pass(61).await;
    for _ in 0..50 {
        house.read_min("a", 7200).await.invalid();
    }
    assert_eq!(world.idp.calls(), 1 + 12);
    house.read("a").await.token();
}

#[tokio::test]
async fn a_request_that_is_refused_as_settings_make_it_waits_for_new_settings() {
    let world = World::new();
    let house = world.open().await;
    house.server("mock", A, json!({})).await;
    world.idp.lives(A, [json!(600), json!(600), json!(3600)]);
    house.connect("a", "mock").await;
    house.connect("b", "mock").await;
    world.idp.script(A, [Act::Answer(400, json!({ "error": "invalid_request" }), &[])]);
    world.pass(650).await;
    world.check().await;
    assert_eq!(world.idp.calls(), 4, "one was refused, the other one went on");
    assert_eq!(world.index("parked").await.len(), 1);
    let parked = if world.record("a").await.unwrap()["state"] == json!("Live") { "b" } else { "a" };
    let text = house.read(parked).await.invalid();
    assert_eq!(text, "refresh failed: server rejected request: invalid_request");
    world.pass(3000).await;
    house.crash().await;
    let house = world.open().await;
    world.pass(10).await;
    let before = world.told(A).into_iter().filter(|(_, _, fate)| fate == "answered 400").count();
    assert_eq!(before, 1, "a restart alone wakes nothing");
    house.server("mock", A, json!({})).await;
    world.pass(5).await;
    house.read(parked).await.token();
    assert_eq!(world.index("parked").await.len(), 0);
    world.check().await;
}

#[tokio::test]
async fn a_server_rewritten_just_before_a_crash_wakes_what_waits_at_the_next_start() {
    let world = World::new();
    let house = world.open().await;
    house.server("mock", A, json!({})).await;
    world.idp.lives(A, [json!(600), json!(3600)]);
    house.connect("a", "mock").await;
    house.server("mock", "b.example", json!({})).await;
    world.pass(600).await;
    assert_eq!(world.index("parked").await.len(), 1);
    house.crash().await;
    // The rewriting is durable, and nobody was there to act on it.
    let house = world.open_quiet(world.store()).await.unwrap();
    house.server("mock", A, json!({})).await;
    house.crash().await;
    let house = world.open().await;
    world.pass(5).await;
    assert_eq!(house.read("a").await.token(), "token_2");
    world.check().await;
}

#[tokio::test]
async fn a_missing_server_costs_no_writes_in_the_background_and_is_told_to_readers() {
    let world = World::new();
    let house = world.open().await;
    house.server("mock", A, json!({})).await;
    world.idp.lives(A, [json!(600)]);
    for n in 0..20 {
        house.connect(&format!("c{n}"), "mock").await;
    }
    house.door().delete("servers/mock").await.empty();
    world.pass(545).await;
    let before = world.look().barrier().applied();
    world.pass(20).await;
    assert_eq!(world.look().barrier().applied(), before);
    let warnings = house.read("c1").await.warnings();
    assert!(warnings[0].starts_with("server \"mock\" has configuration problems: "), "{warnings:?}");
    house.server("mock", A, json!({})).await;
    world.pass(1).await;
    assert_eq!(world.idp.calls(), 40, "the written server wakes them all");
    world.check().await;
}

#[tokio::test]
async fn closing_lets_what_is_in_the_air_land() {
    let world = World::new();
    let (house, reader) = refreshing(&world).await;
    let idp = std::sync::Arc::clone(&world.idp);
    let closing = tokio::spawn(house.close(30));
    settle().await;
    assert!(!closing.is_finished(), "it waits");
    idp.let_go();
    closing.await.unwrap();
    assert_eq!(reader.await.unwrap().token(), "token_2");
    assert_eq!(world.record("a").await.unwrap()["version"], 2);
}

#[tokio::test]
async fn closing_waits_no_longer_than_its_deadline_and_leaves_the_intent() {
    let world = World::new();
    let (house, _reader) = refreshing(&world).await;
    let closing = tokio::spawn(house.close(3));
    world.pass(2).await;
    assert!(!closing.is_finished());
    world.pass(2).await;
    closing.await.unwrap();
    assert_eq!(world.below("intent").await.len(), 1, "the next start knows of it");
}

#[tokio::test]
async fn closing_settles_what_is_in_memory_only() {
    let world = World::new();
    let (house, reader) = refreshing(&world).await;
    for _ in 0..5 {
        house.store.next(Target::Commit, Fault::Refuse);
    }
    world.idp.let_go();
    assert_eq!(reader.await.unwrap().token(), "token_2");
    assert_eq!(world.record("a").await.unwrap()["version"], 1);
    let closing = tokio::spawn(house.close(60));
    world.pass(30).await;
    closing.await.unwrap();
    assert_eq!(world.record("a").await.unwrap()["version"], 2);
}

#[tokio::test]
async fn an_answer_that_comes_after_a_reader_gave_up_is_kept() {
    let world = World::new();
    let (house, reader) = refreshing(&world).await;
    let door = house.door();
    let soon = world.clock.now().plus(Duration::from_secs(2));
    let impatient =
        tokio::spawn(async move { door.call_until(Operation::Read, "creds/a", Value::Null, soon).await });
    world.pass(3).await;
    assert_eq!(impatient.await.unwrap().invalid(), "token expired");
    world.idp.let_go();
    assert_eq!(reader.await.unwrap().token(), "token_2");
}

#[tokio::test]
async fn a_handed_in_token_that_a_crash_interrupted_is_tried_once_more() {
    for (turn, fate) in [(Turn::Reusable, Some("token_2")), (Turn::Rotating(Duration::ZERO), None)] {
        let world = World::new();
        let house = world.open().await;
        house.server("mock", A, json!({})).await;
        world.idp.with(A, |realm| realm.turn = turn);
        world.idp.script(A, [Act::Hang]);
        let door = house.door();
        let writing = tokio::spawn(async move {
            door.write("creds/a", json!({ "server": "mock", "refresh_token": "handed in" })).await
        });
        settle().await;
        house.crash().await;
        writing.abort();
        world.idp.let_go();
        settle().await;
        let house = world.open().await;
        world.pass(1).await;
        assert_eq!(world.idp.calls(), 2, "once");
        match fate {
            Some(token) => assert_eq!(house.read("a").await.token(), token),
            None => house.read("a").await.empty(),
        }
        assert_eq!(world.below("intent").await.len(), 0);
        world.check().await;
        house.crash().await;
        let _house = world.open().await;
        world.pass(60).await;
        assert_eq!(world.idp.calls(), 2, "and not at each start");
    }
}

#[tokio::test]
async fn a_handed_in_token_of_before_a_crash_gives_way_to_what_was_connected_since() {
    let world = World::new();
    let house = world.open().await;
    house.server("mock", A, json!({})).await;
    world.idp.script(A, [Act::Hang]);
    let door = house.door();
    let writing = tokio::spawn(async move {
        door.write("creds/a", json!({ "server": "mock", "refresh_token": "handed in" })).await
    });
    settle().await;
    house.crash().await;
    writing.abort();
    let house = world.open_quiet(world.store()).await.unwrap();
    house.connect("a", "mock").await;
    house.crash().await;
    let house = world.open().await;
    world.pass(10).await;
    assert_eq!(house.read("a").await.token(), "token_1");
    let handed = world.told(A).into_iter().filter(|(_, token, _)| token == "handed in").count();
    assert_eq!(handed, 1, "it is not presented any more");
    assert_eq!(world.below("intent").await.len(), 0);
}

#[tokio::test]
async fn a_code_whose_tokens_cannot_be_stored_at_once_is_not_lost() {
    let world = World::new();
    let house = world.open().await;
    house.server("mock", A, json!({})).await;
    for _ in 0..6 {
        house.store.next(Target::Commit, Fault::Refuse);
    }
    let fields = json!({ "server": "mock", "code": "code" });
    let door = house.door();
    let soon = world.clock.now().plus(Duration::from_millis(100));
    let (impatient, sent) = (door.clone(), fields.clone());
    let first =
        tokio::spawn(async move { impatient.call_until(Operation::Update, "creds/a", sent, soon).await });
    let again = tokio::spawn(async move { door.write("creds/a", fields).await });
    world.pass(20).await;
    first.await.unwrap().internal();
    again.await.unwrap().empty();
    assert_eq!(house.read("a").await.token(), "token_1");
    assert_eq!(world.idp.calls(), 1, "the repeated request has the first one's tokens");
}

#[tokio::test]
async fn a_credential_without_refresh_token_just_expires() {
    let world = World::new();
    let house = world.open().await;
    house.server("mock", A, json!({})).await;
    world.idp.with(A, |realm| realm.turn = Turn::None);
    house.connect("a", "mock").await;
    assert_eq!(world.record("a").await.unwrap()["state"], "Idle");
    world.pass(4000).await;
    assert_eq!(house.read("a").await.invalid(), "token expired");
    assert_eq!(world.idp.calls(), 1);
}

#[tokio::test]
async fn lives_under_ten_seconds_are_refreshed_by_reads_only() {
    let world = World::new();
    let house = world.open().await;
    house.server("mock", A, json!({})).await;
    world.idp.lives(A, [json!(9), json!(3600)]);
    house.connect("a", "mock").await;
    world.pass(600).await;
    assert_eq!(world.idp.calls(), 1);
    assert_eq!(house.read("a").await.token(), "token_2");
}

#[tokio::test]
async fn a_changed_interval_moves_what_waits_also_over_a_crash() {
    let world = World::new();
    let house = world.open().await;
    house.server("mock", A, json!({})).await;
    for n in 0..450 {
        house.connect(&format!("c{n}"), "mock").await;
    }
    house.config(json!({ "tune_refresh_check_interval_seconds": 0 })).await;
    world.pass(1).await;
    assert_eq!(world.index("due").await.len(), 0);
    world.check().await;
    house.crash().await;
    let house = world.open_quiet(world.store()).await.unwrap();
    house.config(json!({})).await;
    house.crash().await;
    let _house = world.open().await;
    world.pass(1).await;
    assert_eq!(world.index("due").await.len(), 450);
    world.check().await;
}

#[tokio::test]
async fn a_mount_without_background_work_serves_all_the_same() {
    let world = World::new();
    let house = world.open_quiet(world.store()).await.unwrap();
    house.server("mock", A, json!({})).await;
    world.idp.lives(A, [json!(60), json!(3600)]);
    house.connect("a", "mock").await;
    world.pass(55).await;
    assert_eq!(house.read("a").await.token(), "token_2");
    world.check().await;
}

#[tokio::test]
async fn a_server_that_was_given_up_is_asked_again_when_a_person_connects_by_it() {
    let world = World::new();
    let house = world.open().await;
    house.server("mock", A, json!({})).await;
    world.idp.lives(A, [json!(600), json!(3600)]);
    house.connect("a", "mock").await;
    world.idp.script(A, [Act::Answer(401, json!({ "error": "invalid_client" }), &[])]);
    world.pass(620).await;
    assert_eq!(house.read("a").await.invalid(), "refresh failed: server rejected request: invalid_client");
    assert_eq!(world.idp.calls(), 2);
    house.connect("b", "mock").await;
    world.pass(5).await;
    assert_eq!(house.read("a").await.token(), "token_3", "a success proves the client to be good");
    world.check().await;
}
