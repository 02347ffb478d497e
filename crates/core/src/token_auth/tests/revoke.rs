use std::time::Duration;

use serde_json::json;
use vestal_logical::Kind;

use crate::testing::TestVault;

struct Family {
    vault: TestVault,
    parent: String,
    child: String,
    grandchild: String,
    orphan: String,
}

async fn family() -> Family {
    let vault = TestVault::active().await;
    vault.policy("maker", r#"path "auth/token/*" { capabilities = ["update", "sudo"] }"#).await;
    let make = async |endpoint: &str, by: &str| {
        let asked = json!({ "policies": ["default", "maker"] });
        vault.write(&format!("auth/token/{endpoint}"), asked).by(by).send().await.token()
    };
    let parent = make("create", &vault.root).await;
    let child = make("create", &parent).await;
    let grandchild = make("create", &child).await;
    let orphan = make("create-orphan", &parent).await;
    Family { vault, parent, child, grandchild, orphan }
}

impl Family {
    async fn alive(&self) -> [bool; 4] {
        let mut alive = [false; 4];
        for (is, token) in alive.iter_mut().zip([&self.parent, &self.child, &self.grandchild, &self.orphan]) {
            *is = self.vault.read("auth/token/lookup-self").by(token).send().await.is_ok();
        }
        alive
    }

    async fn stored(&self) -> usize {
        self.vault.active.tokens.accessors().await.expect("list").len()
    }
}

#[tokio::test]
async fn revoking_takes_the_whole_tree_and_no_orphan() {
    for how in ["revoke", "revoke-self", "revoke-accessor"] {
        let family = family().await;
        let vault = &family.vault;
        for token in [&family.parent, &family.child] {
            vault.write("cubbyhole/a/b", json!({ "x": 1 })).by(token).send().await.nothing();
        }
        let accessor =
            vault.read("auth/token/lookup-self").by(&family.parent).send().await.data()["accessor"].clone();
        let ask = match how {
            "revoke" => vault.write("auth/token/revoke", json!({ "token": family.parent })).as_root(),
            "revoke-self" => vault.write("auth/token/revoke-self", json!({})).by(&family.parent),
            _ => vault.write("auth/token/revoke-accessor", json!({ "accessor": accessor })).as_root(),
        };
        ask.send().await.nothing();
        assert_eq!(family.alive().await, [false, false, false, true], "{how}");
        assert_eq!(family.stored().await, 2, "root and orphan");
        let left = crate::tokens::tests::left_behind(&vault.active.barrier).await;
        assert!(left.is_empty(), "{left:?}");
    }
}

#[tokio::test]
async fn revoking_without_the_tree_makes_the_children_orphans() {
    let family = family().await;
    let told = family.vault.write("auth/token/revoke-orphan", json!({ "token": family.parent }));
    told.as_root().send().await.nothing();
    assert_eq!(family.alive().await, [false, true, true, true]);
    let lookup = async |token: &str| {
        family.vault.write("auth/token/lookup", json!({ "token": token })).as_root().send().await.data()["orphan"].clone()
    };
    assert_eq!((lookup(&family.child).await, lookup(&family.grandchild).await), (json!(true), json!(false)));
    let revoked =
        family.vault.write("auth/token/revoke", json!({ "token": family.child })).as_root().send().await;
    revoked.nothing();
    assert_eq!(family.alive().await, [false, false, false, true]);
}

#[tokio::test]
async fn cutting_children_loose_needs_sudo() {
    let family = family().await;
    family.vault.policy("plain", r#"path "auth/token/*" { capabilities = ["update"] }"#).await;
    let plain = family.vault.token(&["plain"]).await;
    let told = family
        .vault
        .write("auth/token/revoke-orphan", json!({ "token": family.parent }))
        .by(&plain)
        .send()
        .await;
    let text = "root or sudo privileges required to revoke and orphan";
    assert_eq!(told.failure(), (Kind::Invalid, text.to_owned()));
    assert_eq!(family.alive().await, [true; 4]);
}

/// CVE-2020-25816: what was made with a token outlived it. Here a child may live longer, but dies with its parent.
#[tokio::test]
async fn cve_2020_25816_a_child_dies_with_its_parent_at_its_end_too() {
    let vault = TestVault::active().await;
    vault.policy("maker", r#"path "auth/token/*" { capabilities = ["update", "sudo"] }"#).await;
    for parent in [json!({ "ttl": 60 }), json!({ "period": 60 })] {
        let mut asked = parent;
        asked["policies"] = json!(["default", "maker"]);
        let parent = vault.write("auth/token/create", asked).as_root().send().await.token();
        let asked = json!({ "ttl": "2h", "policies": ["default"] });
        let child = vault.write("auth/token/create", asked).by(&parent).send().await.token();
        vault.clock.advance(Duration::from_secs(59)).await;
        assert!(vault.read("auth/token/lookup-self").by(&child).send().await.is_ok());
        vault.clock.advance(Duration::from_secs(1)).await;
        for token in [&parent, &child] {
            let told = vault.read("auth/token/lookup-self").by(token).send().await;
            assert_eq!(told.failure(), (Kind::Denied, "permission denied".to_owned()));
        }
    }
}

/// Expired, revoked, unknown and missing tokens are the same to whoever asks.
#[tokio::test]
async fn a_dead_token_looks_like_none() {
    let vault = TestVault::active().await;
    let short = vault.write("auth/token/create", json!({ "ttl": 1 })).as_root().send().await.token();
    let gone = vault.write("auth/token/create", json!({ "ttl": 9 })).as_root().send().await.token();
    vault.write("auth/token/revoke", json!({ "token": gone })).as_root().send().await.nothing();
    vault.clock.advance(Duration::from_secs(1)).await;
    let expected = (Kind::Denied, "permission denied".to_owned());
    for path in ["auth/token/lookup-self", "sys/mounts", "no/mount/here", "auth/token/nothing"] {
        for token in [short.as_str(), &gone, "s.unknown", ""] {
            assert_eq!(vault.read(path).by(token).send().await.failure(), expected);
        }
        assert_eq!(vault.read(path).send().await.failure(), expected);
    }
}

/// A mistyped revocation must not look like one that was done.
#[tokio::test]
async fn what_is_no_text_is_no_token() {
    let vault = TestVault::active().await;
    for path in ["lookup", "renew", "revoke", "revoke-orphan"] {
        for token in [json!(0), json!(17), json!(true), json!([]), json!({})] {
            let ask = vault.write(&format!("auth/token/{path}"), json!({ "token": token }));
            assert_eq!(ask.as_root().send().await.failure().0, Kind::Invalid, "{path} {token}");
        }
    }
    let made = vault.write("auth/token/create", json!({ "id": 17 })).as_root().send().await;
    assert_eq!(made.token(), "17", "an id of one's choice may be a number");
}

#[tokio::test]
async fn every_authenticated_request_counts_allowed_or_denied_and_open_ones_do_not() {
    let vault = TestVault::active().await;
    let asked = json!({ "policies": ["default"], "num_uses": 3 });
    let token = vault.write("auth/token/create", asked).as_root().send().await.token();
    for _ in 0..3 {
        let told = vault.write("sys/wrapping/lookup", json!({ "token": token })).by(&token).send().await;
        assert_eq!(told.failure().0, Kind::Invalid, "not authenticated, not counted");
    }
    assert_eq!(
        vault.read("sys/mounts").by(&token).send().await.failure().1,
        "1 error occurred:\n\t* permission denied\n\n"
    );
    vault.write("cubbyhole/a", json!({ "x": 1 })).by(&token).send().await.nothing();
    assert_eq!(
        vault.read("cubbyhole/a").by(&token).send().await.data(),
        json!({ "x": 1 }),
        "the last use works"
    );
    assert_eq!(vault.read("cubbyhole/a").by(&token).send().await.failure().1, "permission denied");
    assert_eq!(vault.active.tokens.accessors().await.expect("list").len(), 1, "only root is left");
}
