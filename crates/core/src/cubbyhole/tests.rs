//! The rows of core §2.4 about `cubbyhole/`.

use serde_json::json;
use vestal_logical::{Kind, Operation};

use crate::testing::TestVault;

#[tokio::test]
async fn each_token_has_its_own_secrets() {
    let vault = TestVault::active().await;
    let (one, two) = (vault.token(&["default"]).await, vault.token(&["default"]).await);
    let secret = serde_json::from_str(r#"{"x":1.50,"ttl":"1h"}"#).expect("JSON");
    vault.write("cubbyhole/a/b", secret).by(&one).send().await.nothing();
    let told = vault.read("cubbyhole/a/b").by(&one).send().await;
    assert_eq!(told.data().to_string(), r#"{"ttl":"1h","x":1.50}"#, "numbers keep their text");
    for other in [&two, &vault.root] {
        vault.read("cubbyhole/a/b").by(other).send().await.nothing();
        vault.list("cubbyhole/").by(other).send().await.nothing();
    }
}

#[tokio::test]
async fn secrets_are_listed_by_folder_replaced_and_deleted() {
    let vault = TestVault::active().await;
    let token = vault.token(&["default"]).await;
    for path in ["foo", "foo/bar", "b"] {
        vault.write(&format!("cubbyhole/{path}"), json!({ "x": 1 })).by(&token).send().await.nothing();
    }
    let keys = async |path: &str| vault.list(path).by(&token).send().await.data()["keys"].clone();
    assert_eq!(keys("cubbyhole/").await, json!(["b", "foo", "foo/"]));
    assert_eq!(keys("cubbyhole/foo/").await, json!(["bar"]));
    vault.write("cubbyhole/foo", json!({ "y": 2 })).by(&token).send().await.nothing();
    assert_eq!(vault.read("cubbyhole/foo").by(&token).send().await.data(), json!({ "y": 2 }));
    for _ in 0..2 {
        vault.delete("cubbyhole/foo").by(&token).send().await.nothing();
    }
    for gone in ["cubbyhole/foo", "cubbyhole/foo/", "cubbyhole/none"] {
        vault.read(gone).by(&token).send().await.nothing();
    }
    assert_eq!(keys("cubbyhole/").await, json!(["b", "foo/"]));
}

#[tokio::test]
async fn what_is_missing_is_named_as_clients_know_it() {
    let vault = TestVault::active().await;
    let cases = [
        (Operation::Update, "cubbyhole/e", json!({}), "1 error occurred:\n\t* missing data fields\n\n"),
        (Operation::Update, "cubbyhole", json!({ "a": 1 }), "1 error occurred:\n\t* missing path\n\n"),
        (Operation::Read, "cubbyhole/", json!({}), "1 error occurred:\n\t* missing path\n\n"),
    ];
    for (operation, path, data, text) in cases {
        let told = vault.ask(operation, path, data).as_root().send().await;
        assert_eq!(told.failure(), (Kind::Internal, text.to_owned()), "{operation:?} {path}");
    }
    vault.delete("cubbyhole").as_root().send().await.nothing();
    let told = vault.ask(Operation::Patch, "cubbyhole/a", json!({ "a": 1 })).as_root().send().await;
    assert_eq!(told.failure().0, Kind::Unsupported);
}

#[tokio::test]
async fn reads_and_lists_warn_of_parameters_that_they_do_not_know() {
    let vault = TestVault::active().await;
    vault.write("cubbyhole/a", json!({ "x": 1 })).as_root().send().await.nothing();
    let cases = [
        (Operation::Read, "cubbyhole/a"),
        (Operation::List, "cubbyhole/"),
        (Operation::List, "cubbyhole/b/"),
    ];
    for (operation, path) in cases {
        let told = vault.ask(operation, path, json!({ "limit": "1", "after": "b" })).as_root().send().await;
        assert_eq!(
            told.warnings(),
            ["Endpoint ignored these unrecognized parameters: [after limit]"],
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_write_creates_or_updates_as_policy_sees_it() {
    let vault = TestVault::active().await;
    vault.policy("creator", r#"path "cubbyhole/*" { capabilities = ["create"] }"#).await;
    let token = vault.token(&["creator"]).await;
    vault.write("cubbyhole/a", json!({ "x": 1 })).by(&token).send().await.nothing();
    let again = vault.write("cubbyhole/a", json!({ "x": 2 })).by(&token).send().await;
    assert_eq!(again.failure().0, Kind::Denied);
}

#[tokio::test]
async fn a_secret_larger_than_a_record_is_refused() {
    let vault = TestVault::active().await;
    let told = vault.write("cubbyhole/a", json!({ "x": "x".repeat(1 << 20) })).as_root().send().await;
    assert_eq!(told.failure().0, Kind::TooLarge);
    vault.read("cubbyhole/a").as_root().send().await.nothing();
}

/// The last use writes; the token goes, and what it wrote goes with it.
#[tokio::test]
async fn the_last_use_of_a_token_leaves_nothing_in_its_cubbyhole() {
    let vault = TestVault::active().await;
    let asked = json!({ "policies": ["default"], "num_uses": 1 });
    let token = vault.write("auth/token/create", asked).as_root().send().await.token();
    vault.write("cubbyhole/a", json!({ "x": 1 })).by(&token).send().await.nothing();
    assert_eq!(crate::tokens::tests::left_behind(&vault.active.barrier).await, Vec::<String>::new());
}
