//! `sys/health` and its kin, in every state.

use serde_json::{Value, json};
use vestal_logical::{Answer, Kind, Operation, Outcome, Request};

use super::seal::{ask, vault};
use crate::{InitAsk, Vault};

async fn health(vault: &std::sync::Arc<Vault>, query: Value) -> Result<(u16, Value), Kind> {
    let now = vault.clock().now();
    let request = Request {
        id: String::new(),
        operation: Operation::Read,
        path: "sys/health".to_owned(),
        data: query.as_object().cloned().unwrap_or_default(),
        token: None,
        wrap: None,
        peer: None,
        headers: Vec::new(),
        now,
        deadline: now,
    };
    match vault.handle(request).await.result {
        Ok(Answer::Open(reply)) => match reply.outcome {
            Outcome::Status(code) => Ok((code, reply.body_json())),
            other => panic!("not a status: {other:?}"),
        },
        Ok(other) => panic!("not an open answer: {other:?}"),
        Err(error) => Err(error.kind()),
    }
}

#[tokio::test]
async fn health_tells_the_state_by_its_code() {
    let vault = vault().await;
    let (code, body) = health(&vault, json!({})).await.unwrap();
    assert_eq!((code, &body["initialized"], &body["sealed"]), (501, &json!(false), &json!(true)));
    assert_eq!(health(&vault, json!({ "uninitcode": "299" })).await.unwrap().0, 299);
    let made =
        vault.initialize(InitAsk { shares: Some(1), threshold: Some(1), passphrase: None }).await.unwrap();
    let (code, body) = health(&vault, json!({})).await.unwrap();
    assert_eq!(
        (code, &body["standby"], &body["replication_dr_mode"]),
        (503, &json!(true), &json!("unknown"))
    );
    assert_eq!(health(&vault, json!({ "sealedcode": "200", "zork": "1" })).await.unwrap().0, 200);
    vault.unseal(made.keys[0].clone()).await.unwrap();
    let (code, body) = health(&vault, json!({ "standbyok": "true" })).await.unwrap();
    assert_eq!(
        (code, &body["performance_standby"], &body["replication_dr_mode"]),
        (200, &json!(false), &json!("disabled"))
    );
    assert!(body.get("cluster_id").is_some());
    assert_eq!(health(&vault, json!({ "activecode": "204" })).await.unwrap().0, 204);
    for bad in
        [json!({ "activecode": "abc" }), json!({ "standbyok": "maybe" }), json!({ "sealedcode": "99999" })]
    {
        assert_eq!(health(&vault, bad).await.unwrap_err(), Kind::Invalid);
    }
}

#[tokio::test]
async fn nothing_but_the_status_is_answered_while_there_are_no_keys() {
    let vault = vault().await;
    for path in ["secret/x", "sys/mounts", "auth/token/lookup-self", "none/x", "sys/internal/ui/mounts"] {
        let error = ask(&vault, Operation::Read, path, Value::Null, "s.any").await.unwrap_err();
        assert_eq!(error.kind(), Kind::Sealed, "{path}");
    }
    let leader = ask(&vault, Operation::Read, "sys/leader", Value::Null, "").await.unwrap();
    assert_eq!(leader, json!({ "ha_enabled": false }));
    let init = ask(&vault, Operation::Read, "sys/init", Value::Null, "").await.unwrap();
    assert_eq!(init, json!({ "initialized": false }));
    for path in ["sys/init", "sys/health", "sys/unseal", "sys/leader"] {
        let error = ask(&vault, Operation::Delete, path, Value::Null, "").await.unwrap_err();
        assert_eq!((error.kind(), error.public().len()), (Kind::Unsupported, 0), "{path}");
    }
    let error = ask(&vault, Operation::Update, "sys/unseal", json!({ "key": "00" }), "").await.unwrap_err();
    assert_eq!(error.to_string(), "Vault is not initialized");
}

#[tokio::test]
async fn the_paths_of_the_seal_explain_themselves_in_every_state() {
    let vault = vault().await;
    for path in ["sys/health", "sys/init", "sys/seal-status", "sys/unseal", "sys/leader"] {
        let told = ask(&vault, Operation::Help, path, json!({}), "").await.unwrap();
        assert!(told["help"].as_str().unwrap().contains(path), "{told}");
    }
}

#[tokio::test]
async fn null_is_no_key_and_what_is_no_share_is_told_when_none_is_needed() {
    let vault = vault().await;
    let made =
        vault.initialize(InitAsk { shares: Some(2), threshold: Some(2), passphrase: None }).await.unwrap();
    let unseal = async |data| ask(&vault, Operation::Update, "sys/unseal", data, "").await;
    assert_eq!(unseal(json!({ "key": made.keys[0].expose() })).await.unwrap()["progress"], 1);
    assert_eq!(unseal(json!({ "key": null })).await.unwrap_err().kind(), Kind::Invalid);
    assert_eq!(unseal(json!({ "key": null, "reset": true })).await.unwrap()["progress"], 0);
    for key in &made.keys {
        unseal(json!({ "key": key.expose() })).await.unwrap();
    }
    let told = unseal(json!({ "key": "zz" })).await.unwrap_err();
    assert_eq!(told.to_string(), "'key' must be a valid hex or base64 string");
    assert_eq!(unseal(json!({ "key": "abcd" })).await.unwrap()["sealed"], false);
}
