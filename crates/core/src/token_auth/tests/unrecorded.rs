//! What becomes of tokens when the answer that tells of them cannot be recorded (decisions §3.3).

use serde_json::{Value, json};
use vestal_logical::Kind;
use vestal_storage::testing::FaultStore;

use crate::active::{AuditSettings, Settings};
use crate::testing::{Ask, TestVault};
use crate::tokens::tests::left_behind;

async fn audited() -> TestVault {
    let audit = AuditSettings { any_path: true, ..AuditSettings::default() };
    let settings = Settings { audit, ..Settings::default() };
    let vault = TestVault::with(FaultStore::in_memory(), 1, settings).await.expect("opened");
    let device = json!({ "type": "file", "options": { "file_path": "discard" } });
    vault.write("sys/audit/main", device).as_root().send().await.nothing();
    vault
}

/// The request is recorded, its answer is not.
async fn unrecorded(vault: &TestVault, ask: Ask<'_>) {
    vault.active.audit.refuse_after(1);
    assert_eq!(ask.send().await.failure().0, Kind::Internal);
    vault.active.audit.refuse_after(usize::MAX);
}

async fn count(vault: &TestVault) -> usize {
    vault.active.tokens.accessors().await.expect("list").len()
}

async fn make(vault: &TestVault, asked: Value) -> String {
    vault.write("auth/token/create", asked).as_root().send().await.token()
}

#[tokio::test]
async fn what_the_call_made_is_revoked() {
    let vault = audited().await;
    let before = count(&vault).await;
    let asked = json!({ "policies": ["default"] });
    unrecorded(&vault, vault.write("auth/token/create", asked.clone()).as_root()).await;
    unrecorded(&vault, vault.write("auth/token/create", asked).as_root().wrapped(60)).await;
    unrecorded(&vault, vault.read("auth/token/lookup-self").as_root().wrapped(60)).await;
    assert_eq!(count(&vault).await, before);
    let wrapping = vault.read("auth/token/lookup-self").as_root().wrapped(60).send().await.token();
    unrecorded(&vault, vault.write("sys/wrapping/rewrap", json!({ "token": wrapping })).as_root()).await;
    assert_eq!(count(&vault).await, before, "the old token is gone, the new one is not told");
    assert_eq!(left_behind(&vault.active.barrier).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_was_there_before_stays() {
    let vault = audited().await;
    let token = make(&vault, json!({ "policies": ["default"], "ttl": 60 })).await;
    for path in ["auth/token/renew-self", "auth/token/lookup-self"] {
        unrecorded(&vault, vault.write(path, json!({})).by(&token)).await;
    }
    unrecorded(&vault, vault.write("auth/token/renew", json!({ "token": token })).as_root()).await;
    assert!(vault.read("auth/token/lookup-self").by(&token).send().await.is_ok());
}

#[tokio::test]
async fn a_use_is_spent_and_a_revocation_holds() {
    let vault = audited().await;
    let once = make(&vault, json!({ "policies": ["default"], "num_uses": 1 })).await;
    unrecorded(&vault, vault.read("auth/token/lookup-self").by(&once)).await;
    assert_eq!(vault.read("auth/token/lookup-self").by(&once).send().await.failure().0, Kind::Denied);
    let revoked = make(&vault, json!({ "policies": ["default"] })).await;
    unrecorded(&vault, vault.write("auth/token/revoke-self", json!({})).by(&revoked)).await;
    assert_eq!(vault.read("auth/token/lookup-self").by(&revoked).send().await.failure().0, Kind::Denied);
    assert_eq!(count(&vault).await, 1, "only root is left");
}
