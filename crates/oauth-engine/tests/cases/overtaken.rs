//! What arrives when the world has moved on: verdicts about settings that were replaced, answers of the store that were
//! lost, a disk that is full at start. Nothing of it may leave a credential that nobody looks at any more; so time passes
//! here without readers, who would heal it.

use std::time::Duration;

use serde_json::{Value, json};
use vestal_logical::testing::settle;
use vestal_storage::testing::{Fault, Target};
use vestal_storage::{Changes, Place};

use crate::hazards::{presented, reading, world_with};
use crate::idp::Act;
use crate::world::{Got, Json, World};

const A: &str = "a.example";

fn error(code: &str) -> Value {
    json!({ "error": code })
}

/// How often a refresh token was presented.
fn refreshes(world: &World) -> usize {
    world.told(A).into_iter().filter(|(grant, ..)| grant == "refresh_token").count()
}

#[tokio::test]
async fn a_verdict_about_settings_that_were_replaced_meanwhile_holds_nothing() {
    for code in ["invalid_request", "invalid_client"] {
        let (world, house) = world_with(100, json!({})).await;
        world.idp.script(A, [Act::Late(400, error(code))]);
        world.pass(95).await;
        assert_eq!(refreshes(&world), 1, "{code}: it is in the air");
        house.server("mock", A, json!({})).await;
        settle().await;
        world.idp.let_go();
        settle().await;
        world.pass(30).await;
        assert_eq!(refreshes(&world), 2, "{code}: the new settings are tried without anybody asking");
        assert_eq!(house.read("a").await.token(), "token_2", "{code}");
        world.check().await;
    }
}

#[tokio::test]
async fn a_credential_that_is_parked_while_its_server_moves_back_is_woken() {
    let (world, house) = world_with(100, json!({})).await;
    house.server("mock", "b.example", json!({})).await;
    house.store.next(Target::Commit, Fault::Hold);
    world.pass(95).await;
    house.store.holding(1).await;
    let (door, back) = (
        house.door(),
        json!({
            "client_id": "abc", "client_secret": "def", "provider": "custom",
            "provider_options": { "token_url": format!("https://{A}/token"), "auth_style": "in_header" },
        }),
    );
    door.write("servers/mock", back).await.empty();
    house.store.let_go();
    settle().await;
    world.pass(30).await;
    assert_eq!(refreshes(&world), 1);
    assert_eq!(house.read("a").await.token(), "token_2");
    world.check().await;
}

#[tokio::test]
async fn unauthorized_client_is_about_one_credential_when_the_settings_have_served() {
    let (world, house) = world_with(100, json!({})).await;
    for name in ["b", "c"] {
        house.connect(name, "mock").await;
    }
    // What served before a restart has served.
    world.pass(100).await;
    assert_eq!(refreshes(&world), 1);
    house.crash().await;
    let house = world.open().await;
    world.idp.script(A, [Act::Answer(403, error("unauthorized_client"), &[])]);
    world.pass(3600).await;
    let refused: Vec<String> =
        world.told(A).into_iter().filter(|one| one.2 == "answered 403").map(|one| one.1).collect();
    assert_eq!(refused.len(), 1);
    assert_eq!(presented(&world, &refused[0]).len(), 1, "it is not presented again");
    let mut texts = Vec::new();
    for name in ["a", "b", "c"] {
        match house.read(name).await {
            Got::Failed(_, text) => texts.push(text),
            other => drop(other.token()),
        }
    }
    assert_eq!(texts, ["refresh failed: server rejected request: unauthorized_client"], "the others go on");
}

/// Readers note that its server went elsewhere, just when the server comes back.
#[tokio::test]
async fn a_reader_who_notes_something_keeps_no_credential_from_being_woken() {
    let (world, house) = world_with(100, json!({})).await;
    house.server("mock", "b.example", json!({})).await;
    world.pass(100).await;
    assert!(world.record("a").await.unwrap()["state"].get("Parked").is_some());
    house.store.next(Target::Commit, Fault::Hold);
    let door = house.door();
    let back =
        tokio::spawn(async move {
            door.write("servers/mock", json!({
            "client_id": "abc", "client_secret": "def", "provider": "custom",
            "provider_options": { "token_url": format!("https://{A}/token"), "auth_style": "in_header" },
        }))
        .await
        });
    house.store.holding(1).await;
    house.store.next(Target::Commit, Fault::Hold);
    house.store.let_go();
    back.await.unwrap().empty();
    // The commit that wakes it waits, and finds another stamp then.
    house.store.holding(1).await;
    let place = Place::root().plain("cred").leaf("a");
    let seen = world.look().get::<Json>(&place).await.unwrap().unwrap();
    let mut noted = Changes::new();
    noted.put(&house.view(), &place, &seen.value).unwrap();
    house.view().commit(noted).await.unwrap();
    house.store.let_go();
    settle().await;
    world.pass(60).await;
    assert_eq!(house.read("a").await.token(), "token_2");
    world.check().await;
}

#[tokio::test]
async fn a_client_that_never_served_is_refused_as_a_whole() {
    let (world, house) = world_with(100, json!({})).await;
    house.connect("b", "mock").await;
    house.server("mock", A, json!({})).await;
    world.idp.with(A, |realm| realm.always = Some(Act::Answer(403, error("unauthorized_client"), &[])));
    world.pass(7200).await;
    assert_eq!(refreshes(&world), 1, "one call tells enough");
    for name in ["a", "b"] {
        let text = house.read(name).await.invalid();
        assert_eq!(text, "refresh failed: server rejected request: unauthorized_client");
    }
    world.idp.with(A, |realm| realm.always = None);
    house.server("mock", A, json!({})).await;
    world.pass(60).await;
    assert_eq!(refreshes(&world), 3);
}

#[tokio::test]
async fn a_commit_of_unknown_fate_leaves_nothing_asleep() {
    let mut commits = 0;
    loop {
        let (world, house) = world_with(100, json!({})).await;
        let before = house.store.operations();
        for _ in 0..commits {
            // Only the last of these faults is met at the place that is looked for.
            house.store.next(Target::Commit, Fault::Undetermined { written: true });
        }
        world.pass(95).await;
        world.pass(60).await;
        assert!(house.store.operations() > before);
        assert_eq!(refreshes(&world), 1, "{commits} commits of unknown fate");
        world.pass(3600).await;
        assert_eq!(refreshes(&world), 2, "{commits} commits of unknown fate: it goes on");
        world.check().await;
        commits += 1;
        if commits > 3 {
            return;
        }
    }
}

#[tokio::test]
async fn connecting_with_a_commit_of_unknown_fate_is_scheduled_all_the_same() {
    let world = World::new();
    let house = world.open().await;
    house.server("mock", A, json!({})).await;
    world.idp.lives(A, [json!(100), json!(3600)]);
    house.store.next(Target::Commit, Fault::Undetermined { written: true });
    let door = house.door();
    let writing =
        tokio::spawn(
            async move { door.write("creds/a", json!({ "server": "mock", "code": "code 1" })).await },
        );
    settle().await;
    world.pass(5).await;
    writing.await.unwrap().empty();
    world.pass(95).await;
    assert_eq!(refreshes(&world), 1, "nobody read it");
}

#[tokio::test]
async fn a_full_disk_at_start_leaves_no_house_closed() {
    let (world, house) = world_with(100, json!({})).await;
    world.idp.script(A, [Act::Hang]);
    world.pass(60).await;
    house.crash().await;
    let store = world.store();
    store.next(Target::Commit, Fault::Refuse);
    let house = world.open_on(store).await.expect("an intent that cannot be marked says the same unmarked");
    world.pass(60).await;
    assert_eq!(house.read("a").await.token(), "token_2");
    world.check().await;
}

#[tokio::test]
async fn a_reader_who_comes_after_a_flight_gets_one_of_his_own() {
    let (world, house) = world_with(100, json!({})).await;
    house.config(json!({ "tune_refresh_check_interval_seconds": 0 })).await;
    world.idp.lives(A, [json!(130), json!(190), json!(250)]);
    // The lesson that the token is reusable is written behind the first refresh.
    world.idp.with(A, |realm| realm.turn = crate::idp::Turn::Reusable);
    assert_eq!(house.read_min("a", 110).await.token(), "token_2");
    assert_eq!(house.read_min("a", 140).await.token(), "token_3");
    assert_eq!(house.read_min("a", 200).await.token(), "token_4");
}

#[tokio::test]
async fn readers_of_a_token_that_cannot_be_had_now_hear_why_whoever_of_them_asked_first() {
    let (world, house) = world_with(100, json!({})).await;
    house.connect("b", "mock").await;
    house.config(json!({ "tune_refresh_check_interval_seconds": 0 })).await;
    world.pass(4000).await;
    world.idp.with(A, |realm| realm.always = Some(Act::Answer(401, error("invalid_client"), &[])));
    for name in ["a", "b"] {
        let text = house.read(name).await.invalid();
        assert_eq!(text, "refresh failed: server rejected request: invalid_client", "{name}");
    }
    assert_eq!(refreshes(&world), 1);
}

#[tokio::test]
async fn tokens_without_a_credential_are_kept_and_there_is_an_end_to_them() {
    let (world, house) = world_with(100, json!({})).await;
    world.idp.script(A, [Act::Hang]);
    world.pass(60).await;
    house.door().delete("creds/a").await.empty();
    world.idp.let_go();
    settle().await;
    assert_eq!(world.below("orphan").await.len(), 1);
    world.idp.lives(A, [json!(5)]);
    for n in 0..1_010 {
        house.connect("b", "mock").await;
        world.clock.advance(Duration::from_millis(1)).await;
        world.idp.script(A, [Act::Hang]);
        let reader = reading(&house.door(), "b");
        settle().await;
        house.door().delete("creds/b").await.empty();
        world.idp.let_go();
        let _ = reader.await.unwrap();
        assert!(world.below("orphan").await.len() <= 1_000, "{n}");
    }
    assert_eq!(world.below("orphan").await.len(), 1_000);
}
