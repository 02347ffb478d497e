//! Writing `creds/<name>`: checks, grants, refusals.

use std::time::Duration;

use serde_json::{Value, json};
use vestal_logical::Operation;
use vestal_logical::testing::settle;

use crate::idp::{Act, Turn};
use crate::world::World;

const A: &str = "a.example";

#[tokio::test]
async fn row_004_basic_auth_code_exchange() {
    let world = World::new();
    let house = world.open().await;
    house.server("mock", A, json!({})).await;
    world.idp.with(A, |realm| realm.turn = Turn::None);
    world.idp.lives(A, [Value::Null]);
    house
        .write("test", json!({ "server": "mock", "code": "code", "redirect_url": "http://r" }))
        .await
        .empty();
    let data = house.read("test").await.data();
    assert_eq!(data, json!({ "server": "mock", "access_token": "token_1", "type": "Bearer" }));
}

#[tokio::test]
async fn row_006_invalid_auth_code_exchange() {
    let world = World::new();
    let house = world.open().await;
    house.server("mock", A, json!({})).await;
    let secrets = json!({
        "client_id": "abc", "client_secrets": ["def", "ghi"], "provider": "custom",
        "provider_options": { "token_url": format!("https://{A}/token"), "auth_style": "in_params" },
    });
    house.door().write("servers/mock", secrets).await.empty();
    let refuse = |code: &str| Act::Answer(401, json!({ "error": code }), &[]);
    world.idp.script(A, [refuse("unauthorized_client"), refuse("invalid_client")]);
    let text = house.write("test", json!({ "server": "mock", "code": "invalid" })).await.invalid();
    assert_eq!(
        text,
        "provider request failed for all client secrets:\
         \n\t\t* exchange failed: server rejected request: unauthorized_client\
         \n\t\t* exchange failed: server rejected request: invalid_client"
    );
    house.read("test").await.empty();
}

#[tokio::test]
async fn row_007_refreshable_auth_code_exchange() {
    let world = World::new();
    let house = world.open().await;
    house.server("mock", A, json!({})).await;
    world.idp.lives(A, [json!(2), json!(600)]);
    let fields = json!({ "server": "mock", "provider_options": { "tenant": "test" } });
    house.connect_with("test", fields).await;
    let data = house.read("test").await.data();
    assert_eq!(data["access_token"], "token_2");
    assert_eq!(data["type"], "Bearer");
    assert_eq!(data["expire_time"], "2027-01-15T08:10:00Z");
    assert_eq!(data["provider_options"], json!({ "tenant": "test" }));
}

#[tokio::test]
async fn rows_024_to_027_multiple_servers() {
    let world = World::new();
    let house = world.open().await;
    for n in 1..=3 {
        let host = format!("{n}.example");
        house.server(&format!("server{n}"), &host, json!({})).await;
        world.idp.with(&host, |realm| realm.prefix = format!("of_{n}"));
        world.idp.lives(&host, [Value::Null]);
        house.connect(&format!("server{n}"), &format!("server{n}")).await;
    }
    for n in 1..=3 {
        let expected =
            json!({ "server": format!("server{n}"), "access_token": format!("of_{n}_1"), "type": "Bearer" });
        assert_eq!(house.read(&format!("server{n}")).await.data(), expected, "row {}", 23 + n);
    }
    let listed = house.call(Operation::List, "servers/", Value::Null).await.data();
    assert_eq!(listed, json!({ "keys": ["server1", "server2", "server3"] }), "row 27");
}

#[tokio::test]
async fn rows_029_to_037_acceptable_credential_names() {
    let world = World::new();
    let house = world.open().await;
    house.server("mock", A, json!({})).await;
    let good = [
        "test",
        "foo/bar/baz",
        "test@REALM.EXAMPLE.COM",
        "test@REALM.EXAMPLE.COM:machine",
        "test@REALM.EXAMPLE.COM/sub",
    ];
    for name in good {
        house.connect(name, "mock").await;
        house.read(name).await.data();
    }
    for name in ["foo/:/bar", "foo:/bar", "foo/bar:/baz", "foo/bar:"] {
        let text = house.write(name, json!({ "server": "mock", "code": "code" })).await.text();
        assert_eq!(text, "unsupported path", "{name}");
    }
}

#[tokio::test]
async fn x03_unknown_fields_are_ignored_on_writes_and_told_on_reads() {
    let world = World::new();
    let house = world.open().await;
    house.server("mock", A, json!({})).await;
    house.connect_with("a", json!({ "server": "mock", "zork": 1 })).await;
    let got = house.call(Operation::Read, "creds/a", json!({ "zork": "1", "bork": "2" })).await;
    assert_eq!(got.warnings(), ["Endpoint ignored these unrecognized parameters: [bork zork]"]);
    let got = house.call(Operation::Read, "creds/a", json!({ "server": "other" })).await;
    assert_eq!(got.warnings(), [""; 0], "a field of the path, though this operation does not use it");
}

#[tokio::test]
async fn x06_to_x08_what_is_missing_or_does_not_fit_is_said_in_order() {
    let world = World::new();
    let house = world.open().await;
    house.server("mock", A, json!({})).await;
    let device = "urn:ietf:params:oauth:grant-type:device_code";
    let no_server =
        "server \"gone\" has configuration problems: server configuration does not exist (was it deleted?)";
    let cases = [
        ("X6", json!({}), "missing server (consider configuring a default server)"),
        ("X6, empty", json!({ "server": "" }), "missing server (consider configuring a default server)"),
        ("X7", json!({ "grant_type": "zork" }), "unknown grant_type"),
        ("X7, empty", json!({ "grant_type": "", "server": "mock" }), "unknown grant_type"),
        ("X7, null", json!({ "grant_type": null, "server": "mock" }), "unknown grant_type"),
        ("X7, case", json!({ "grant_type": "Refresh_Token", "server": "mock" }), "unknown grant_type"),
        ("no such server", json!({ "server": "gone" }), no_server),
        ("no code", json!({ "server": "mock" }), "missing code"),
        (
            "X8, no grant",
            json!({ "server": "mock", "code": "c", "refresh_token": "r" }),
            "cannot use code with refresh_token grant type",
        ),
        (
            "X8, code grant",
            json!({ "server": "mock", "code": "c", "refresh_token": "r", "grant_type": "authorization_code" }),
            "cannot use refresh_token with authorization_code grant type",
        ),
        ("no token", json!({ "server": "mock", "grant_type": "refresh_token" }), "missing refresh_token"),
        (
            "no token, but a code",
            json!({ "server": "mock", "grant_type": "refresh_token", "code": "c" }),
            "missing refresh_token",
        ),
    ];
    for (row, fields, text) in cases {
        assert_eq!(house.write("a", fields).await.invalid(), text, "{row}");
    }
    let text = house.write("a", json!({ "grant_type": device, "server": "mock" })).await.invalid();
    assert!(text.contains(device) && text.contains("not supported yet"), "{text}");
    let text = house.write("a", json!({ "server": "mock", "refresh_token": "" })).await.internal();
    assert_eq!(text, "oauth2: token expired and refresh token is not set");
    assert_eq!(world.idp.calls(), 0);
    house.read("a").await.empty();
}

#[tokio::test]
async fn the_default_server_serves_when_none_is_named_and_is_kept_with_the_credential() {
    let world = World::new();
    let house = world.open().await;
    house.server("first", A, json!({})).await;
    house.server("second", "b.example", json!({})).await;
    house.config(json!({ "default_server": "first" })).await;
    house.connect_with("a", json!({})).await;
    house.config(json!({ "default_server": "second" })).await;
    assert_eq!(house.read("a").await.data()["server"], "first");
}

#[tokio::test]
async fn x09_invalid_grant_text() {
    let world = World::new();
    let house = world.open().await;
    house.server("mock", A, json!({})).await;
    let body = json!({ "error": "invalid_grant", "error_description": "nope", "error_uri": "http://e" });
    world.idp.script(A, [Act::Answer(400, body.clone(), &[]), Act::Answer(400, body, &[])]);
    let text = house.write("a", json!({ "server": "mock", "code": "c" })).await.invalid();
    assert_eq!(text, "exchange failed: server rejected request: invalid_grant: nope (see http://e)");
    let text = house.write("a", json!({ "server": "mock", "refresh_token": "r" })).await.invalid();
    assert_eq!(text, "refresh failed: server rejected request: invalid_grant: nope (see http://e)");
}

#[tokio::test]
async fn x10_other_failures_of_the_provider_are_500_and_leave_the_old_credential_as_it_was() {
    let world = World::new();
    let house = world.open().await;
    house.server("mock", A, json!({})).await;
    house.connect("a", "mock").await;
    let before = world.record("a").await;
    let cases = [
        (403, json!({ "error": "access_denied" }), "server rejected request: access_denied"),
        (400, json!("no object"), "oauth2: cannot fetch token: 400 Bad Request"),
        (404, json!({}), "oauth2: cannot fetch token: 404 Not Found"),
        (500, json!({}), "oauth2: cannot fetch token: 500 Internal Server Error"),
        (429, json!({}), "oauth2: cannot fetch token: 429 Too Many Requests"),
        (200, json!({}), "oauth2: server response missing access_token"),
    ];
    for (status, body, text) in cases {
        for field in ["code", "refresh_token"] {
            world.idp.script(A, [Act::Answer(status, body.clone(), &[])]);
            let fields = json!({ "server": "mock", field: format!("x{status}") });
            assert_eq!(house.write("a", fields).await.internal(), text, "{status} {field}");
        }
    }
    settle().await;
    assert_eq!(world.record("a").await, before);
    assert_eq!(world.below("intent").await.len(), 0);
    assert_eq!(house.read("a").await.token(), "token_1");
}

#[tokio::test]
async fn x12_connection_refused() {
    let world = World::new();
    let house = world.open().await;
    house.server("mock", A, json!({})).await;
    world.idp.script(A, [Act::NotSent]);
    let text = house.write("a", json!({ "server": "mock", "code": "c" })).await.internal();
    assert!(text.starts_with("transient: Post \"https://a.example/token\""), "{text}");
}

#[tokio::test]
async fn x13_a_style_is_found_out_once_and_kept_with_the_server() {
    let world = World::new();
    let house = world.open().await;
    house.server("mock", A, json!({ "auth_style": "" })).await;
    world.idp.script(A, [Act::Answer(401, json!({ "error": "invalid_client" }), &[])]);
    house.connect("a", "mock").await;
    assert_eq!(world.idp.calls(), 2, "header, then parameters");
    house.connect("b", "mock").await;
    assert_eq!(world.idp.calls(), 3, "parameters only");
    house.crash().await;
    let house = world.open().await;
    house.connect("c", "mock").await;
    assert_eq!(world.idp.calls(), 4, "a restart finds nothing out anew");
}

#[tokio::test]
async fn a_handed_in_refresh_token_is_used_once_and_then_kept_fresh() {
    let world = World::new();
    let house = world.open().await;
    house.server("mock", A, json!({})).await;
    house.write("a", json!({ "server": "mock", "refresh_token": "handed in" })).await.empty();
    assert!(world.idp.ledger()[0].intended, "it was presented without a durable intent");
    assert_eq!(house.read("a").await.token(), "token_1");
    world.check().await;
    assert_eq!(world.below("intent").await.len(), 0);
    world.pass(3500).await;
    assert_eq!(house.read("a").await.token(), "token_2");
    let told: Vec<String> = world.told(A).into_iter().map(|(_, token, _)| token).collect();
    assert_eq!(told, ["handed in", "refresh_1"]);
}

/// Clients repeat a request whose answer they did not get; a spent refresh token kills its successor.
#[tokio::test]
async fn a_refresh_token_that_was_replaced_is_not_presented_again_when_the_request_is_repeated() {
    for (turn, calls) in [(Turn::Rotating(Duration::ZERO), 1), (Turn::Reusable, 2)] {
        let world = World::new();
        let house = world.open().await;
        house.server("mock", A, json!({})).await;
        world.idp.with(A, |realm| realm.turn = turn);
        for _ in 0..2 {
            house.write("a", json!({ "server": "mock", "refresh_token": "handed in" })).await.empty();
        }
        assert_eq!(world.idp.calls(), calls, "{turn:?}");
        world.pass(3500).await;
        assert_eq!(house.read("a").await.token(), format!("token_{}", calls + 1), "{turn:?}");
    }
}

#[tokio::test]
async fn a_request_that_a_crash_cut_off_is_repeated_without_another_presentation() {
    let world = World::new();
    let house = world.open().await;
    house.server("mock", A, json!({})).await;
    world.idp.with(A, |realm| realm.turn = Turn::Rotating(Duration::ZERO));
    world.idp.script(A, [Act::Hang]);
    let request = json!({ "server": "mock", "refresh_token": "handed in" });
    let (door, asked) = (house.door(), request.clone());
    let writing = tokio::spawn(async move { door.write("creds/a", asked).await });
    settle().await;
    house.crash().await;
    writing.abort();
    let house = world.open().await;
    settle().await;
    assert_eq!(
        house.read("a").await.token(),
        "token_1",
        "what was handed in is tried once more at the start"
    );
    house.write("a", request).await.empty();
    assert_eq!(world.idp.calls(), 2, "the request that hung, and the one of the start");
    world.pass(3500).await;
    assert_eq!(house.read("a").await.token(), "token_2");
}

#[tokio::test]
async fn the_old_credential_stays_until_a_handed_in_token_is_accepted() {
    let world = World::new();
    let house = world.open().await;
    house.server("mock", A, json!({})).await;
    house.connect("a", "mock").await;
    world.idp.script(A, [Act::Hang]);
    let door = house.door();
    let writing = tokio::spawn(async move {
        door.write("creds/a", json!({ "server": "mock", "refresh_token": "handed in" })).await
    });
    settle().await;
    assert_eq!(house.read("a").await.token(), "token_1");
    world.idp.let_go();
    writing.await.unwrap().empty();
    assert_eq!(house.read("a").await.token(), "token_2");
    world.check().await;
}

#[tokio::test]
async fn the_same_code_twice_is_answered_alike_without_a_second_call() {
    let world = World::new();
    let house = world.open().await;
    house.server("mock", A, json!({})).await;
    let fields = json!({ "server": "mock", "code": "code", "redirect_url": "http://r" });
    house.write("a", fields.clone()).await.empty();
    house.write("a", fields.clone()).await.empty();
    assert_eq!(world.idp.calls(), 1);
    house.crash().await;
    let house = world.open().await;
    world.pass(599).await;
    house.write("a", fields.clone()).await.empty();
    assert_eq!(world.idp.calls(), 1, "nine minutes and a restart later");
    let other = json!({ "server": "mock", "code": "code", "redirect_url": "http://other" });
    assert!(house.write("a", other).await.invalid().starts_with("exchange failed: "), "another request");
    world.pass(2).await;
    house.write("a", fields).await.invalid();
    assert_eq!(world.idp.calls(), 3, "after ten minutes it is an ordinary code");
}

#[tokio::test]
async fn the_same_code_is_exchanged_again_when_what_it_made_is_of_no_use() {
    let world = World::new();
    let house = world.open().await;
    house.config(json!({ "tune_refresh_check_interval_seconds": 0 })).await;
    let fields = |server: &str| json!({ "server": server, "code": "code*", "redirect_url": "http://r" });
    let calls = |host: &str| world.told(host).len();

    // The provider refused its refresh token for good.
    house.server("refused", "a.example", json!({})).await;
    house.write("a", fields("refused")).await.empty();
    world.idp.script("a.example", [Act::Answer(400, json!({ "error": "invalid_grant" }), &[])]);
    house.read_min("a", 4000).await.invalid();
    house.write("a", fields("refused")).await.empty();
    assert_eq!(calls("a.example"), 3);
    assert_eq!(house.read("a").await.warnings(), [""; 0]);
    assert_eq!(house.read("a").await.token(), "token_2");

    // It has expired and cannot be refreshed.
    house.server("short", "b.example", json!({})).await;
    world.idp.with("b.example", |realm| realm.turn = Turn::None);
    world.idp.lives("b.example", [json!(5), json!(600)]);
    house.write("b", fields("short")).await.empty();
    assert_eq!(house.read("b").await.invalid(), "token expired");
    house.write("b", fields("short")).await.empty();
    assert_eq!(house.read("b").await.token(), "token_2");

    // It waits, for its server went elsewhere.
    house.server("moved", "c.example", json!({})).await;
    house.write("c", fields("moved")).await.empty();
    house.server("moved", "d.example", json!({})).await;
    assert!(house.read_min("c", 4000).await.invalid().contains("another origin"));
    house.write("c", fields("moved")).await.empty();
    assert_eq!((calls("c.example"), calls("d.example")), (1, 1));
    assert_eq!(house.read("c").await.warnings(), [""; 0]);

    // Its server is another client since.
    house.server("rewritten", "e.example", json!({})).await;
    house.write("e", fields("rewritten")).await.empty();
    house.server("rewritten", "e.example", json!({})).await;
    house.write("e", fields("rewritten")).await.empty();
    assert_eq!(house.read("e").await.token(), "token_2");
    house.write("e", fields("rewritten")).await.empty();
    assert_eq!(calls("e.example"), 2, "and now it is of use");
    world.check().await;
}

#[tokio::test]
async fn two_writes_of_one_code_at_once_share_one_exchange() {
    let world = World::new();
    let house = world.open().await;
    house.server("mock", A, json!({})).await;
    world.idp.script(A, [Act::Hang]);
    let writes: Vec<_> = (0..20)
        .map(|_| {
            let door = house.door();
            tokio::spawn(
                async move { door.write("creds/a", json!({ "server": "mock", "code": "code" })).await },
            )
        })
        .collect();
    settle().await;
    world.idp.let_go();
    for write in writes {
        write.await.unwrap().empty();
    }
    assert_eq!(world.idp.calls(), 1);
}

#[tokio::test]
async fn w05_a_client_that_leaves_while_connecting_stops_nothing() {
    let world = World::new();
    let house = world.open().await;
    house.server("mock", A, json!({})).await;
    world.idp.script(A, [Act::Hang]);
    let door = house.door();
    let writing =
        tokio::spawn(async move { door.write("creds/a", json!({ "server": "mock", "code": "code" })).await });
    settle().await;
    writing.abort();
    world.idp.let_go();
    settle().await;
    assert_eq!(house.read("a").await.token(), "token_1");
}

#[tokio::test]
async fn a_refused_refresh_token_stores_nothing() {
    let world = World::new();
    let house = world.open().await;
    house.server("mock", A, json!({})).await;
    let text = house.write("a", json!({ "server": "mock", "refresh_token": "unknown" })).await.invalid();
    assert_eq!(text, "refresh failed: server rejected request: invalid_grant");
    settle().await;
    house.read("a").await.empty();
    assert_eq!(world.below("intent").await.len(), 0);
}

#[tokio::test]
async fn numbers_are_taken_for_texts_and_durations_for_seconds() {
    let world = World::new();
    let house = world.open().await;
    house.server("7", A, json!({})).await;
    world.idp.with(A, |realm| realm.turn = Turn::Rotating(Duration::ZERO));
    let fields =
        json!({ "server": 7, "code": "code 9", "maximum_expiry_seconds": "5m", "provider_options": ["a=1"] });
    house.write("a", fields).await.empty();
    let data = house.read("a").await.data();
    assert_eq!(data["maximum_expiry_seconds"], 300);
    assert_eq!(data["provider_options"], json!({ "a": "1" }));
    let text = house.write("a", json!({ "server": "7", "code": ["s3cret"] })).await.invalid();
    assert!(text.contains("\"code\"") && !text.contains("s3cret"), "{text}");
}
