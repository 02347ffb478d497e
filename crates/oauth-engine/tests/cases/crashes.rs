//! Every crash: a scenario is run again and again, dying at its first operation on the store, its second, and so on,
//! before and after the operation takes effect; then the house is built again on what was durable.
//!
//! What must hold afterwards: index and records agree; what was acknowledged is there; no refresh token was presented
//! without a durable intent, nor more often than its provider's rule allows; and every credential goes on, unless an
//! answer was on its way when the house burnt and the provider forgives nothing, and then it says so.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use vestal_logical::testing::settle;
use vestal_storage::testing::Fault;

use crate::idp::{Presented, Turn};
use crate::world::{Got, World};

const A: &str = "a.example";
const LOST: &str = "the answer to an earlier refresh was lost";

/// How a provider treats refresh tokens, and what its server's settings say of it.
#[derive(Clone, Copy)]
struct Sort {
    turn: Turn,
    rotation: &'static str,
    /// Whether nothing at all may be lost.
    forgives: bool,
    /// How often one token may be presented.
    most: usize,
    /// The same, however many crashes there are.
    most_in_a_storm: usize,
}

const SORTS: [Sort; 4] = [
    Sort {
        turn: Turn::Reusable,
        rotation: "reusable",
        forgives: true,
        most: usize::MAX,
        most_in_a_storm: usize::MAX,
    },
    Sort {
        turn: Turn::Rotating(Duration::from_secs(30)),
        rotation: "grace:30",
        forgives: true,
        most: 5,
        // 0, 1, 3, 7 and 15 seconds after the first repetition, which comes at once; the next one would be too late.
        most_in_a_storm: 6,
    },
    Sort {
        turn: Turn::Rotating(Duration::from_secs(30)),
        rotation: "",
        forgives: true,
        most: 2,
        most_in_a_storm: 2,
    },
    Sort {
        turn: Turn::Rotating(Duration::ZERO),
        rotation: "single",
        forgives: false,
        most: 2,
        most_in_a_storm: 2,
    },
];

/// What a scenario heard back.
#[derive(Default)]
struct Heard {
    connected: bool,
    handed_in: bool,
    deleted: bool,
}

/// Drives a call while time goes on, for calls that wait.
async fn drive(world: &World, call: impl Future<Output = Got>) -> Got {
    tokio::pin!(call);
    loop {
        tokio::select! {
            biased;
            done = &mut call => return done,
            () = world.clock.advance(Duration::from_secs(5)) => {}
        }
    }
}

/// Connects two credentials, lets one be refreshed by the schedule and by a reader, replaces the other one, deletes a
/// third. Every answer may be a failure.
async fn scenario(world: &World, store: std::sync::Arc<vestal_storage::testing::FaultStore>) -> Heard {
    let mut heard = Heard::default();
    let Ok(house) = world.open_on(store).await else { return heard };
    let door = house.door();
    let code = json!({ "server": "mock", "code": "code 1" });
    heard.connected = matches!(drive(world, door.write("creds/a", code)).await, Got::Empty);
    let third = json!({ "server": "mock", "code": "code 2" });
    if matches!(drive(world, door.write("creds/c", third)).await, Got::Empty) {
        heard.deleted = matches!(drive(world, door.delete("creds/c")).await, Got::Empty);
    }
    let token = json!({ "server": "mock", "refresh_token": "handed in" });
    heard.handed_in = matches!(drive(world, door.write("creds/b", token)).await, Got::Empty);
    for _ in 0..19 {
        // Someone builds the house again soon after it burnt.
        if !house.store.has_ended() {
            world.pass(5).await;
        }
    }
    drive(world, door.read("a")).await;
    drive(world, door.read_min("b", 3000)).await;
    settle().await;
    house.crash().await;
    heard
}

/// Looks whether everything holds; how many credentials were lost, each with an answer on its way.
async fn check(world: &World, sort: Sort, heard: &Heard, crash: &str) -> u64 {
    let mut lost = 0;
    let house = world.open().await;
    settle().await;
    world.check().await;
    assert!(!heard.deleted || world.record("c").await.is_none(), "{crash}: what was deleted is back");
    // Past the end of whatever is stored, so that each must have been refreshed.
    for _ in 0..40 {
        world.pass(100).await;
    }
    world.check().await;
    for (name, acknowledged) in [("a", heard.connected), ("b", heard.handed_in)] {
        match drive(world, house.read(name)).await {
            Got::Data(..) => {}
            Got::Empty => assert!(!acknowledged, "{crash}: `{name}` was acknowledged and has gone"),
            Got::Failed(_, text) => {
                assert!(text.contains(LOST), "{crash}: `{name}` does not go on and does not say why: {text}");
                assert!(!sort.forgives, "{crash}: `{name}` was lost with a provider that forgives");
                let record = world.record(name).await.unwrap();
                let held = &record["tokens"]["refresh_token"];
                let spent = |one: &Presented| one.grant == "refresh_token" && one.fate == "issued";
                let on_its_way = world.idp.ledger().iter().any(|one| spent(one) && *held == one.token);
                assert!(on_its_way, "{crash}: `{name}` was lost though no answer was on its way: {record}");
                lost += 1;
            }
        }
    }
    assert_eq!(world.below("intent").await.len(), 0, "{crash}: an intent was left behind");
    let mut presented: BTreeMap<String, usize> = BTreeMap::new();
    for one in world.idp.ledger() {
        if one.grant == "refresh_token" {
            assert!(one.intended, "{crash}: {} was presented without a durable intent", one.token);
            *presented.entry(one.token).or_default() += 1;
        }
    }
    let most = presented.values().max().copied().unwrap_or(0);
    assert!(most <= sort.most, "{crash}: {presented:?}");
    lost
}

async fn prepared(sort: Sort) -> World {
    let world = World::new();
    world.idp.with(A, |realm| realm.turn = sort.turn);
    world.idp.lives(A, [json!(100), json!(100), json!(100), json!(3600)]);
    let house = world.open_quiet(world.store()).await.unwrap();
    house.server("mock", A, json!({ "rotation": sort.rotation })).await;
    house.crash().await;
    world
}

/// How many crashes there were, and how many credentials they lost.
async fn every_crash(sort: Sort) -> (u64, u64) {
    let (mut crashes, mut lost) = (0, 0);
    for k in 1.. {
        for fault in [Fault::Crash, Fault::CrashAfter] {
            let world = prepared(sort).await;
            let store = world.store();
            store.at(k, fault);
            let heard = scenario(&world, std::sync::Arc::clone(&store)).await;
            let ran_through = store.operations() < k;
            let crash = format!("{} {fault:?} at {k}", sort.rotation);
            lost += check(&world, sort, &heard, &crash).await;
            if ran_through {
                assert!(heard.connected && heard.handed_in && heard.deleted);
                return (crashes, lost);
            }
            crashes += 1;
        }
    }
    (crashes, lost)
}

#[tokio::test]
async fn h03_nothing_is_lost_at_any_crash_with_a_provider_whose_tokens_stay() {
    assert!(every_crash(SORTS[0]).await.0 > 60);
}

#[tokio::test]
async fn h03_nothing_is_lost_at_any_crash_with_a_provider_that_forgives() {
    assert!(every_crash(SORTS[1]).await.0 > 60);
}

#[tokio::test]
async fn h03_nothing_is_lost_at_any_crash_with_a_provider_of_which_nothing_is_known() {
    assert!(every_crash(SORTS[2]).await.0 > 60);
}

#[tokio::test]
async fn h03_only_an_answer_on_its_way_is_lost_with_a_provider_that_forgives_nothing() {
    let (crashes, lost) = every_crash(SORTS[3]).await;
    assert!(crashes > 60);
    assert!(lost > 0, "no crash fell between an answer and its being durable");
}

/// As [`every_crash`], with a store that refuses one operation, or leaves its fate unknown, and goes on.
#[tokio::test]
async fn h06_no_single_refusal_of_the_store_loses_anything() {
    for sort in [SORTS[1], SORTS[3]] {
        let mut refusals = 0;
        for k in 1.. {
            let mut ran_through = false;
            for fault in
                [Fault::Refuse, Fault::Undetermined { written: true }, Fault::Undetermined { written: false }]
            {
                let world = prepared(sort).await;
                let store = world.store();
                store.at(k, fault);
                let heard = scenario(&world, std::sync::Arc::clone(&store)).await;
                ran_through = store.operations() < k;
                refusals += u64::from(!ran_through);
                let nothing_lost = Sort { forgives: true, ..sort };
                check(&world, nothing_lost, &heard, &format!("{} {fault:?} at {k}", sort.rotation)).await;
            }
            if ran_through {
                break;
            }
        }
        assert!(refusals > 90, "{}: only {refusals} operations were refused", sort.rotation);
    }
}

/// Whatever is due, a restart asks for it no more than once: many restarts in a row are bounded.
#[tokio::test]
async fn h10_a_storm_of_restarts_presents_no_token_more_often_than_its_rule_allows() {
    for sort in SORTS {
        let world = prepared(sort).await;
        let house = world.open().await;
        for n in 0..20 {
            house.connect_with(&format!("c{n}"), json!({ "server": "mock" })).await;
        }
        world.idp.with(A, |realm| realm.always = Some(crate::idp::Act::RequestLost));
        world.pass(60).await;
        house.crash().await;
        for _ in 0..30 {
            let house = world.open().await;
            world.clock.advance(Duration::from_millis(300)).await;
            house.crash().await;
        }
        let mut presented: BTreeMap<String, usize> = BTreeMap::new();
        for one in world.idp.ledger() {
            *presented.entry(one.token).or_default() += 1;
        }
        let most = presented.values().max().copied().unwrap_or(0);
        // One that is used once waits for its last moment, which the storm does not reach.
        assert_eq!(most > 1, sort.rotation != "single", "{}: {presented:?}", sort.rotation);
        assert!(most <= sort.most_in_a_storm, "{}: {presented:?}", sort.rotation);
        let calls = world.idp.calls();
        assert!(calls < 20 + 20 * 12, "{}: {calls} calls in thirty restarts", sort.rotation);
        world.check().await;
        let _: Value = world.record("c1").await.unwrap();
    }
}
