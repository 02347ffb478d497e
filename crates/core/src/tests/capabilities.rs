//! What tokens are told that they may do.

use serde_json::json;
use vestal_logical::Kind;

use crate::testing::TestVault;

const RULES: &str = r#"
path "secret/*" { capabilities = ["list", "read"] }
path "secret/mine" { capabilities = ["update", "create"] }
path "secret/no" { capabilities = ["deny", "read"] }
"#;

#[tokio::test]
async fn each_path_is_told_as_it_was_spelled_and_one_alone_twice() {
    let vault = TestVault::active().await;
    vault.policy("some", RULES).await;
    let token = vault.token(&["some", "default"]).await;
    let paths = json!({ "paths": ["secret/a", "/secret/mine", "secret/no", "elsewhere"] });
    let told = vault.write("sys/capabilities-self", paths).by(&token).send().await.data();
    assert_eq!(told["secret/a"], json!(["list", "read"]));
    assert_eq!(told["/secret/mine"], json!(["create", "update"]));
    assert_eq!(told["secret/no"], json!(["deny"]));
    assert_eq!(told["elsewhere"], json!(["deny"]));
    assert!(told.get("capabilities").is_none());
    let one =
        vault.write("sys/capabilities-self", json!({ "path": "secret/a" })).by(&token).send().await.data();
    assert_eq!(one["capabilities"], one["secret/a"]);
    let none = vault.write("sys/capabilities-self", json!({})).by(&token).send().await;
    assert_eq!(none.failure().0, Kind::Invalid);
}

#[tokio::test]
async fn another_token_is_asked_about_by_itself_or_by_its_accessor() {
    let vault = TestVault::active().await;
    vault.policy("some", RULES).await;
    let asked = json!({ "policies": ["some"], "no_default_policy": true });
    let made = vault.write("auth/token/create", asked).as_root().send().await;
    let (token, accessor) = (made.token(), made.auth().accessor.clone());
    let by_token = json!({ "token": token, "paths": "secret/a" });
    let told = vault.write("sys/capabilities", by_token).as_root().send().await.data();
    assert_eq!(told["secret/a"], json!(["list", "read"]));
    let by_accessor = json!({ "accessor": accessor, "paths": ["secret/a"] });
    let told = vault.write("sys/capabilities-accessor", by_accessor).as_root().send().await.data();
    assert_eq!(told["capabilities"], json!(["list", "read"]));
    let root = vault.write("sys/capabilities-self", json!({ "paths": "any" })).as_root().send().await.data();
    assert_eq!(root["any"], json!(["root"]));
    let unknown = vault.write("sys/capabilities-accessor", json!({ "accessor": "x", "paths": "a" }));
    assert_eq!(unknown.as_root().send().await.failure().0, Kind::Invalid);
}
