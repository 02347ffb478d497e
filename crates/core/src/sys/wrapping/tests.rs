//! The rows of core §3.6, as a running OpenBao 2.7.2 answers them; and crowds.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use vestal_logical::{Kind, Operation};
use vestal_storage::Place;

use crate::testing::TestVault;
use crate::tokens::tests::left_behind;

const NOT_VALID: &str = "wrapping token is not valid or does not exist";

/// With a number whose text matters.
fn content() -> Value {
    serde_json::from_str(r#"{"a":"b","n":1.50}"#).expect("JSON")
}

async fn wrapped(vault: &TestVault) -> String {
    vault.write("sys/wrapping/wrap", content()).as_root().wrapped(60).send().await.token()
}

async fn unwrap(vault: &TestVault, by: &str, token: &str) -> Result<Value, (Kind, String)> {
    let told = vault.write("sys/wrapping/unwrap", json!({ "token": token })).by(by).send().await;
    if told.is_ok() { Ok(told.unwrapped().clone()) } else { Err(told.failure()) }
}

async fn lookup(vault: &TestVault, token: &str) -> Result<Value, (Kind, String)> {
    let told = vault.write("sys/wrapping/lookup", json!({ "token": token })).send().await;
    if told.is_ok() { Ok(told.data()) } else { Err(told.failure()) }
}

#[tokio::test]
async fn a_wrapped_answer_is_kept_whole_and_given_once() {
    let vault = TestVault::active().await;
    let told = vault.list("auth/token/accessors/").as_root().wrapped(60).send().await;
    let info = serde_json::to_value(told.wrap_info()).expect("JSON");
    let expected = json!({
        "token": told.token(), "accessor": told.wrap_info().accessor, "ttl": 60,
        "creation_time": "2027-01-15T08:00:00Z", "creation_path": "auth/token/accessors/",
    });
    assert_eq!(info, expected);
    let told = vault.write("sys/wrapping/wrap", content()).as_root().wrapped(60).send().await;
    let token = told.token();
    let envelope = unwrap(&vault, &vault.root, &token).await.expect("unwrapped");
    let keys: Vec<&str> = envelope.as_object().expect("an object").keys().map(String::as_str).collect();
    let members =
        ["auth", "data", "lease_duration", "lease_id", "renewable", "request_id", "warnings", "wrap_info"];
    assert_eq!(keys, members);
    assert_eq!(envelope["data"].to_string(), r#"{"a":"b","n":1.50}"#, "numbers keep their text");
    assert_eq!(envelope["wrap_info"], Value::Null);
    let twice = unwrap(&vault, &vault.root, &token).await;
    assert_eq!(twice, Err((Kind::Invalid, NOT_VALID.to_owned())));
}

#[tokio::test]
async fn the_wrapping_token_is_an_orphan_with_one_use_that_can_do_nothing_else() {
    let vault = TestVault::active().await;
    let caller = vault.write("auth/token/create", json!({ "policies": ["default"], "display_name": "me" }));
    let caller = caller.as_root().send().await.token();
    let token = vault.read("auth/token/lookup-self").by(&caller).wrapped(9_999 * 3600).send().await.token();
    let data = vault.write("auth/token/lookup", json!({ "token": token })).as_root().send().await.data();
    let expected = [
        ("policies", json!(["response-wrapping"])),
        ("num_uses", json!(1)),
        ("orphan", json!(true)),
        ("path", json!("auth/token/lookup-self")),
        ("display_name", json!("token-me")),
        ("ttl", json!(35_996_400)),
        ("explicit_max_ttl", json!(35_996_400)),
        ("renewable", json!(false)),
        ("creation_ttl", json!(35_996_400)),
    ];
    for (name, value) in expected {
        assert_eq!(data[name], value, "{name}");
    }
    vault.write("auth/token/revoke", json!({ "token": caller })).as_root().send().await.nothing();
    assert!(unwrap(&vault, &vault.root, &token).await.is_ok(), "it outlives its maker");
}

#[tokio::test]
async fn a_life_of_less_than_a_second_is_rounded_up_and_never_endless() {
    let vault = TestVault::active().await;
    for millis in [1, 999, 1001] {
        let mut ask = vault.write("sys/wrapping/wrap", json!({})).as_root();
        ask.request.wrap = Some(vestal_logical::WrapAsk { ttl: Duration::from_millis(millis) });
        assert_eq!(ask.send().await.wrap_info().ttl, millis.div_ceil(1000));
    }
}

#[tokio::test]
async fn unwrapping_works_with_an_own_token_or_with_the_wrapping_token_alone() {
    let vault = TestVault::active().await;
    let user = vault.token(&["default"]).await;
    assert!(unwrap(&vault, &user, &wrapped(&vault).await).await.is_ok());
    let token = wrapped(&vault).await;
    for body in [json!({}), json!({ "token": null })] {
        let token = wrapped(&vault).await;
        let told = vault.write("sys/wrapping/unwrap", body).by(&token).send().await;
        assert_eq!(told.unwrapped()["data"]["a"], "b");
        let again = vault.write("sys/wrapping/unwrap", json!({})).by(&token).send().await;
        assert_eq!(again.failure(), (Kind::Invalid, NOT_VALID.to_owned()));
    }
    assert!(unwrap(&vault, &token, &token).await.is_ok(), "both at once");
    assert_eq!(left_behind(&vault.active.barrier).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_is_no_living_wrapping_token_is_refused_with_the_known_texts() {
    let vault = TestVault::active().await;
    let root = vault.root.clone();
    let invalid = || (Kind::Invalid, NOT_VALID.to_owned());
    let empty = |what: &str| (Kind::Denied, format!("error validating wrapping token: {what}"));
    let revoked = wrapped(&vault).await;
    vault.write("auth/token/revoke", json!({ "token": revoked })).as_root().send().await.nothing();
    let expired = wrapped(&vault).await;
    vault.clock.advance(Duration::from_secs(60)).await;
    for path in ["sys/wrapping/unwrap", "sys/wrapping/rewrap", "sys/wrapping/lookup"] {
        for token in [revoked.as_str(), &expired, "s.unknown", &root] {
            let by_root = vault.write(path, json!({ "token": token })).as_root().send().await;
            assert_eq!(by_root.failure(), invalid(), "{path}");
            assert_eq!(vault.write(path, json!({ "token": token })).send().await.failure(), invalid());
            assert_eq!(vault.write(path, json!({})).by(token).send().await.failure(), invalid());
        }
        let told = vault.write(path, json!({ "token": "" })).as_root().send().await;
        assert_eq!(told.failure(), empty("empty token in request body"));
        assert_eq!(vault.write(path, json!({})).send().await.failure(), empty("token is empty"));
    }
}

#[tokio::test]
async fn unwrapping_anothers_token_needs_an_own_one_and_the_right() {
    let vault = TestVault::active().await;
    let token = wrapped(&vault).await;
    let without = vault.write("sys/wrapping/unwrap", json!({ "token": token })).send().await;
    assert_eq!(without.failure(), (Kind::Denied, "permission denied".to_owned()));
    let dead = unwrap(&vault, "s.dead", &token).await;
    assert_eq!(dead, Err((Kind::Denied, "permission denied".to_owned())));
    let nobody = vault.token(&["nothing"]).await;
    let (kind, text) = unwrap(&vault, &nobody, &token).await.expect_err("denied");
    assert!(kind == Kind::Denied && text.starts_with("1 error occurred"));
    assert!(unwrap(&vault, &vault.root, &token).await.is_ok(), "nothing was burnt");
}

#[tokio::test]
async fn any_other_use_of_a_wrapping_token_is_denied_and_burns_it() {
    let vault = TestVault::active().await;
    let cases = [
        (Operation::Read, "cubbyhole/foo"),
        (Operation::Read, "auth/token/lookup-self"),
        (Operation::Update, "cubbyhole/response"),
        (Operation::Update, "sys/wrapping/rewrap"),
        (Operation::Read, "sys/wrapping/unwrap"),
        (Operation::Update, "auth/token/renew-self"),
    ];
    for (operation, path) in cases {
        let token = wrapped(&vault).await;
        let told = vault.ask(operation, path, json!({})).by(&token).send().await;
        assert_eq!(
            told.failure(),
            (Kind::Denied, "1 error occurred:\n\t* permission denied\n\n".to_owned()),
            "{path}"
        );
        assert_eq!(lookup(&vault, &token).await, Err((Kind::Invalid, NOT_VALID.to_owned())), "{path}");
    }
    assert_eq!(left_behind(&vault.active.barrier).await, Vec::<String>::new());
}

#[tokio::test]
async fn the_cubbyhole_of_a_wrapping_token_can_be_read_once() {
    let vault = TestVault::active().await;
    let token = wrapped(&vault).await;
    let told = vault.read("cubbyhole/response").by(&token).send().await;
    let kept = told.data()["response"].as_str().expect("a text").to_owned();
    assert!(
        kept.starts_with(r#"{"request_id":""#)
            && kept.ends_with(r#""wrap_info":null,"warnings":null,"auth":null}"#)
    );
    assert!(kept.contains(r#""data":{"a":"b","n":1.50}"#), "{kept}");
    assert_eq!(told.warnings().len(), 1);
    let again = vault.read("cubbyhole/response").by(&token).send().await;
    assert_eq!(again.failure(), (Kind::Denied, "permission denied".to_owned()));
}

#[tokio::test]
async fn looking_needs_no_token_and_consumes_nothing() {
    let vault = TestVault::active().await;
    let token = wrapped(&vault).await;
    let expected = json!({
        "creation_path": "sys/wrapping/wrap", "creation_time": "2027-01-15T08:00:00Z", "creation_ttl": 60,
    });
    for _ in 0..3 {
        assert_eq!(lookup(&vault, &token).await, Ok(expected.clone()));
        let by_query =
            vault.ask(Operation::Read, "sys/wrapping/lookup", json!({ "token": token })).send().await;
        assert_eq!(by_query.data(), expected);
        assert_eq!(vault.read("sys/wrapping/lookup").by(&token).send().await.data(), expected);
    }
    assert!(unwrap(&vault, &vault.root, &token).await.is_ok());
}

#[tokio::test]
async fn a_wrapped_token_is_told_by_its_accessor() {
    let vault = TestVault::active().await;
    let told =
        vault.write("auth/token/create", json!({ "policies": ["p"] })).as_root().wrapped(60).send().await;
    let envelope = unwrap(&vault, &vault.root, &told.token()).await.expect("unwrapped");
    assert_eq!(envelope["auth"]["accessor"], told.wrap_info().wrapped_accessor);
    assert_eq!(envelope["auth"]["policies"], json!(["default", "p"]));
    assert_eq!(envelope["data"], Value::Null);
    assert_eq!(envelope["warnings"], json!(["Policy \"p\" does not exist"]));
    let inside = envelope["auth"]["client_token"].as_str().expect("a token");
    assert!(vault.write("auth/token/lookup", json!({ "token": inside })).as_root().send().await.is_ok());
}

#[tokio::test]
async fn rewrapping_keeps_life_and_path_and_ends_the_old_token() {
    let vault = TestVault::active().await;
    let told =
        vault.write("auth/token/create", json!({ "policies": ["p"] })).as_root().wrapped(60).send().await;
    let (old, inside) = (told.token(), told.wrap_info().wrapped_accessor.clone());
    vault.clock.advance(Duration::from_secs(30)).await;
    let told = vault.write("sys/wrapping/rewrap", json!({ "token": old })).as_root().send().await;
    let info = told.wrap_info();
    assert_eq!((info.ttl, info.creation_path.as_str()), (60, "auth/token/create"));
    assert_eq!(info.creation_time.to_string(), "2027-01-15T08:00:30Z");
    let new = told.token();
    assert_eq!(unwrap(&vault, &vault.root, &old).await, Err((Kind::Invalid, NOT_VALID.to_owned())));
    assert_eq!(
        unwrap(&vault, &vault.root, &new).await.expect("unwrapped")["auth"]["accessor"],
        json!(inside)
    );
    let left = left_behind(&vault.active.barrier).await;
    assert_eq!(left, Vec::<String>::new());
}

#[tokio::test]
async fn wrapping_needs_to_be_asked_for_and_nothing_is_not_wrapped() {
    let vault = TestVault::active().await;
    let told = vault.write("sys/wrapping/wrap", json!({ "a": 1 })).as_root().send().await;
    let text = "endpoint requires response wrapping to be used";
    assert_eq!(told.failure(), (Kind::Invalid, text.to_owned()));
    let before = vault.active.tokens.accessors().await.expect("list").len();
    vault.read("cubbyhole/none").as_root().wrapped(60).send().await.nothing();
    vault.delete("cubbyhole/none").as_root().wrapped(60).send().await.nothing();
    vault.list("cubbyhole/").as_root().wrapped(60).send().await.nothing();
    assert_eq!(vault.active.tokens.accessors().await.expect("list").len(), before);
}

#[tokio::test]
async fn what_was_unwrapped_can_be_wrapped_again() {
    let vault = TestVault::active().await;
    let ask =
        vault.write("sys/wrapping/unwrap", json!({ "token": wrapped(&vault).await })).as_root().wrapped(30);
    let told = ask.send().await;
    assert_eq!(told.wrap_info().creation_path, "sys/wrapping/unwrap");
    assert_eq!(unwrap(&vault, &vault.root, &told.token()).await.expect("unwrapped")["data"]["a"], "b");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_fifty_who_unwrap_at_once_one_gets_the_answer() {
    let vault = Arc::new(TestVault::active().await);
    for own in [false, true] {
        for path in ["sys/wrapping/unwrap", "sys/wrapping/rewrap"] {
            if own && path.ends_with("rewrap") {
                continue;
            }
            let token = wrapped(&vault).await;
            let crowd = (0..50).map(|_| {
                let (vault, token) = (Arc::clone(&vault), token.clone());
                tokio::spawn(async move {
                    let ask = if own {
                        vault.write(path, json!({})).by(&token)
                    } else {
                        vault.write(path, json!({ "token": token })).as_root()
                    };
                    ask.send().await.is_ok()
                })
            });
            let got = join_all(crowd).await.into_iter().filter(|done| *done.as_ref().expect("ran")).count();
            assert_eq!(got, 1, "{path}, by the wrapping token itself: {own}");
        }
    }
    let told = vault.list("auth/token/accessors/").as_root().send().await;
    assert_eq!(told.data()["keys"].as_array().expect("a list").len(), 2, "root, and what was wrapped anew");
}

/// A token in an answer that could not be wrapped is not left alive, for nobody will hear of it.
#[tokio::test]
async fn a_token_whose_wrapping_failed_is_revoked() {
    use vestal_storage::testing::{Fault, Target};
    let vault = TestVault::active().await;
    // The first commit makes the token, the second is the wrapping.
    for fault in
        [Fault::Refuse, Fault::Undetermined { written: true }, Fault::Undetermined { written: false }]
    {
        let before = vault.active.tokens.accessors().await.expect("list").len();
        vault.store.next(Target::Commit, Fault::Hold);
        vault.store.next(Target::Commit, fault);
        let ask = vault.write("auth/token/create", json!({ "policies": ["p"] })).as_root().wrapped(60);
        let (told, ()) = futures::join!(ask.send(), async {
            vault.store.holding(1).await;
            vault.store.let_go();
        });
        assert!(!told.is_ok());
        assert_eq!(vault.active.tokens.accessors().await.expect("list").len(), before, "{fault:?}");
        assert_eq!(left_behind(&vault.active.barrier).await, Vec::<String>::new());
    }
}

/// Its quotes would need twice the room if the answer were kept as a text.
#[tokio::test]
async fn what_can_be_kept_can_be_wrapped() {
    let vault = TestVault::active().await;
    let large = json!({ "a": "\"".repeat(500_000) });
    vault.write("cubbyhole/a", large.clone()).as_root().send().await.nothing();
    let token = vault.read("cubbyhole/a").as_root().wrapped(60).send().await.token();
    let token = vault.write("sys/wrapping/rewrap", json!({ "token": token })).as_root().send().await.token();
    assert_eq!(unwrap(&vault, &vault.root, &token).await.expect("unwrapped")["data"], large);
}

/// The answer is larger than the record that it shows.
#[tokio::test]
async fn a_secret_as_large_as_a_record_is_unwrapped_by_every_road_and_leaves_nothing() {
    let vault = TestVault::active().await;
    let before = left_behind(&vault.active.barrier).await;
    for value in ["a".repeat((1 << 20) - 100), "\"".repeat(520_000), "\u{20ac}".repeat(349_000)] {
        vault.write("cubbyhole/x", json!({ "v": value })).as_root().send().await.nothing();
        let wrapped = async || vault.read("cubbyhole/x").as_root().wrapped(60).send().await.token();
        let envelope = unwrap(&vault, &vault.root, &wrapped().await).await.expect("by another");
        assert_eq!(envelope["data"]["v"], value);
        let again = vault.write("sys/wrapping/rewrap", json!({ "token": wrapped().await }));
        let own = again.as_root().send().await.token();
        let told = vault.write("sys/wrapping/unwrap", json!({})).by(&own).send().await;
        assert_eq!(told.unwrapped()["data"]["v"], value);
        let told = vault.read("cubbyhole/response").by(&wrapped().await).send().await.data();
        let envelope: Value = serde_json::from_str(told["response"].as_str().expect("a text")).expect("JSON");
        assert_eq!((&envelope["data"]["v"], told.get("parts")), (&json!(value), None));
        vault.delete("cubbyhole/x").as_root().send().await.nothing();
    }
    assert_eq!(left_behind(&vault.active.barrier).await, before);
}

#[tokio::test]
async fn what_a_caller_has_wrapped_is_bounded_as_what_he_could_write() {
    let vault = TestVault::active().await;
    let before = left_behind(&vault.active.barrier).await;
    let large = json!({ "v": "a".repeat(1 << 20) });
    let told = vault.write("sys/wrapping/wrap", large).as_root().wrapped(60).send().await;
    assert_eq!(told.failure().0, Kind::TooLarge);
    assert_eq!(left_behind(&vault.active.barrier).await, before);
}

/// Nobody unwraps it: its end takes every part of it all the same.
#[tokio::test]
async fn an_answer_of_several_records_goes_whole_by_revocation_and_at_its_end() {
    let vault = TestVault::active().await;
    let cubbyholes = vault.active.barrier.view(&Place::root().plain("sys").plain("cubbyhole"));
    let records = async || cubbyholes.keys(&Place::root(), None, 100).await.expect("read").items.len();
    let value = json!({ "v": "\"".repeat(520_000) });
    let revoked = vault.write("sys/wrapping/wrap", value.clone()).as_root().wrapped(60).send().await.token();
    assert_eq!(records().await, 3);
    vault.write("auth/token/revoke", json!({ "token": revoked })).as_root().send().await.nothing();
    assert_eq!(records().await, 0);
    let ended = vault.write("sys/wrapping/wrap", value).as_root().wrapped(60).send().await.token();
    assert_eq!(records().await, 3);
    vault.clock.advance(Duration::from_secs(60)).await;
    assert_eq!(records().await, 0);
    for token in [&revoked, &ended] {
        assert_eq!(lookup(&vault, token).await, Err((Kind::Invalid, NOT_VALID.to_owned())));
    }
    assert_eq!(left_behind(&vault.active.barrier).await, Vec::<String>::new());
}
