//! Mounts as clients see them: enabling, listing, tuning, moving, disabling, and what a crash leaves.

use serde_json::{Value, json};
use vestal_logical::{Kind, Operation};
use vestal_storage::testing::{Fault, Target};
use vestal_storage::{Changes, Empty, Place};

use crate::testing::TestVault;

async fn mounted(path: &str) -> TestVault {
    let vault = TestVault::active().await;
    vault.write(&format!("sys/mounts/{path}"), json!({ "type": "notes" })).as_root().send().await.nothing();
    vault
}

#[tokio::test]
async fn a_new_vault_has_the_kernels_own_mounts() {
    let vault = TestVault::active().await;
    let secret = vault.read("sys/mounts").as_root().send().await.data();
    let paths: Vec<_> = secret.as_object().unwrap().keys().collect();
    assert_eq!(paths, ["cubbyhole/", "identity/", "sys/"]);
    let auth = vault.read("sys/auth").as_root().send().await.data();
    assert_eq!(auth["token/"]["config"]["token_type"], "default-service");
    for key in
        ["accessor", "uuid", "local", "seal_wrap", "external_entropy_access", "options", "plugin_version"]
    {
        assert!(secret["sys/"].get(key).is_some(), "{key}");
    }
}

#[tokio::test]
async fn paths_that_clash_or_are_protected_are_refused() {
    let vault = mounted("a/b").await;
    for (path, fields, expected) in [
        ("a/b", json!({ "type": "notes" }), "path is already in use at a/b/"),
        ("a", json!({ "type": "notes" }), "path is already in use at a/b/"),
        ("a/b/c", json!({ "type": "notes" }), "path is already in use at a/b/"),
        ("x", json!({}), "backend type must be specified as a string"),
        ("x", json!({ "type": "zork" }), "plugin not found in the catalog: zork"),
        ("x", json!({ "type": "system" }), "mount type of \"system\" is not mountable"),
        ("sys", json!({ "type": "notes" }), "cannot mount \"sys/\""),
        ("cubbyhole/x", json!({ "type": "notes" }), "cannot mount \"cubbyhole/x/\""),
        ("auth/x", json!({ "type": "notes" }), "cannot mount \"auth/x/\""),
        ("x", json!({ "type": "notes", "plugin_version": "v1" }), "`plugin_version` is not supported"),
    ] {
        let told = vault.write(&format!("sys/mounts/{path}"), fields).as_root().send().await;
        let (kind, text) = told.failure();
        assert_eq!(kind, Kind::Invalid, "{path}");
        assert!(text.starts_with(expected), "{text}");
    }
    let told = vault.write("sys/auth/x", json!({ "type": "userpass" })).as_root().send().await;
    assert_eq!(told.failure().1, "plugin not found in the catalog: userpass");
    let told = vault.read("sys/mounts/none").as_root().send().await;
    assert_eq!(told.failure(), (Kind::Invalid, "No secret engine mount at none/".to_owned()));
    assert_eq!(vault.read("sys/auth/none").as_root().send().await.failure().1, "No auth engine at none/");
}

#[tokio::test]
async fn what_is_disabled_is_gone_and_its_records_too() {
    let vault = mounted("notes").await;
    vault.write("notes/x", json!({ "k": "v" })).as_root().send().await.nothing();
    assert_eq!(vault.read("notes/x").as_root().send().await.data()["k"], "v");
    vault.delete("sys/mounts/notes").as_root().send().await.nothing();
    let (kind, text) = vault.read("notes/x").as_root().send().await.failure();
    assert_eq!(kind, Kind::UnsupportedPath);
    assert_eq!(text, "no handler for route \"notes/x\". route entry not found.");
    vault.delete("sys/mounts/notes").as_root().send().await.nothing();
    vault.write("sys/mounts/notes", json!({ "type": "notes" })).as_root().send().await.nothing();
    vault.read("notes/x").as_root().send().await.nothing();
    assert_eq!(vault.delete("sys/mounts/sys").as_root().send().await.failure().1, "cannot unmount \"sys/\"");
}

#[tokio::test]
async fn a_moved_mount_keeps_its_records_and_its_handle() {
    let vault = mounted("old").await;
    vault.write("old/x", json!({ "k": "v" })).as_root().send().await.nothing();
    let before = vault.read("sys/mounts/old").as_root().send().await.data()["accessor"].clone();
    let told = vault.write("sys/remount", json!({ "from": "old", "to": "new/place" })).as_root().send().await;
    let id = told.data()["migration_id"].as_str().unwrap().to_owned();
    assert_eq!(vault.read("new/place/x").as_root().send().await.data()["k"], "v");
    assert_eq!(vault.read("old/x").as_root().send().await.failure().0, Kind::UnsupportedPath);
    assert_eq!(vault.read("sys/mounts/new/place").as_root().send().await.data()["accessor"], before);
    let status = vault.read(&format!("sys/remount/status/{id}")).as_root().send().await.data();
    assert_eq!(status["migration_info"]["status"], "success");
    for (from, to) in
        [("none", "x"), ("new/place", "sys/x"), ("sys", "x"), ("new/place", "auth/x"), ("", "x")]
    {
        let told = vault.write("sys/remount", json!({ "from": from, "to": to })).as_root().send().await;
        assert_eq!(told.failure().0, Kind::Invalid, "{from} {to}");
    }
}

#[tokio::test]
async fn tuning_changes_what_is_given_and_leaves_the_rest() {
    let vault = mounted("notes").await;
    let tuned = async || vault.read("sys/mounts/notes/tune").as_root().send().await.data();
    let tune = async |fields: Value| vault.write("sys/mounts/notes/tune", fields).as_root().send().await;
    assert_eq!(tuned().await["default_lease_ttl"], 2_764_800);
    tune(json!({ "default_lease_ttl": "30m", "description": "mine" })).await.nothing();
    tune(json!({ "max_lease_ttl": 7200, "default_lease_ttl": "" })).await.nothing();
    let now = tuned().await;
    assert_eq!(
        (&now["default_lease_ttl"], &now["max_lease_ttl"], &now["description"]),
        (&json!(1800), &json!(7200), &json!("mine"))
    );
    tune(json!({ "default_lease_ttl": "system" , "max_lease_ttl": "0" })).await.nothing();
    assert_eq!(tuned().await["default_lease_ttl"], 2_764_800);
    for bad in [
        json!({ "default_lease_ttl": "3h", "max_lease_ttl": "2h" }),
        json!({ "default_lease_ttl": "hunter2" }),
        json!({ "listing_visibility": "everybody" }),
        json!({ "user_lockout_config": { "lockout_threshold": "5" } }),
    ] {
        let (kind, text) = tune(bad).await.failure();
        assert_eq!(kind, Kind::Invalid);
        assert!(!text.contains("hunter2"), "{text}");
    }
    let other =
        vault.write("sys/mounts/auth/token/tune", json!({ "max_lease_ttl": "1h" })).as_root().send().await;
    other.nothing();
    assert_eq!(vault.read("sys/auth/token/tune").as_root().send().await.data()["max_lease_ttl"], 3600);
}

#[tokio::test]
async fn the_settings_of_a_new_mount_are_read_as_those_of_tuning() {
    let vault = TestVault::active().await;
    let enable = async |config: Value| {
        let fields = json!({ "type": "notes", "config": config });
        vault.write("sys/mounts/notes", fields).as_root().send().await
    };
    for bad in [json!({ "allowed_response_headers": {} }), json!({ "audit_non_hmac_request_keys": 1 })] {
        assert_eq!(enable(bad).await.failure().0, Kind::Invalid);
    }
    let config = json!({
        "default_lease_ttl": "system", "max_lease_ttl": "2h", "listing_visibility": "",
        "passthrough_request_headers": [], "audit_non_hmac_request_keys": "", "audit_non_hmac_response_keys": ["a"],
    });
    enable(config).await.nothing();
    let shown = vault.read("sys/mounts/notes").as_root().send().await.data();
    let expected = json!({
        "default_lease_ttl": 0, "max_lease_ttl": 7200, "force_no_cache": false,
        "audit_non_hmac_response_keys": ["a"],
    });
    assert_eq!(shown["config"], expected);
}

#[tokio::test]
async fn mounts_are_there_again_after_unsealing() {
    let vault = mounted("notes").await;
    vault.write("notes/x", json!({ "k": "v" })).as_root().send().await.nothing();
    let again = TestVault::on(vault.store.clone(), 2).await.unwrap();
    assert_eq!(again.read("notes/x").as_root().send().await.data()["k"], "v");
}

#[tokio::test]
async fn the_mounts_that_a_caller_can_see_are_told_and_no_others() {
    let vault = mounted("notes").await;
    vault.write("sys/mounts/other", json!({ "type": "notes" })).as_root().send().await.nothing();
    vault.policy("reader", r#"path "notes/a/*" { capabilities = ["read"] }"#).await;
    let token = vault.token(&["reader"]).await;
    let seen = vault.read("sys/internal/ui/mounts").by(&token).send().await.data();
    assert_eq!(seen["secret"].as_object().unwrap().keys().collect::<Vec<_>>(), ["notes/"]);
    let one = vault.read("sys/internal/ui/mounts/notes/a/b").by(&token).send().await.data();
    assert_eq!(one["path"], "notes/");
    for path in ["other/x", "none/x"] {
        let (kind, text) =
            vault.read(&format!("sys/internal/ui/mounts/{path}")).by(&token).send().await.failure();
        assert_eq!(kind, Kind::Denied);
        assert!(text.starts_with("preflight capability check returned 403"), "{text}");
    }
    let nobody = vault.read("sys/internal/ui/mounts").send().await.data();
    assert_eq!(nobody["secret"], json!({}));
    vault
        .write("sys/mounts/notes/tune", json!({ "listing_visibility": "unauth" }))
        .as_root()
        .send()
        .await
        .nothing();
    let nobody = vault.read("sys/internal/ui/mounts").send().await.data();
    assert_eq!(nobody["secret"]["notes/"], json!({ "type": "notes", "description": "", "options": {} }));
    let told = vault.read("sys/internal/ui/mounts/notes/a").send().await;
    assert_eq!(told.failure(), (Kind::Denied, "permission denied".to_owned()));
}

#[tokio::test]
async fn without_a_right_nobody_learns_what_is_mounted() {
    let vault = mounted("notes").await;
    let token = vault.token(&["nothing"]).await;
    let there = vault.read("notes/x").by(&token).send().await.failure();
    let missing = vault.read("none/x").by(&token).send().await.failure();
    assert_eq!(there, missing);
    assert_eq!(vault.read("notes/x").send().await.failure(), vault.read("none/x").send().await.failure());
    let bad = vault.ask(Operation::Read, "none/x", Value::Null).by("s.unknown").send().await;
    assert_eq!(bad.failure(), (Kind::Denied, "permission denied".to_owned()));
}

/// "Not found" would tell clients that their secrets are gone.
#[tokio::test]
async fn an_engine_that_could_not_be_opened_anew_is_unavailable_until_it_can() {
    let vault = mounted("notes").await;
    vault.write("notes/x", json!({ "k": "v" })).as_root().send().await.nothing();
    let tune = async || {
        let careful = json!({ "options": { "careful": "1" } });
        vault.write("sys/mounts/notes/tune", careful).as_root().send().await
    };
    vault.store.next(Target::Read, Fault::Refuse);
    assert_eq!(tune().await.failure().0, Kind::Unavailable);
    assert_eq!(vault.read("notes/x").as_root().send().await.failure().0, Kind::Unavailable);
    assert!(tune().await.is_ok());
    assert_eq!(vault.read("notes/x").as_root().send().await.data()["k"], "v");
    assert!(tune().await.warnings().is_empty(), "it is open, so nothing is opened anew");
}

/// Records written after the purge would lie there for ever.
#[tokio::test]
async fn a_call_that_does_not_end_is_cut_off_when_its_mount_goes_and_stops_nobody_from_looking() {
    let vault = mounted("notes").await;
    vault.write("notes/x", json!({ "k": "v" })).as_root().send().await.nothing();
    vault.store.next(Target::Read, Fault::Hold);
    let (slow, gone, ()) = tokio::join!(
        vault.read("notes/x").as_root().send(),
        async {
            vault.store.holding(1).await;
            vault.delete("sys/mounts/notes").as_root().send().await
        },
        async {
            vault.store.holding(1).await;
            vestal_logical::testing::settle().await;
            let shown = vault.read("sys/mounts").as_root().send().await.data();
            assert!(shown.get("notes/").is_none());
            vault.clock.advance(std::time::Duration::from_secs(40)).await;
        }
    );
    assert_eq!(slow.failure().0, Kind::Unavailable);
    gone.nothing();
}

/// More than one page of them, and one that cannot be deleted yet.
#[tokio::test]
async fn purges_that_a_crash_left_are_all_finished_and_keep_no_vault_sealed() {
    let vault = TestVault::active().await;
    let core = vault.active.barrier.view(&Place::root().plain("core"));
    let notes = Place::root().plain("purge").plain("logical");
    let mut changes = Changes::new();
    for number in 0..300 {
        changes.put(&core, &notes.clone().plain(format!("{number:04}")), &Empty).unwrap();
    }
    core.commit(changes).await.unwrap();
    let left = async |vault: &TestVault| {
        let core = vault.active.barrier.view(&Place::root().plain("core"));
        core.keys(&notes, None, 1000).await.unwrap().items.len()
    };
    let store = vault.store.reopen();
    store.next(Target::Commit, Fault::Refuse);
    let again = TestVault::on(store, 2).await.expect("it unseals");
    assert_eq!(left(&again).await, 1);
    let again = TestVault::on(again.store.reopen(), 3).await.unwrap();
    assert_eq!(left(&again).await, 0);
}
