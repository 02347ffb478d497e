//! Reading, listing and deleting credentials: what is answered, and what is refreshed first.

use serde_json::{Value, json};
use vestal_logical::testing::settle;
use vestal_logical::{Kind, Operation, Timestamp};

use crate::idp::{Act, Turn};
use crate::world::{Got, House, START, World};

pub(crate) const A: &str = "a.example";
pub(crate) const GONE: &str =
    "server \"mock\" has configuration problems: server configuration does not exist (was it deleted?)";

pub(crate) async fn house(world: &World) -> House {
    let house = world.open().await;
    house.server("mock", A, json!({})).await;
    house
}

/// No refreshing in the background, as in the reference's own tests.
pub(crate) async fn quiet_house(world: &World) -> House {
    let house = house(world).await;
    house.config(json!({ "tune_refresh_check_interval_seconds": 0 })).await;
    house
}

fn ahead(data: &Value, world: &World) -> u64 {
    use vestal_logical::Clock;
    Timestamp::parse(data["expire_time"].as_str().unwrap()).unwrap().since(world.clock.now()).as_secs()
}

#[tokio::test]
async fn row_008_refresh_failure_returns_not_configured() {
    let world = World::new();
    let house = quiet_house(&world).await;
    world.idp.lives(A, [json!(2)]);
    house.connect("a", "mock").await;
    world.idp.script(A, [Act::Answer(500, json!({}), &[])]);
    assert_eq!(house.read("a").await.invalid(), "token expired");
}

#[tokio::test]
async fn rows_010_to_015_auth_code_maximum_expiry() {
    // row, life, cap, whether there is a refresh token, seconds that pass, token, most seconds ahead
    let cases = [
        (10, Value::Null, 120, true, 0, Some(("token_1", 120))),
        (11, Value::Null, 2, false, 0, None),
        (12, Value::Null, 120, true, 115, Some(("token_2", 120))),
        (13, json!(7200), 120, true, 0, Some(("token_1", 120))),
        (14, json!(7200), 120, true, 115, Some(("token_2", 120))),
        (15, json!(7200), 86_400, true, 0, Some(("token_1", 7200))),
    ];
    for (row, life, cap, refreshable, seconds, expected) in cases {
        let world = World::new();
        let house = quiet_house(&world).await;
        world.idp.lives(A, [life]);
        world.idp.with(A, |realm| realm.turn = if refreshable { Turn::Reusable } else { Turn::None });
        house.connect_with("a", json!({ "server": "mock", "maximum_expiry_seconds": cap })).await;
        world.pass(seconds).await;
        let got = house.read("a").await;
        match expected {
            None => assert_eq!(got.invalid(), "token expired", "row {row}"),
            Some((token, most)) => {
                let data = got.data();
                assert_eq!(data["access_token"], token, "row {row}");
                assert_eq!(data["maximum_expiry_seconds"], cap, "row {row}");
                assert!(
                    ahead(&data, &world) <= most && ahead(&data, &world) + 5 >= most.min(7200),
                    "row {row}"
                );
            }
        }
    }
}

#[tokio::test]
async fn row_039_only_what_expires_is_refreshed_and_before_it_expires() {
    let world = World::new();
    let house = house(&world).await;
    for (name, life) in [("first", Value::Null), ("second", Value::Null), ("third", json!(65))] {
        world.idp.lives(A, [life]);
        house.connect(name, "mock").await;
    }
    world.idp.lives(A, [json!(3600)]);
    world.pass(54).await;
    assert_eq!(world.idp.calls(), 4, "the third is refreshed, once");
    assert_eq!(house.read("third").await.token(), "token_4");
    assert_eq!(house.read("first").await.token(), "token_1");
    let at = world.idp.ledger()[3].at.since(START).as_secs();
    assert!((29..=33).contains(&at), "half of its life, and the jitter, before its end: {at}");
    world.check().await;
}

#[tokio::test]
async fn row_040_tune_refresh_check_interval() {
    let world = World::new();
    let house = house(&world).await;
    world.idp.lives(A, [json!(43_200), json!(5), json!(30)]);
    house.config(json!({ "tune_refresh_check_interval_seconds": "1m" })).await;
    house.connect("a", "mock").await;
    assert_eq!(house.read("a").await.token(), "token_1");
    world.pass(20_000).await;
    assert_eq!(world.idp.calls(), 1, "an hour before the end is early enough");
    house.config(json!({ "tune_refresh_check_interval_seconds": "24h" })).await;
    world.pass(2000).await;
    assert_eq!(world.idp.calls(), 2, "the longer lead takes it up before half of its life is over");
    house.config(json!({ "tune_refresh_check_interval_seconds": 0 })).await;
    world.pass(5000).await;
    assert_eq!(world.idp.calls(), 2, "five seconds are for reads only, and now everything is");
    assert_eq!(house.read("a").await.token(), "token_3");
    world.pass(25).await;
    assert_eq!(world.idp.calls(), 3);
    house.config(json!({ "tune_refresh_check_interval_seconds": "1m" })).await;
    world.pass(1).await;
    assert_eq!(world.idp.calls(), 4, "the index is laid out anew");
    assert_eq!(house.read("a").await.token(), "token_4");
    world.check().await;
}

#[tokio::test]
async fn rows_041_to_046_minimum_seconds() {
    let world = World::new();
    let house = quiet_house(&world).await;
    world.idp.lives(A, [Value::Null]);
    house.connect("first", "mock").await;
    assert_eq!(house.read("first").await.token(), "token_1", "row 41");
    assert_eq!(house.read_min("first", 10).await.token(), "token_1", "row 42");
    world.idp.with("b.example", |realm| realm.prefix = "second".to_owned());
    world.idp.lives("b.example", [json!(100), json!(130), json!(160), json!(190)]);
    house.server("b", "b.example", json!({})).await;
    house.connect("second", "b").await;
    let data = house.read_min("second", 110).await.data();
    assert_eq!(data["access_token"], "second_2", "row 43");
    assert!(data["expire_time"].is_string(), "row 43");
    assert_eq!(house.read_min("second", 120).await.token(), "second_2", "row 44");
    assert_eq!(house.read_min("second", 140).await.token(), "second_3", "row 45");
    assert_eq!(house.read_min("second", 200).await.invalid(), "token expired", "row 46");
    assert_eq!(house.read("second").await.token(), "second_4", "row 46: the shorter one is kept");
}

#[tokio::test]
async fn row_047_server_deleted_from_under_cred() {
    let world = World::new();
    let house = quiet_house(&world).await;
    world.idp.lives(A, [json!(30)]);
    house.connect("a", "mock").await;
    assert_eq!(house.read("a").await.token(), "token_1");
    house.door().delete("servers/mock").await.empty();
    world.pass(60).await;
    assert_eq!(house.read("a").await.invalid(), GONE);
    let other = json!({
        "client_id": "other", "client_secret": "x", "provider": "custom",
        "provider_options": { "token_url": format!("https://{A}/elsewhere"), "auth_style": "in_header" },
    });
    house.door().write("servers/mock", other).await.empty();
    assert_eq!(house.read("a").await.token(), "token_2", "another client at the same origin goes on");
}

#[tokio::test]
async fn row_047_and_w32_a_server_at_another_origin_gets_no_token_of_the_old_one() {
    let world = World::new();
    let house = house(&world).await;
    world.idp.lives(A, [json!(600)]);
    house.connect("a", "mock").await;
    house.server("mock", "evil.example", json!({})).await;
    world.pass(595).await;
    assert_eq!(world.told("evil.example"), []);
    let text = house.read("a").await.invalid();
    assert!(text.starts_with("server \"mock\" has configuration problems: "), "{text}");
    assert!(text.contains("another origin"), "{text}");
    world.check().await;
    assert_eq!(world.index("parked").await.len(), 1);
    house.server("mock", A, json!({})).await;
    world.pass(1).await;
    assert_eq!(house.read("a").await.token(), "token_2", "rewriting it back wakes what waits");
    world.check().await;
}

#[tokio::test]
async fn x14_to_x17_minimum_seconds_with_failures() {
    let world = World::new();
    let house = quiet_house(&world).await;
    house.connect_with("a", json!({ "server": "mock", "maximum_expiry_seconds": 120 })).await;
    assert_eq!(house.read_min("a", 300).await.invalid(), "token expired", "X14");
    assert_eq!(world.idp.calls(), 2, "X14: one refresh");
    assert_eq!(house.read("a").await.token(), "token_2", "X14: the new one is kept");

    world.idp.script(A, [Act::Answer(500, json!({}), &[])]);
    assert_eq!(house.read_min("a", 300).await.invalid(), "token expired", "X15");
    let warnings = house.read("a").await.warnings();
    let expected = "1 attempt(s) to refresh this token failed, most recently: \
                    refresh failed: oauth2: cannot fetch token: 500 Internal Server Error";
    assert_eq!(warnings, [expected], "X15");

    world.idp.script(A, [Act::Answer(400, json!({ "error": "invalid_grant" }), &[])]);
    let refused = "refresh failed: server rejected request: invalid_grant";
    assert_eq!(house.read_min("a", 300).await.invalid(), refused, "X16");
    assert_eq!(house.read("a").await.warnings(), [format!("token will expire: {refused}")], "X16");

    house.door().delete("servers/mock").await.empty();
    assert_eq!(house.read_min("a", 300).await.invalid(), GONE, "X17");
    let got = house.read("a").await;
    assert_eq!(got.warnings(), [GONE], "X17: it wins over the user error");
    assert_eq!(house.read("a").await.token(), "token_2", "X17");

    house.server("mock", A, json!({})).await;
    assert_eq!(house.read_min("a", 300).await.invalid(), refused, "the server is there again");
    assert_eq!(house.read("a").await.warnings(), [format!("token will expire: {refused}")]);
    assert_eq!(world.idp.calls(), 4, "nobody was called for what is broken");
    world.check().await;
}

#[tokio::test]
async fn x18_twenty_readers_of_an_expired_credential_cause_one_refresh() {
    let world = World::new();
    let house = quiet_house(&world).await;
    world.idp.lives(A, [json!(5), json!(3600)]);
    house.connect("a", "mock").await;
    world.idp.script(A, [Act::Hang]);
    let readers: Vec<_> = (0..20)
        .map(|_| {
            let door = house.door();
            tokio::spawn(async move { door.read("a").await.token() })
        })
        .collect();
    settle().await;
    world.idp.let_go();
    for reader in readers {
        assert_eq!(reader.await.unwrap(), "token_2");
    }
    assert_eq!(world.idp.calls(), 2);
}

#[tokio::test]
async fn x19_an_answer_without_refresh_token_keeps_the_old_one() {
    let world = World::new();
    let house = quiet_house(&world).await;
    world.idp.with(A, |realm| realm.turn = Turn::Reusable);
    world.idp.lives(A, [json!(5)]);
    house.connect("a", "mock").await;
    house.read("a").await.invalid();
    house.read("a").await.invalid();
    let told: Vec<String> = world.told(A).into_iter().skip(1).map(|(_, token, _)| token).collect();
    assert_eq!(told, ["refresh_1", "refresh_1"]);
}

#[tokio::test]
async fn x20_lifetimes_as_providers_write_them() {
    // life, expire_time shown, seconds until a refresh in the background
    let cases = [
        (json!(0), None, Some(3600)),
        (Value::Null, None, None),
        (json!("3600"), Some("2027-01-15T09:00:00Z"), Some(3600)),
        (json!(99_999_999_999_u64), Some("2095-02-02T11:14:07Z"), None),
    ];
    for (life, shown, refreshed) in cases {
        let world = World::new();
        let house = house(&world).await;
        world.idp.lives(A, [life.clone()]);
        house.connect("a", "mock").await;
        let data = house.read("a").await.data();
        assert_eq!(data.get("expire_time").and_then(Value::as_str), shown, "{life}");
        world.idp.lives(A, [Value::Null]);
        world.pass(refreshed.unwrap_or(86_400)).await;
        assert_eq!(world.idp.calls(), 1 + usize::from(refreshed.is_some()), "{life}");
    }
}

#[tokio::test]
async fn x30_minimum_seconds_as_clients_write_it() {
    let world = World::new();
    let house = house(&world).await;
    house.connect("a", "mock").await;
    let cases = [
        (json!("abc"), false),
        (json!("-5"), false),
        (json!("1.5"), false),
        (json!(["1", "2"]), false),
        (json!(""), true),
        (json!("2m"), true),
    ];
    for (value, good) in cases {
        let got = house.call(Operation::Read, "creds/a", json!({ "minimum_seconds": value })).await;
        match got {
            Got::Data(..) => assert!(good, "{value}"),
            Got::Failed(Kind::Invalid, text) => {
                assert!(!good && text.contains("\"minimum_seconds\""), "{value}: {text}");
            }
            other => panic!("{value}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn x32_listing_and_operations_that_are_not_offered() {
    let world = World::new();
    let house = house(&world).await;
    house.call(Operation::List, "creds/", Value::Null).await.empty();
    for name in ["b/c", "a", "b"] {
        house.connect(name, "mock").await;
    }
    let listed = house.call(Operation::List, "creds/", Value::Null).await.data();
    assert_eq!(listed, json!({ "keys": ["a", "b", "b/c"] }), "whole names, slashes and all");
    let cases = [
        (Operation::List, "creds/x/", Kind::Unsupported),
        (Operation::Patch, "creds/a", Kind::Unsupported),
        (Operation::Header, "creds/a", Kind::Unsupported),
        (Operation::Read, "creds", Kind::UnsupportedPath),
        (Operation::Read, "status/a", Kind::UnsupportedPath),
        (Operation::Read, "self/a", Kind::UnsupportedPath),
        (Operation::Read, "sts/a", Kind::UnsupportedPath),
    ];
    for (operation, path, kind) in cases {
        match house.call(operation, path, Value::Null).await {
            Got::Failed(found, _) => assert_eq!(found, kind, "{operation:?} {path}"),
            other => panic!("{operation:?} {path}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn absent_credentials_read_as_nothing_and_delete_as_done() {
    let world = World::new();
    let house = house(&world).await;
    for name in ["a", "a/", "a/b"] {
        house.read(name).await.empty();
        house.door().delete(&format!("creds/{name}")).await.empty();
    }
    house.connect("a", "mock").await;
    house.read("a/").await.empty();
    house.door().delete("creds/a").await.empty();
    house.read("a").await.empty();
    assert_eq!(world.index("due").await.len(), 0);
    assert_eq!(world.below("cred").await.len(), 0);
}

#[tokio::test]
async fn a_credential_never_shows_its_refresh_token() {
    let world = World::new();
    let house = house(&world).await;
    house.connect_with("a", json!({ "server": "mock", "maximum_expiry_seconds": 60 })).await;
    let data = house.read("a").await.data();
    let keys: Vec<&String> = data.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["access_token", "expire_time", "maximum_expiry_seconds", "server", "type"]);
}

#[tokio::test]
async fn exactly_at_the_boundary_a_token_is_still_good() {
    let world = World::new();
    let house = quiet_house(&world).await;
    world.idp.with(A, |realm| realm.turn = Turn::None);
    world.idp.lives(A, [json!(100)]);
    house.connect("a", "mock").await;
    world.pass(90).await;
    assert_eq!(house.read("a").await.token(), "token_1");
    world.clock.advance(std::time::Duration::from_nanos(1)).await;
    assert_eq!(house.read("a").await.invalid(), "token expired");
}
