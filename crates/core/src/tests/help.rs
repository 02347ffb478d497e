//! Help, derived from the declarations.

use serde_json::{Value, json};
use vestal_logical::{Kind, Operation};

use crate::testing::TestVault;

#[tokio::test]
async fn an_endpoint_and_a_whole_mount_explain_themselves_to_whoever_has_a_token() {
    let vault = TestVault::active().await;
    vault.write("sys/mounts/notes", json!({ "type": "notes" })).as_root().send().await.nothing();
    let token = vault.token(&["nothing"]).await;
    let help = async |path: &str| vault.ask(Operation::Help, path, Value::Null).by(&token).send().await;
    let one = help("notes/x").await.data()["help"].as_str().unwrap().to_owned();
    assert!(one.contains("A note.") && one.contains("read: Show a note."), "{one}");
    let all = help("notes/").await.data()["help"].as_str().unwrap().to_owned();
    assert!(all.contains("{*path}") && all.contains("A note."), "{all}");
    assert!(help("sys/").await.data()["help"].as_str().unwrap().contains("policies/acl/{*name}"));
    assert_eq!(help("sys/none").await.failure().0, Kind::UnsupportedPath);
    assert_eq!(vault.ask(Operation::Help, "notes/x", Value::Null).send().await.failure().0, Kind::Denied);
}
