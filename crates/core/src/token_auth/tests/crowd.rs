use std::sync::Arc;

use futures::future::join_all;
use serde_json::json;

use crate::testing::TestVault;

/// The last use removes the token and its cubbyhole; nobody who paid before may miss them.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn as_many_requests_are_served_as_a_token_has_uses_however_many_come() {
    for uses in [1_usize, 2, 10, 50] {
        let vault = Arc::new(TestVault::active().await);
        for path in ["auth/token/lookup-self", "cubbyhole/x"] {
            let ask = json!({ "policies": ["default"], "num_uses": uses, "ttl": "1h" });
            let token = vault.write("auth/token/create", ask).as_root().send().await.token();
            let crowd = (0..uses + 30).map(|_| {
                let (vault, token) = (Arc::clone(&vault), token.clone());
                tokio::spawn(async move {
                    let ask = match path {
                        "cubbyhole/x" => vault.write(path, json!({ "k": "v" })),
                        _ => vault.read(path),
                    };
                    ask.by(&token).send().await.is_ok()
                })
            });
            let served =
                join_all(crowd).await.into_iter().filter(|done| *done.as_ref().expect("ran")).count();
            assert_eq!(served, uses, "{path}");
            assert!(!vault.read("auth/token/lookup-self").by(&token).send().await.is_ok());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn policies_written_by_a_crowd_collide_for_nobody_who_asked_for_no_check() {
    let vault = Arc::new(TestVault::active().await);
    let crowd = (0..64).map(|number| {
        let vault = Arc::clone(&vault);
        tokio::spawn(async move {
            let policy = format!("path \"kv/{number}\" {{ capabilities = [\"read\"] }}");
            vault.write("sys/policies/acl/p", json!({ "policy": policy })).as_root().send().await.is_ok()
        })
    });
    assert!(join_all(crowd).await.into_iter().all(|done| done.expect("ran")));
    assert_eq!(vault.read("sys/policies/acl/p").as_root().send().await.data()["version"], 64);
}
