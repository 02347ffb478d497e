//! What it costs when there are many: counted in keys read and calls made, never in time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use vestal_logical::testing::settle;
use vestal_storage::testing::Counting;
use vestal_storage::{Changes, Empty, Place};

use crate::world::{Json, START, World};

const A: &str = "a.example";

/// A world with that many credentials of one server, all issued at the start and due within three minutes of each other.
async fn crowded(count: u64) -> (World, Arc<Counting>) {
    let disk = Arc::new(Counting::default());
    let world = World::on(Arc::<Counting>::clone(&disk));
    let house = world.open().await;
    house.server("mock", A, json!({})).await;
    house.server("other", "b.example", json!({})).await;
    house.connect("first", "mock").await;
    settle().await;
    let Some(mut record) = world.record("first").await else { panic!("nothing was connected") };
    house.door().delete("creds/first").await.empty();
    let view = house.view();
    let group = view.id(&Place::root().plain("server").leaf("mock")).unwrap().to_string();
    for thousand in 0..count.div_ceil(1000) {
        let mut changes = Changes::new();
        for n in thousand * 1000..count.min(thousand * 1000 + 1000) {
            let at = START.plus(Duration::from_secs(3060 + n % 180));
            record["due"] = json!(at.to_string());
            record["tokens"]["refresh_token"] = json!(format!("handed in {n}"));
            let place = Place::root().plain("cred").leaf(format!("c{n}"));
            let id = view.id(&place).unwrap().to_string();
            let entry = Place::root().plain("due").plain(&group).plain(at.index_word()).plain(id);
            changes.put(&view, &place, &Json(record.clone())).unwrap().put(&view, &entry, &Empty).unwrap();
        }
        view.commit(changes).await.unwrap();
    }
    house.crash().await;
    (world, disk)
}

#[tokio::test]
async fn reading_a_good_token_is_one_get_of_the_store() {
    let (world, disk) = crowded(50).await;
    let house = world.open().await;
    house.read("c7").await.token();
    disk.taken();
    for n in 0..50 {
        house.read(&format!("c{n}")).await.token();
    }
    assert_eq!(disk.taken(), (50, 0, 0));
}

#[tokio::test]
async fn a_hundred_thousand_credentials_cost_what_is_due_and_not_what_is_there() {
    let count = 100_000;
    let (world, disk) = crowded(count).await;
    disk.taken();
    let house = world.open().await;
    settle().await;
    let (gets, keys, commits) = disk.taken();
    assert!(keys < 1200 && gets < 50 && commits <= 1, "opening read {keys} keys and {gets} records");
    world.pass(3000).await;
    let (gets, keys, commits) = disk.taken();
    assert_eq!((gets, keys, commits), (0, 0, 0), "an hour's pause costs nothing");
    // A credential of another server is due in the midst of them.
    world.idp.lives("b.example", [json!(20), json!(7200)]);
    house.connect("single", "other").await;
    disk.taken();
    world.pass(15).await;
    let (gets, keys, commits) = disk.taken();
    assert_eq!(world.told("b.example").len(), 2);
    assert!(gets < 20 && keys < 20 && commits < 5, "one refresh read {keys} keys and {gets} records");
}

#[tokio::test]
async fn h10_thousands_due_at_once_reach_the_provider_as_a_steady_row() {
    let count = 5000;
    let (world, disk) = crowded(count).await;
    // All are overdue when the house opens again.
    world.pass(4000).await;
    world.idp.lives(A, [json!(86_400)]);
    disk.taken();
    let house = world.open().await;
    world.pass(60).await;
    let mut seconds: BTreeMap<u64, usize> = BTreeMap::new();
    for one in world.idp.ledger().into_iter().filter(|one| one.grant == "refresh_token") {
        *seconds.entry(one.at.since(START).as_secs()).or_default() += 1;
    }
    let (total, most) = (seconds.values().sum::<usize>(), seconds.values().max().copied().unwrap());
    assert_eq!(total as u64, count, "each once");
    assert!(most <= 440, "{most} calls in one second");
    let (_, keys, _) = disk.taken();
    assert!(keys < 40 * count, "{keys} keys were read for {count} refreshes");
    assert_eq!(house.read("c4999").await.warnings(), [""; 0]);
    world.check().await;
}
