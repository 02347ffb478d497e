//! What clients see of `sys/`, in the words that they know (core §2.2).

use serde_json::{Value, json};
use vestal_logical::{Kind, Operation};

use crate::testing::TestVault;

async fn refused(vault: &TestVault, path: &str, data: Value) -> String {
    vault.write(path, data).as_root().send().await.failure().1
}

#[tokio::test]
async fn a_mount_is_found_from_within_and_methods_by_their_full_path() {
    let vault = TestVault::active().await;
    for (path, kind) in [("cubbyhole/x/y", "cubbyhole"), ("auth/token", "token"), ("sys", "system")] {
        let shown = vault.read(&format!("sys/mounts/{path}")).as_root().send().await.data();
        assert_eq!(shown["type"], kind);
        assert_eq!(shown.get("deprecation_status"), None, "the kernel's own are no plugins");
    }
    let (kind, text) = vault.read("sys/mounts/none/tune").as_root().send().await.failure();
    assert_eq!((kind, text.as_str()), (Kind::Invalid, "cannot fetch sysview for path \"none/\""));
}

#[tokio::test]
async fn what_cannot_be_tuned_is_refused_by_name() {
    let vault = TestVault::active().await;
    for (path, data, text) in [
        ("none", json!({}), "tune of path \"none/\" failed: no mount entry found"),
        ("sys", json!({ "max_lease_ttl": "1h" }), "cannot tune parameter max_lease_ttl of sys/"),
        ("cubbyhole", json!({ "token_type": "service" }), "'token_type' can only be modified on auth mounts"),
        (
            "auth/token",
            json!({ "token_type": "batch" }),
            "'token_type' cannot be set for 'token' or 'ns_token' auth mounts",
        ),
    ] {
        assert_eq!(refused(&vault, &format!("sys/mounts/{path}/tune"), data).await, text);
    }
    for span in [json!("999999999999999h"), json!(9_223_372_037_i64)] {
        let text = refused(&vault, "sys/auth/token/tune", json!({ "max_lease_ttl": span })).await;
        assert!(text.contains("max_lease_ttl") && text.contains("too long"), "{text}");
    }
}

#[tokio::test]
async fn a_mount_whose_default_time_exceeds_its_longest_is_refused() {
    let vault = TestVault::active().await;
    for (config, text) in [
        (
            json!({ "default_lease_ttl": "3h", "max_lease_ttl": "2h" }),
            "given default lease TTL greater than given max lease TTL",
        ),
        (
            json!({ "default_lease_ttl": "9999h" }),
            "given default lease TTL greater than system max lease TTL of 2764800",
        ),
    ] {
        assert_eq!(refused(&vault, "sys/mounts/m", json!({ "type": "kv", "config": config })).await, text);
    }
}

#[tokio::test]
async fn a_move_needs_both_paths_and_a_free_destination() {
    let vault = TestVault::active().await;
    for (from, to, text) in [
        ("", "b", "both 'from' and 'to' path must be specified as a string"),
        ("a", "sys", "cannot remount to destination sys/"),
        ("a", "auth/x", "cannot remount to destination auth/x/"),
    ] {
        assert_eq!(refused(&vault, "sys/remount", json!({ "from": from, "to": to })).await, text);
    }
}

#[tokio::test]
async fn a_policy_is_guarded_by_the_version_that_its_writer_expects() {
    let vault = TestVault::active().await;
    let text = "path \"a\" { capabilities = [\"read\"] }";
    let path = "sys/policies/acl/team/a b";
    let with = |extra: Value| {
        let mut data = extra;
        data["policy"] = text.into();
        data
    };
    let unguarded = "check-and-set parameter required for this call";
    assert_eq!(refused(&vault, path, with(json!({ "cas_required": true }))).await, unguarded);
    vault.write(path, with(json!({ "cas": -1, "cas_required": true }))).as_root().send().await.nothing();
    assert_eq!(refused(&vault, path, with(json!({}))).await, unguarded);
    for (cas, why) in [
        (-1, "check-and-set parameter set to -1 on existing entry"),
        (4, "check-and-set parameter 4 did not match the current version 1"),
    ] {
        assert_eq!(refused(&vault, path, with(json!({ "cas": cas }))).await, why);
    }
    let changed = vault.ask(Operation::Patch, path, json!({ "cas_required": false })).as_root().send().await;
    assert_eq!(changed.data(), Value::Null);
    let shown = vault.read(path).as_root().send().await.data();
    assert_eq!(
        (&shown["name"], &shown["version"], &shown["policy"]),
        (&json!("team/a b"), &json!(2), &json!(text))
    );
    let missing = vault.ask(Operation::Patch, "sys/policies/acl/none", json!({})).as_root().send().await;
    assert_eq!(missing.failure().1, "policy not found");
}

#[tokio::test]
async fn the_old_path_takes_rules_for_a_policy_and_says_that_they_are_old() {
    let vault = TestVault::active().await;
    let rules = "path \"a\" { capabilities = [\"read\"] }";
    let old = vault.write("sys/policy/p", json!({ "rules": rules })).as_root().send().await;
    assert_eq!(old.warnings(), ["'rules' is deprecated, please use 'policy' instead"]);
    assert_eq!(vault.read("sys/policy/p").as_root().send().await.data()["rules"], rules);
    let both = json!({ "policy": "path \"b\" {}", "rules": rules });
    assert!(vault.write("sys/policy/p", both).as_root().send().await.warnings().is_empty());
    assert_eq!(vault.read("sys/policy/p").as_root().send().await.data()["rules"], "path \"b\" {}");
    for (path, data) in [
        ("sys/policies/acl/q", json!({ "rules": rules })),
        ("sys/policy/q", json!({ "rules": "" })),
        ("sys/policy/q", json!({ "rules": null })),
    ] {
        assert_eq!(refused(&vault, path, data).await, "'policy' parameter not supplied or empty");
    }
    let list = refused(&vault, "sys/policy/q", json!({ "rules": ["a"] })).await;
    assert!(list.contains("error converting input for field \"rules\""), "{list}");
}

#[tokio::test]
async fn what_a_policy_cannot_have_yet_is_refused_not_dropped() {
    let vault = TestVault::active().await;
    for field in ["expiration", "ttl"] {
        let text = refused(&vault, "sys/policy/p", json!({ "policy": "path \"a\" {}", field: "1h" })).await;
        assert_eq!(text, format!("`{field}` of a policy is not supported yet"));
    }
}

#[tokio::test]
async fn an_old_field_names_the_paths_when_the_new_one_names_none() {
    let vault = TestVault::active().await;
    let asked = json!({ "path": "a", "paths": [] });
    let told = vault.write("sys/capabilities-self", asked).as_root().send().await.data();
    assert_eq!(told, json!({ "a": ["root"], "capabilities": ["root"] }));
    assert_eq!(refused(&vault, "sys/capabilities-accessor", json!({})).await, "missing accessor");
    let (kind, _) = vault.write("sys/capabilities", json!({ "paths": "a" })).as_root().send().await.failure();
    assert_eq!(kind, Kind::Internal, "as the reference has it");
}
