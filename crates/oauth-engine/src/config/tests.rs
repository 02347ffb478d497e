//! Tests of the configuration: defaults, checks in their order, what old records become.

use super::*;

#[test]
fn the_first_wrong_field_in_the_reference_s_order_is_named() {
    let mut config = Config {
        tune_provider_timeout_expiry_leeway_factor: 0.99,
        tune_refresh_check_interval_seconds: 90 * DAY + 1,
        tune_refresh_expiry_delta_factor: 0.0,
        tune_reap_check_interval_seconds: 180 * DAY + 1,
        tune_reap_transient_error_attempts: -1,
        ..Config::default()
    };
    let mut told = Vec::new();
    while let Err(text) = config.check() {
        told.push(text);
        match told.len() {
            1 => config.tune_provider_timeout_expiry_leeway_factor = 1.0,
            2 => config.tune_refresh_check_interval_seconds = 90 * DAY,
            3 => config.tune_refresh_expiry_delta_factor = 1.0,
            4 => config.tune_reap_check_interval_seconds = 180 * DAY,
            _ => config.tune_reap_transient_error_attempts = 0,
        }
    }
    assert_eq!(
        told,
        [
            "provider timeout expiry leeway factor must be at least 1.0",
            "refresh check interval can be at most 90 days",
            "refresh expiry delta factor must be at least 1.0",
            "reap check interval can be at most 180 days",
            "reap transient error attempts cannot be negative",
        ]
    );
}

#[test]
fn fields_that_a_record_lacks_take_their_defaults() {
    let read: Config = serde_json::from_str(r#"{"tune_refresh_check_interval_seconds":0}"#).unwrap();
    assert_eq!(read, Config { tune_refresh_check_interval_seconds: 0, ..Config::default() });
}

#[test]
fn reaping_fields_without_effect_are_named() {
    assert!(Config::default().without_effect().is_empty());
    let config = Config { tune_reap_dry_run: true, tune_reap_revoked_seconds: 0, ..Config::default() };
    assert_eq!(config.without_effect(), ["tune_reap_dry_run", "tune_reap_revoked_seconds"]);
}
