//! `config` (reference §2).

use std::sync::Arc;

use serde_json::{Value, json};
use vestal_logical::Operation;

use crate::mount::{Mount, Nowhere};

async fn mount() -> Mount {
    Mount::new(Arc::new(Nowhere::default())).await
}

fn defaults() -> Value {
    json!({
        "default_server": "",
        "tune_provider_timeout_seconds": 30,
        "tune_provider_timeout_expiry_leeway_factor": 1.5,
        "tune_refresh_check_interval_seconds": 60,
        "tune_refresh_expiry_delta_factor": 1.2,
        "tune_reap_check_interval_seconds": 300,
        "tune_reap_dry_run": false,
        "tune_reap_non_refreshable_seconds": 86_400,
        "tune_reap_revoked_seconds": 3600,
        "tune_reap_transient_error_attempts": 10,
        "tune_reap_transient_error_seconds": 86_400,
        "tune_reap_server_deleted_seconds": 86_400,
    })
}

fn defaults_but(changes: &Value) -> Value {
    let mut all = defaults();
    all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    all
}

#[tokio::test]
async fn row_001_the_engine_opens_on_an_empty_store_and_holds_nothing() {
    let mount = mount().await;
    for path in ["config", "servers/a", "creds/a"] {
        mount.read(path).await.absent();
    }
    mount.list("servers/").await.absent();
}

#[tokio::test]
async fn row_003_config_read_write() {
    let mount = mount().await;
    mount.read("config").await.absent();
    mount.write("config", json!({ "tune_provider_timeout_seconds": 42 })).await.done();
    let expected = defaults_but(&json!({ "tune_provider_timeout_seconds": 42 }));
    assert_eq!(mount.read("config").await.data(), expected);
}

#[tokio::test]
async fn a_write_replaces_the_whole_and_deleting_goes_back_to_nothing() {
    let mount = mount().await;
    mount.write("config", json!({ "default_server": "a", "tune_reap_dry_run": true })).await.done();
    mount.write("config", json!({ "tune_refresh_expiry_delta_factor": 2 })).await.done();
    let expected = defaults_but(&json!({ "tune_refresh_expiry_delta_factor": 2 }));
    assert_eq!(mount.read("config").await.data(), expected);
    let mount = mount.reopened().await;
    assert_eq!(mount.read("config").await.data(), expected);
    mount.delete("config").await.done();
    mount.read("config").await.absent();
    mount.delete("config").await.done();
    mount.reopened().await.read("config").await.absent();
}

#[tokio::test]
async fn factors_are_numbers_and_whole_ones_have_no_fraction() {
    let mount = mount().await;
    let factors = json!({
        "tune_provider_timeout_expiry_leeway_factor": "2.0",
        "tune_refresh_expiry_delta_factor": 1.25,
        "tune_refresh_check_interval_seconds": "2m",
    });
    mount.write("config", factors).await.done();
    let text = mount.read("config").await.data().to_string();
    for part in [
        "\"tune_provider_timeout_expiry_leeway_factor\":2,",
        "\"tune_refresh_expiry_delta_factor\":1.25",
        "\"tune_refresh_check_interval_seconds\":120,",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[tokio::test]
async fn each_check_has_its_text_and_a_refused_write_changes_nothing() {
    let mount = mount().await;
    let leeway = "provider timeout expiry leeway factor must be at least 1.0";
    let delta = "refresh expiry delta factor must be at least 1.0";
    let cases = [
        (json!({ "tune_provider_timeout_expiry_leeway_factor": 0.99 }), leeway),
        (json!({ "tune_provider_timeout_expiry_leeway_factor": null }), leeway),
        (json!({ "tune_provider_timeout_expiry_leeway_factor": "" }), leeway),
        (
            json!({ "tune_refresh_check_interval_seconds": 7_776_001 }),
            "refresh check interval can be at most 90 days",
        ),
        (json!({ "tune_refresh_expiry_delta_factor": 0 }), delta),
        (json!({ "tune_refresh_expiry_delta_factor": null }), delta),
        (
            json!({ "tune_reap_check_interval_seconds": "181d" }),
            "reap check interval can be at most 180 days",
        ),
        (
            json!({ "tune_reap_transient_error_attempts": -1 }),
            "reap transient error attempts cannot be negative",
        ),
        (
            json!({ "tune_reap_transient_error_attempts": -1, "tune_provider_timeout_expiry_leeway_factor": 0 }),
            leeway,
        ),
    ];
    for (fields, text) in cases {
        assert_eq!(mount.write("config", fields.clone()).await.refused(400), text, "{fields}");
    }
    mount.read("config").await.absent();
    for fields in [
        json!({ "tune_refresh_check_interval_seconds": 7_776_000, "tune_reap_check_interval_seconds": "180d" }),
        json!({ "tune_provider_timeout_expiry_leeway_factor": 1, "tune_refresh_expiry_delta_factor": 1 }),
        json!({ "tune_provider_timeout_seconds": 0, "tune_refresh_check_interval_seconds": 0 }),
    ] {
        mount.write("config", fields).await.done();
    }
}

#[tokio::test]
async fn x31_null_is_zero_for_factors_and_nothing_for_durations() {
    let mount = mount().await;
    let nulls = json!({
        "tune_provider_timeout_seconds": null,
        "tune_refresh_check_interval_seconds": null,
        "default_server": null,
        "tune_reap_dry_run": null,
    });
    mount.write("config", nulls).await.done();
    assert_eq!(mount.read("config").await.data(), defaults());
    mount.write("config", json!({ "tune_refresh_expiry_delta_factor": null })).await.refused(400);
}

#[tokio::test]
async fn input_that_does_not_fit_names_the_field_and_never_its_value() {
    let mount = mount().await;
    let cases = [
        ("tune_provider_timeout_seconds", json!("s3cret")),
        ("tune_provider_timeout_seconds", json!(-815)),
        ("tune_refresh_expiry_delta_factor", json!("s3cret")),
        ("tune_reap_dry_run", json!("s3cret")),
        ("tune_reap_transient_error_attempts", json!("815.5")),
        ("default_server", json!(["s3cret"])),
    ];
    for (field, value) in cases {
        for operation in [Operation::Update, Operation::Read, Operation::Delete] {
            let text = mount.call(operation, "config", json!({ field: value })).await.refused(400);
            assert!(text.contains(&format!("\"{field}\"")), "{text}");
            assert!(!text.contains("s3cret") && !text.contains("815.5"), "{text}");
        }
    }
}

#[tokio::test]
async fn x32_the_operations_that_config_does_not_have() {
    let mount = mount().await;
    assert_eq!(mount.list("config").await.refused(404), "unsupported path");
    assert_eq!(mount.call(Operation::Patch, "config", json!({})).await.refused(405), "unsupported operation");
    assert_eq!(
        mount.call(Operation::Header, "config", json!({})).await.refused(405),
        "unsupported operation"
    );
    assert_eq!(mount.read("config/").await.refused(404), "unsupported path");
}

#[tokio::test]
async fn x03_a_field_that_nobody_knows_is_told_on_reads() {
    let mount = mount().await;
    mount.write("config", json!({ "zork": 1 })).await.done();
    let answer = mount.call(Operation::Read, "config", json!({ "b": "1", "a": "2" })).await;
    assert_eq!(answer.warnings, ["Endpoint ignored these unrecognized parameters: [a b]"]);
}
