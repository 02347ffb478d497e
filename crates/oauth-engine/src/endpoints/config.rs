//! `config`: the default server and the tuning of the mount.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Number;
use vestal_logical::params::{NoFields, Seconds};
use vestal_logical::{Call, Endpoints, Error, Reply};

use crate::OAuthApp;
use crate::config::Config;

/// The family's endpoints.
pub(crate) fn endpoints() -> Endpoints<OAuthApp> {
    Endpoints::new().at("config", "The default server and the tuning of this mount.", |e| {
        e.declares::<Fields>()
            .read(read, "Show the configuration as it was written.")
            .write(write, "Replace the configuration; fields that are left out take their defaults.")
            .delete(delete, "Go back to the defaults.")
    })
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Fields {
    /// Name of the server that is used when a request names none.
    default_server: Option<String>,
    /// Limit of one call to a provider; 0 is no limit.
    tune_provider_timeout_seconds: Seconds,
    /// How far that limit is stretched when a token is about to expire; at least 1.
    tune_provider_timeout_expiry_leeway_factor: Option<f64>,
    /// Least time before its end that a token is refreshed, before the factor; 0 stops refreshing in the background.
    tune_refresh_check_interval_seconds: Seconds,
    /// Factor on that time; at least 1.
    tune_refresh_expiry_delta_factor: Option<f64>,
    /// Pause between two passes of the reaper; 0 is no reaper. Kept, without effect yet.
    tune_reap_check_interval_seconds: Seconds,
    /// Log instead of deleting. Kept, without effect yet.
    tune_reap_dry_run: Option<bool>,
    /// When to reap an expired token that cannot be refreshed. Kept, without effect yet.
    tune_reap_non_refreshable_seconds: Seconds,
    /// When to reap a token that its provider refused. Kept, without effect yet.
    tune_reap_revoked_seconds: Seconds,
    /// After how many failed refreshes to reap. Kept, without effect yet.
    tune_reap_transient_error_attempts: Option<i64>,
    /// When to reap after failed refreshes. Kept, without effect yet.
    tune_reap_transient_error_seconds: Seconds,
    /// When to reap a token whose server is gone. Kept, without effect yet.
    tune_reap_server_deleted_seconds: Seconds,
}

impl From<Fields> for Config {
    fn from(fields: Fields) -> Self {
        let usual = Self::default();
        Self {
            default_server: fields.default_server.unwrap_or_default(),
            tune_provider_timeout_seconds: fields
                .tune_provider_timeout_seconds
                .or(usual.tune_provider_timeout_seconds),
            tune_provider_timeout_expiry_leeway_factor: fields
                .tune_provider_timeout_expiry_leeway_factor
                .unwrap_or(usual.tune_provider_timeout_expiry_leeway_factor),
            tune_refresh_check_interval_seconds: fields
                .tune_refresh_check_interval_seconds
                .or(usual.tune_refresh_check_interval_seconds),
            tune_refresh_expiry_delta_factor: fields
                .tune_refresh_expiry_delta_factor
                .unwrap_or(usual.tune_refresh_expiry_delta_factor),
            tune_reap_check_interval_seconds: fields
                .tune_reap_check_interval_seconds
                .or(usual.tune_reap_check_interval_seconds),
            tune_reap_dry_run: fields.tune_reap_dry_run.unwrap_or(usual.tune_reap_dry_run),
            tune_reap_non_refreshable_seconds: fields
                .tune_reap_non_refreshable_seconds
                .or(usual.tune_reap_non_refreshable_seconds),
            tune_reap_revoked_seconds: fields.tune_reap_revoked_seconds.or(usual.tune_reap_revoked_seconds),
            tune_reap_transient_error_attempts: fields
                .tune_reap_transient_error_attempts
                .unwrap_or(usual.tune_reap_transient_error_attempts),
            tune_reap_transient_error_seconds: fields
                .tune_reap_transient_error_seconds
                .or(usual.tune_reap_transient_error_seconds),
            tune_reap_server_deleted_seconds: fields
                .tune_reap_server_deleted_seconds
                .or(usual.tune_reap_server_deleted_seconds),
        }
    }
}

#[derive(Debug, Serialize)]
struct ConfigView {
    default_server: String,
    tune_provider_timeout_seconds: u64,
    tune_provider_timeout_expiry_leeway_factor: Option<Number>,
    tune_refresh_check_interval_seconds: u64,
    tune_refresh_expiry_delta_factor: Option<Number>,
    tune_reap_check_interval_seconds: u64,
    tune_reap_dry_run: bool,
    tune_reap_non_refreshable_seconds: u64,
    tune_reap_revoked_seconds: u64,
    tune_reap_transient_error_attempts: i64,
    tune_reap_transient_error_seconds: u64,
    tune_reap_server_deleted_seconds: u64,
}

/// `2`, `1.5`: whole factors without a fraction, as the reference's clients see them.
fn number(value: f64) -> Option<Number> {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        #[expect(clippy::cast_possible_truncation, reason = "a whole number, far from the limits")]
        let whole = value as i64;
        return Some(whole.into());
    }
    Number::from_f64(value)
}

async fn read(oauth: &Arc<OAuthApp>, _: &Call, _: NoFields) -> Result<Reply<ConfigView>, Error> {
    let Some(config) = oauth.config.stored().await? else { return Ok(Reply::empty()) };
    Ok(Reply::data(ConfigView {
        default_server: config.default_server.clone(),
        tune_provider_timeout_seconds: config.tune_provider_timeout_seconds,
        tune_provider_timeout_expiry_leeway_factor: number(config.tune_provider_timeout_expiry_leeway_factor),
        tune_refresh_check_interval_seconds: config.tune_refresh_check_interval_seconds,
        tune_refresh_expiry_delta_factor: number(config.tune_refresh_expiry_delta_factor),
        tune_reap_check_interval_seconds: config.tune_reap_check_interval_seconds,
        tune_reap_dry_run: config.tune_reap_dry_run,
        tune_reap_non_refreshable_seconds: config.tune_reap_non_refreshable_seconds,
        tune_reap_revoked_seconds: config.tune_reap_revoked_seconds,
        tune_reap_transient_error_attempts: config.tune_reap_transient_error_attempts,
        tune_reap_transient_error_seconds: config.tune_reap_transient_error_seconds,
        tune_reap_server_deleted_seconds: config.tune_reap_server_deleted_seconds,
    }))
}

async fn write(oauth: &Arc<OAuthApp>, _: &Call, fields: Fields) -> Result<Reply<()>, Error> {
    oauth.config.write(&fields.into()).await?;
    oauth.config_changed();
    Ok(Reply::empty())
}

async fn delete(oauth: &Arc<OAuthApp>, _: &Call, _: NoFields) -> Result<Reply<()>, Error> {
    oauth.config.delete().await?;
    oauth.config_changed();
    Ok(Reply::empty())
}
