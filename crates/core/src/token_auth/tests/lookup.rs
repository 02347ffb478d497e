use std::time::Duration;

use serde_json::{Value, json};
use vestal_logical::Kind;

use crate::testing::TestVault;

fn keys(data: &Value) -> Vec<&str> {
    data.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[tokio::test]
async fn every_form_of_lookup_shows_the_same_token() {
    let vault = TestVault::active().await;
    let made =
        vault.write("auth/token/create", json!({ "policies": ["p"], "ttl": "1h" })).as_root().send().await;
    let (token, accessor) = (made.token(), made.auth().accessor.clone());
    let shown = vault.write("auth/token/lookup", json!({ "token": token })).as_root().send().await.data();
    let expected = json!({
        "accessor": accessor, "creation_time": 1_800_000_000, "creation_ttl": 3600, "display_name": "token",
        "entity_id": "", "expire_time": "2027-01-15T09:00:00Z", "explicit_max_ttl": 0, "id": token,
        "issue_time": "2027-01-15T08:00:00Z", "meta": null, "num_uses": 0, "orphan": false,
        "path": "auth/token/create", "policies": ["default", "p"], "renewable": true, "ttl": 3600, "type": "service",
    });
    assert_eq!(shown, expected);
    let own = [
        vault.read("auth/token/lookup-self").by(&token),
        vault.write("auth/token/lookup-self", json!({ "token": "another" })).as_root(),
    ];
    let [own, of_root] = own;
    assert_eq!(own.send().await.data(), expected);
    assert_eq!(of_root.send().await.data()["id"], vault.root, "the caller's own is meant");
    for ask in [
        vault.ask(vestal_logical::Operation::Read, "auth/token/lookup", json!({ "token": token })),
        vault.write("auth/token/lookup", json!({ "token": token })),
    ] {
        assert_eq!(ask.as_root().send().await.data(), expected);
    }
    for absent in [json!({}), json!({ "token": "" }), json!({ "token": null })] {
        assert_eq!(vault.write("auth/token/lookup", absent).as_root().send().await.data()["id"], vault.root);
    }
    let by_accessor = vault.write("auth/token/lookup-accessor", json!({ "accessor": accessor }));
    let mut without_id = expected;
    without_id["id"] = json!("");
    assert_eq!(by_accessor.as_root().send().await.data(), without_id);
}

#[tokio::test]
async fn the_first_root_token_has_no_lease_and_says_so() {
    let vault = TestVault::active().await;
    let data = vault.read("auth/token/lookup-self").as_root().send().await.data();
    assert_eq!(data["path"], "auth/token/root");
    assert_eq!(data["display_name"], "root");
    assert_eq!(
        (&data["orphan"], &data["ttl"], &data["expire_time"]),
        (&json!(true), &json!(0), &Value::Null)
    );
    let keys = keys(&data);
    assert!(!keys.contains(&"issue_time") && !keys.contains(&"renewable"), "{keys:?}");
}

#[tokio::test]
async fn optional_members_come_when_they_apply() {
    let vault = TestVault::active().await;
    let asked = json!({ "policies": ["p"], "period": "1h" });
    let token = vault.write("auth/token/create", asked).as_root().send().await.token();
    let lookup =
        async || vault.write("auth/token/lookup", json!({ "token": token })).as_root().send().await.data();
    assert_eq!(lookup().await["period"], 3600);
    assert!(!keys(&lookup().await).contains(&"last_renewal"));
    vault.clock.advance(std::time::Duration::from_secs(60)).await;
    vault.write("auth/token/renew-self", json!({})).by(&token).send().await.auth();
    assert_eq!(lookup().await["last_renewal"], "2027-01-15T08:01:00Z");
    assert_eq!(lookup().await["last_renewal_time"], 1_800_000_060);
}

#[tokio::test]
async fn unknown_tokens_and_accessors_have_the_texts_that_clients_know() {
    let vault = TestVault::active().await;
    let cases = [
        ("lookup", json!({ "token": "nope" }), Kind::Denied, "bad token"),
        (
            "lookup-accessor",
            json!({ "accessor": "nope" }),
            Kind::Invalid,
            "1 error occurred:\n\t* invalid accessor\n\n",
        ),
        ("lookup-accessor", json!({}), Kind::Invalid, "1 error occurred:\n\t* missing accessor\n\n"),
        ("renew", json!({ "token": "nope" }), Kind::Invalid, "token not found"),
        ("renew", json!({}), Kind::Invalid, "missing token ID"),
        (
            "renew-accessor",
            json!({ "accessor": "nope" }),
            Kind::Invalid,
            "1 error occurred:\n\t* invalid accessor\n\n",
        ),
        ("renew-accessor", json!({}), Kind::Invalid, "1 error occurred:\n\t* missing accessor\n\n"),
        ("revoke", json!({ "token": "" }), Kind::Invalid, "missing token ID"),
        ("revoke-accessor", json!({}), Kind::Invalid, "1 error occurred:\n\t* missing accessor\n\n"),
        ("revoke-orphan", json!({}), Kind::Invalid, "missing token ID"),
        ("revoke-orphan", json!({ "token": "nope" }), Kind::Invalid, "token to revoke not found"),
    ];
    for (endpoint, asked, kind, text) in cases {
        let told = vault.write(&format!("auth/token/{endpoint}"), asked.clone()).as_root().send().await;
        assert_eq!(told.failure(), (kind, text.to_owned()), "{endpoint} {asked}");
    }
    vault.write("auth/token/revoke", json!({ "token": "nope" })).as_root().send().await.nothing();
    let told =
        vault.write("auth/token/revoke-accessor", json!({ "accessor": "nope" })).as_root().send().await;
    told.nothing();
    assert_eq!(told.warnings(), ["No token found with this accessor"]);
}

#[tokio::test]
async fn the_list_of_accessors_needs_sudo_and_holds_every_token() {
    let vault = TestVault::active().await;
    vault.policy("lister", r#"path "auth/token/accessors/" { capabilities = ["list"] }"#).await;
    vault.policy("sudoer", r#"path "auth/token/accessors/" { capabilities = ["list", "sudo"] }"#).await;
    let refused = vault.list("auth/token/accessors/").by(&vault.token(&["lister"]).await).send().await;
    assert_eq!(refused.failure(), (Kind::Denied, "1 error occurred:\n\t* permission denied\n\n".to_owned()));
    let sudoer = vault.token(&["sudoer"]).await;
    let accessors = vault.list("auth/token/accessors/").by(&sudoer).send().await.data()["keys"].clone();
    assert_eq!(accessors.as_array().expect("a list").len(), 3);
    for accessor in accessors.as_array().expect("a list") {
        let asked = json!({ "accessor": accessor });
        assert!(vault.write("auth/token/lookup-accessor", asked).as_root().send().await.is_ok());
    }
}

#[tokio::test]
async fn during_its_last_use_a_token_can_still_be_shown() {
    let vault = TestVault::active().await;
    let asked = json!({ "policies": ["default"], "num_uses": 2 });
    let token = vault.write("auth/token/create", asked).as_root().send().await.token();
    let uses = async || vault.read("auth/token/lookup-self").by(&token).send().await;
    assert_eq!(uses().await.data()["num_uses"], 1);
    assert_eq!(uses().await.data()["num_uses"], -1);
    assert_eq!(uses().await.failure(), (Kind::Denied, "permission denied".to_owned()));
    let unknown = vault.write("auth/token/lookup", json!({ "token": token })).as_root().send().await;
    assert_eq!(unknown.failure().1, "bad token");
}

/// Who asks within the second of its making sees the whole of its life.
#[tokio::test]
async fn the_seconds_left_are_whole_ones_and_never_none_while_it_lives() {
    let vault = TestVault::active().await;
    vault.clock.advance(Duration::from_millis(300)).await;
    let token = vault.write("auth/token/create", json!({ "ttl": 2 })).as_root().send().await.token();
    for (wait, left) in [(400, 2), (800, 1), (700, 1)] {
        vault.clock.advance(Duration::from_millis(wait)).await;
        assert_eq!(vault.read("auth/token/lookup-self").by(&token).send().await.data()["ttl"], left);
    }
}
