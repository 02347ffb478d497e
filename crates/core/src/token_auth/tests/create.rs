use serde_json::{Value, json};
use vestal_logical::Kind;

use crate::testing::TestVault;

/// Endpoint, caller, request, and the policies or the refusal.
type Case<'a> = (&'a str, &'a str, Value, Result<&'a [&'a str], &'a str>);

/// A vault with a caller who may make tokens, and one who has `sudo` there.
async fn vault() -> (TestVault, String, String) {
    let vault = TestVault::active().await;
    vault
        .policy("maker", r#"path "auth/token/*" { capabilities = ["create", "update", "read", "list"] }"#)
        .await;
    vault
        .policy(
            "sudoer",
            r#"path "auth/token/*" { capabilities = ["create", "update", "read", "list", "sudo"] }"#,
        )
        .await;
    let asked = json!({ "policies": ["maker"], "ttl": "1h" });
    let maker = vault.write("auth/token/create", asked).as_root().send().await.token();
    let sudoer = vault.token(&["sudoer"]).await;
    (vault, maker, sudoer)
}

#[tokio::test]
async fn a_service_token_looks_like_one_and_is_nowhere_in_the_store() {
    let (vault, ..) = vault().await;
    let made = vault.write("auth/token/create", json!({ "policies": ["maker"] })).as_root().send().await;
    let (token, accessor) = (made.token(), made.auth().accessor.clone());
    assert!(token.starts_with("s.") && token.len() == 26, "two and 24 characters");
    assert_eq!(accessor.len(), 24);
    assert!(token[2..].chars().chain(accessor.chars()).all(|c| c.is_ascii_alphanumeric()));
    let stored = vault.active.barrier.physical();
    let all =
        stored.page(&vestal_storage::Key::root(), vestal_storage::Seek::Start, 10_000).await.expect("read");
    for (key, record) in all {
        for secret in [token.as_bytes(), &token.as_bytes()[2..], accessor.as_bytes()] {
            let has = |bytes: &[u8]| bytes.windows(secret.len()).any(|window| window == secret);
            assert!(!has(key.as_bytes()) && !has(record.sealed.as_bytes()), "{key:?} gives it away");
        }
    }
}

#[tokio::test]
async fn policies_are_canonical_and_bounded_by_what_the_caller_has() {
    let (vault, maker, sudoer) = vault().await;
    let root = vault.root.clone();
    let cases: [Case<'_>; 21] = [
        (
            "create",
            &root,
            json!({ "policies": ["a b", "B", "default", " c ", "b"] }),
            Ok(&["a b", "b", "c", "default"]),
        ),
        ("create", &root, json!({ "policies": "one,two" }), Ok(&["default", "one,two"])),
        ("create", &root, json!({ "policies": ["", " "] }), Ok(&["default"])),
        ("create", &root, json!({ "policies": null }), Ok(&["root"])),
        ("create", &root, json!({}), Ok(&["root"])),
        ("create", &root, json!({ "policies": ["root", "other"] }), Ok(&["root"])),
        ("create", &root, json!({ "policies": ["x"], "no_default_policy": true }), Ok(&["x"])),
        ("create", &maker, json!({}), Ok(&["default", "maker"])),
        ("create", &maker, json!({ "no_default_policy": true }), Ok(&["maker"])),
        ("create", &maker, json!({ "policies": ["maker"] }), Ok(&["default", "maker"])),
        ("create", &maker, json!({ "policies": ["default"], "no_default_policy": true }), Ok(&[])),
        ("create", &maker, json!({ "policies": ["x"] }), Err("child policies must be subset of parent")),
        ("create", &maker, json!({ "policies": ["root"] }), Err("child policies must be subset of parent")),
        (
            "create-orphan",
            &maker,
            json!({ "policies": ["y"] }),
            Err("child policies must be subset of parent"),
        ),
        ("create-orphan", &maker, json!({}), Ok(&["default", "maker"])),
        ("create", &sudoer, json!({}), Ok(&["sudoer"])),
        ("create", &sudoer, json!({ "policies": ["zzz"] }), Ok(&["default", "zzz"])),
        (
            "create",
            &sudoer,
            json!({ "policies": ["root"] }),
            Err("root tokens may not be created without parent token being root"),
        ),
        (
            "create",
            &root,
            json!({ "policies": [" Response-Wrapping"] }),
            Err("cannot assign policy \"response-wrapping\""),
        ),
        (
            "create",
            &sudoer,
            json!({ "policies": ["response-wrapping"] }),
            Err("cannot assign policy \"response-wrapping\""),
        ),
        ("create", &maker, json!({ "policies": ["MAKER"], "ttl": "2h" }), Ok(&["default", "maker"])),
    ];
    for case in cases {
        holds(&vault, case).await;
    }
}

async fn holds(vault: &TestVault, (endpoint, token, asked, expected): Case<'_>) {
    let told = vault.write(&format!("auth/token/{endpoint}"), asked.clone()).by(token).send().await;
    match expected {
        Ok(policies) => {
            assert_eq!(told.auth().policies, policies, "{asked}");
            assert_eq!(told.auth().token_policies, policies, "{asked}");
            assert_eq!(told.auth().orphan, endpoint == "create-orphan", "{asked}");
        }
        Err(text) => assert_eq!(told.failure(), (Kind::Invalid, text.to_owned()), "{asked}"),
    }
}

#[tokio::test]
async fn a_child_of_a_token_without_default_gets_it_only_by_sudo() {
    let (vault, ..) = vault().await;
    let plain = vault.token(&["maker"]).await;
    let own = vault.write("auth/token/create", json!({ "policies": ["maker"] })).by(&plain).send().await;
    assert_eq!(own.auth().policies, ["maker"]);
    let more =
        vault.write("auth/token/create", json!({ "policies": ["default", "maker"] })).by(&plain).send().await;
    assert_eq!(more.failure().1, "child policies must be subset of parent");
}

/// CVE-2025-5999, CVE-2025-64761: names were lower-cased after the root check. And lookalikes are other names.
#[tokio::test]
async fn cve_2025_5999_no_spelling_of_root_makes_root_for_anyone_but_root() {
    let (vault, maker, sudoer) = vault().await;
    for name in ["root", "ROOT", "Root ", " rOOt", "\u{a0}root\u{a0}", "\troot\n", "ROOT\u{2003}"] {
        for (endpoint, token) in
            [("create", &maker), ("create", &sudoer), ("create-orphan", &maker), ("create-orphan", &sudoer)]
        {
            for policies in [json!([name]), json!(name), json!(["maker", name])] {
                let asked = json!({ "policies": policies });
                let told = vault.write(&format!("auth/token/{endpoint}"), asked).by(token).send().await;
                assert_eq!(told.failure().0, Kind::Invalid, "{name:?}");
            }
        }
    }
    for lookalike in ["r\u{43e}ot", "ro\u{3bf}t", "root\u{200b}", "ｒｏｏｔ", "ro\u{0}ot"] {
        let asked = json!({ "policies": [lookalike] });
        let refused = vault.write("auth/token/create", asked.clone()).by(&maker).send().await;
        assert_eq!(refused.failure().1, "child policies must be subset of parent", "{lookalike:?}");
        let token = vault.write("auth/token/create", asked).by(&sudoer).send().await.token();
        let entry =
            vault.active.tokens.peek(&token.as_str().into(), crate::testing::START).await.expect("read");
        assert!(!entry.expect("alive").root(), "{lookalike:?} is a name that grants nothing");
        assert_eq!(vault.list("auth/token/accessors/").by(&token).send().await.failure().0, Kind::Denied);
    }
}

#[tokio::test]
async fn what_needs_sudo_is_refused_without_and_works_with_it() {
    let (vault, maker, sudoer) = vault().await;
    let cases = [
        (json!({ "no_parent": true }), "root or sudo privileges required to create orphan token"),
        (json!({ "period": "1h" }), "root or sudo privileges required to create periodic token"),
        (json!({ "id": "chosen" }), "root or sudo privileges required to specify token id"),
    ];
    for (asked, text) in cases {
        let refused = vault.write("auth/token/create", asked.clone()).by(&maker).send().await;
        assert_eq!(refused.failure(), (Kind::Invalid, text.to_owned()));
        assert!(vault.write("auth/token/create", asked).by(&sudoer).send().await.is_ok());
    }
    let orphan = vault.write("auth/token/create", json!({ "no_parent": true })).by(&sudoer).send().await;
    assert!(orphan.auth().orphan);
}

#[tokio::test]
async fn input_that_cannot_be_is_refused_by_name_and_never_repeated() {
    let (vault, ..) = vault().await;
    let cases = [
        (json!({ "num_uses": -1 }), "number of uses cannot be negative"),
        (json!({ "type": "canary" }), "invalid 'token_type' value"),
        (json!({ "type": "batch", "policies": ["x"] }), "tokens of `type` batch are not supported yet"),
        (json!({ "entity_alias": "canary" }), "`entity_alias` is not supported yet"),
        (json!({ "ttl": "-1h" }), "ttl must be positive"),
        (json!({ "explicit_max_ttl": "-1h" }), "explicit_max_ttl must be positive"),
        (json!({ "period": "-1" }), "period must be positive"),
        (json!({ "ttl": "canary" }), "`ttl`: time: invalid duration"),
        (
            json!({ "lease": [] }),
            "Field validation failed: error converting input for field \"lease\": '' expected type 'string', got unconvertible type '[]interface {}'",
        ),
        (json!({ "ttl": "9999999999999h" }), "`ttl` is too long"),
        (json!({ "id": "s.canary" }), "custom token ID cannot have the 's.' prefix"),
        (json!({ "id": "hvs.canary" }), "custom token ID cannot have the 'hvs.' prefix"),
        (json!({ "id": "can.ary" }), "custom token ID cannot have a '.' in the value"),
    ];
    for (asked, text) in cases {
        let told = vault.write("auth/token/create", asked).as_root().send().await;
        assert_eq!(told.failure(), (Kind::Invalid, text.to_owned()));
    }
    for asked in
        [json!({ "policies": { "canary": 1 } }), json!({ "meta": 5 }), json!({ "num_uses": "canary" })]
    {
        let (kind, text) = vault.write("auth/token/create", asked).as_root().send().await.failure();
        assert!(kind == Kind::Invalid && text.starts_with("Field validation failed"), "{text}");
        assert!(!text.contains("canary"), "{text}");
    }
}

#[tokio::test]
async fn a_chosen_id_is_unique_and_comes_with_a_warning() {
    let (vault, ..) = vault().await;
    let asked = json!({ "id": "chosen", "policies": ["maker"] });
    let made = vault.write("auth/token/create", asked.clone()).as_root().send().await;
    assert_eq!(made.token(), "chosen");
    assert_eq!(made.warnings().len(), 1);
    let again = vault.write("auth/token/create", asked.clone()).as_root().send().await;
    assert_eq!(again.failure().1, "cannot create a token with a duplicate ID");
    vault.write("auth/token/revoke", json!({ "token": "chosen" })).as_root().send().await.nothing();
    assert!(vault.write("auth/token/create", asked).as_root().send().await.is_ok(), "it is free again");
}

#[tokio::test]
async fn the_answer_tells_what_was_made_and_warns_of_policies_that_are_not_there() {
    let (vault, ..) = vault().await;
    let asked = json!({
        "policies": ["maker", "later"], "meta": { "team": "web", "level": 1 }, "num_uses": "3", "renewable": "false",
        "display_name": "my name!", "ttl": 90, "unknown": 1,
    });
    let made = vault.write("auth/token/create", asked).as_root().send().await;
    let auth = serde_json::to_value(made.auth()).expect("JSON");
    let expected = json!({
        "client_token": made.token(), "accessor": made.auth().accessor, "policies": ["default", "later", "maker"],
        "token_policies": ["default", "later", "maker"], "metadata": { "team": "web", "level": "1" },
        "lease_duration": 90, "renewable": false, "entity_id": "", "token_type": "service", "orphan": false,
        "mfa_requirement": null, "num_uses": 3,
    });
    assert_eq!(auth, expected);
    let warnings =
        ["Policy \"later\" does not exist", "Endpoint ignored these unrecognized parameters: [unknown]"];
    assert_eq!(made.warnings(), warnings);
    let data = vault.read("auth/token/lookup-self").by(&made.token()).send().await.data();
    assert_eq!(data["display_name"], "token-my-name");
}

#[tokio::test]
async fn metadata_may_be_absent_null_or_empty() {
    let (vault, ..) = vault().await;
    let cases = [
        (json!({}), Value::Null),
        (json!({ "meta": null }), Value::Null),
        (json!({ "meta": {} }), json!({})),
        (json!({ "meta": "a=b" }), json!({ "a": "b" })),
        (json!({ "meta": ["a=b", "c=d=e"] }), json!({ "a": "b", "c": "d=e" })),
    ];
    for (asked, expected) in cases {
        let made = vault.write("auth/token/create", asked.clone()).as_root().send().await;
        assert_eq!(json!(made.auth().metadata), expected, "{asked}");
        let data = vault.read("auth/token/lookup-self").by(&made.token()).send().await.data();
        assert_eq!(data["meta"], expected, "{asked}");
    }
}

#[tokio::test]
async fn a_token_with_a_limit_makes_no_tokens() {
    let (vault, ..) = vault().await;
    let limited = vault.write("auth/token/create", json!({ "num_uses": 2 })).as_root().send().await.token();
    let told = vault.write("auth/token/create", json!({})).by(&limited).send().await;
    assert_eq!(
        told.failure(),
        (Kind::Invalid, "restricted use token cannot generate child tokens".to_owned())
    );
    let told = vault.write("auth/token/create", json!({})).by(&limited).send().await;
    assert_eq!(told.failure().1, "parent token lookup failed: no parent found", "this was its last use");
    assert_eq!(
        vault.write("auth/token/create", json!({})).by(&limited).send().await.failure().0,
        Kind::Denied
    );
}

#[tokio::test]
async fn roles_and_tidying_are_not_built_and_say_so() {
    let (vault, ..) = vault().await;
    for path in ["auth/token/create/role", "auth/token/roles/role", "auth/token/tidy", "auth/token/renew/x"] {
        let told = vault.write(path, json!({})).as_root().send().await;
        assert_eq!(told.failure().0, Kind::UnsupportedPath, "{path}");
    }
    assert_eq!(vault.list("auth/token/roles/").as_root().send().await.failure().0, Kind::UnsupportedPath);
    assert_eq!(vault.read("auth/token/create").as_root().send().await.failure().0, Kind::Unsupported);
    assert_eq!(vault.read("auth/token/accessors").as_root().send().await.failure().0, Kind::Unsupported);
}

/// GHSA-rh46-vc3j-w2w3: internal operations could be sent from outside and mint tokens.
#[tokio::test]
async fn ghsa_rh46_only_writes_make_tokens() {
    use vestal_logical::Operation;
    let (vault, ..) = vault().await;
    let before = vault.active.tokens.accessors().await.expect("list").len();
    for operation in
        [Operation::Read, Operation::List, Operation::Delete, Operation::Patch, Operation::Header]
    {
        for path in ["auth/token/create", "auth/token/create-orphan"] {
            let told = vault.ask(operation, path, json!({ "policies": ["maker"] })).as_root().send().await;
            assert_eq!(told.failure().0, Kind::Unsupported, "{operation:?} {path}");
        }
    }
    assert_eq!(vault.active.tokens.accessors().await.expect("list").len(), before);
}
