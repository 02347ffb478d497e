//! Advisories about paths, from the kernel's side: what policy is asked about is what the handler gets.

use serde_json::{Value, json};
use vestal_logical::{Kind, Operation};

use crate::testing::TestVault;

/// CVE-2026-3605: dot segments below a glob reached what lies beside it. HTTP refuses most of these before the kernel sees
/// them; to the kernel each is a name like any other, and it names one thing.
#[tokio::test]
async fn cve_2026_3605_no_spelling_below_a_glob_reaches_beside_it() {
    let vault = TestVault::active().await;
    vault.write("sys/mounts/notes", json!({ "type": "notes" })).as_root().send().await.nothing();
    vault.write("notes/b", json!({ "v": "kept" })).as_root().send().await.nothing();
    let grant = r#"path "notes/a/*" { capabilities = ["create", "read", "update", "delete", "list"] }"#;
    vault.policy("below", grant).await;
    let token = vault.token(&["below"]).await;
    let up = ["..", ".", "", "%2e%2e", "%252e%252e", "..;", "..\\", "\u{ff0e}\u{ff0e}", ".. "];
    let paths = up.iter().flat_map(|up| {
        [format!("notes/a/{up}/b"), format!("notes/a/{up}/../b"), format!("notes/a/x/{up}/{up}/b")]
    });
    for path in paths {
        for operation in [Operation::Update, Operation::Read, Operation::Delete] {
            let told = vault.ask(operation, &path, json!({ "v": "lost" })).by(&token).send().await;
            assert!(!told.is_ok() || !format!("{told:?}").contains("kept"), "{operation:?} {path}");
        }
        assert_eq!(vault.read("notes/b").as_root().send().await.data()["v"], "kept", "{path}");
    }
    for path in ["notes/b", "notes//a/b", "notes/./a/b", "notes/x/../a/b", "/notes/a/b"] {
        let told = vault.read(path).by(&token).send().await;
        assert_eq!(told.failure().0, Kind::Denied, "{path}");
    }
}

/// CVE-2020-25594: what is mounted could be told from how strangers are refused.
#[tokio::test]
async fn cve_2020_25594_strangers_hear_the_same_of_mounts_that_are_there_and_of_others() {
    let vault = TestVault::active().await;
    vault.write("sys/mounts/notes", json!({ "type": "notes" })).as_root().send().await.nothing();
    for operation in [Operation::Read, Operation::List, Operation::Update, Operation::Delete] {
        for path in
            ["notes/x", "nothing/x", "auth/token/lookup", "auth/nothing/x", "sys/mounts/notes", "sys/x"]
        {
            for token in [None, Some(""), Some("s.nobodys"), Some("anything")] {
                let ask = vault.ask(operation, path, Value::Null);
                let ask = if let Some(token) = token { ask.by(token) } else { ask };
                let told = ask.send().await.failure();
                assert_eq!(told, (Kind::Denied, "permission denied".to_owned()), "{operation:?} {path}");
            }
        }
    }
}

/// GHSA-xp3c-3jw3-4vcr, as OpenBao decides it since; the page on compatibility says what follows.
#[tokio::test]
async fn ghsa_xp3c_a_list_is_decided_by_the_best_rule_for_the_folder() {
    let vault = TestVault::active().await;
    vault.write("sys/mounts/notes", json!({ "type": "notes" })).as_root().send().await.nothing();
    for (denied, allowed) in
        [("notes/x/foo", false), ("notes/x/foo/", false), ("notes/+/foo/", false), ("notes/+/foo", true)]
    {
        let rules = format!(
            r#"path "notes/*" {{ capabilities = ["list"] }} path "{denied}" {{ capabilities = ["deny"] }}"#
        );
        vault.policy("lists", &rules).await;
        let token = vault.token(&["lists"]).await;
        let told = vault.list("notes/x/foo/").by(&token).send().await;
        let refused = !told.is_ok() && told.failure() == denial();
        assert_eq!(!refused, allowed, "{denied}");
    }
}

fn denial() -> (Kind, String) {
    (Kind::Denied, "1 error occurred:\n\t* permission denied\n\n".to_owned())
}

/// Nothing but a warning is an answer to a write, and is wrapped like any other.
#[tokio::test]
async fn a_warning_alone_is_wrapped_and_tells_of_ignored_fields_too() {
    let vault = TestVault::active().await;
    let ask = || vault.write("auth/token/revoke-accessor", json!({ "accessor": "none", "zz": 1 })).as_root();
    let told = ask().send().await;
    assert_eq!(told.warnings().len(), 2, "{:?}", told.warnings());
    let token = ask().wrapped(60).send().await.token();
    let told = vault.write("sys/wrapping/unwrap", json!({ "token": token })).as_root().send().await;
    assert_eq!(told.unwrapped()["warnings"].as_array().map(Vec::len), Some(2));
}
