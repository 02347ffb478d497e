//! Keeps the mount's configuration: the default server and the tuning.
//!
//! Invariants: what [`ConfigStore::current`] gives is never older than the last write that was answered; absence is not
//! kept in memory. Knows nothing of what the values are for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use vestal_logical::{Error, MountContext};
use vestal_storage::{Changes, Place, Record, StorageError, View};

/// The mount's configuration, defaults filled in. Spans are in seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Config {
    pub(crate) default_server: String,
    /// 0 is no limit.
    pub(crate) tune_provider_timeout_seconds: u64,
    pub(crate) tune_provider_timeout_expiry_leeway_factor: f64,
    /// 0 is no background refresh.
    pub(crate) tune_refresh_check_interval_seconds: u64,
    pub(crate) tune_refresh_expiry_delta_factor: f64,
    pub(crate) tune_reap_check_interval_seconds: u64,
    pub(crate) tune_reap_dry_run: bool,
    pub(crate) tune_reap_non_refreshable_seconds: u64,
    pub(crate) tune_reap_revoked_seconds: u64,
    pub(crate) tune_reap_transient_error_attempts: i64,
    pub(crate) tune_reap_transient_error_seconds: u64,
    pub(crate) tune_reap_server_deleted_seconds: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            default_server: String::new(),
            tune_provider_timeout_seconds: 30,
            tune_provider_timeout_expiry_leeway_factor: 1.5,
            tune_refresh_check_interval_seconds: 60,
            tune_refresh_expiry_delta_factor: 1.2,
            tune_reap_check_interval_seconds: 300,
            tune_reap_dry_run: false,
            tune_reap_non_refreshable_seconds: 86_400,
            tune_reap_revoked_seconds: 3600,
            tune_reap_transient_error_attempts: 10,
            tune_reap_transient_error_seconds: 86_400,
            tune_reap_server_deleted_seconds: 86_400,
        }
    }
}

impl Record for Config {
    const VERSION: u8 = 1;
}

const DAY: u64 = 86_400;

impl Config {
    /// What is wrong with it, in the order in which the reference checks.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        let checks = [
            (
                self.tune_provider_timeout_expiry_leeway_factor < 1.0,
                "provider timeout expiry leeway factor must be at least 1.0",
            ),
            (
                self.tune_refresh_check_interval_seconds > 90 * DAY,
                "refresh check interval can be at most 90 days",
            ),
            (self.tune_refresh_expiry_delta_factor < 1.0, "refresh expiry delta factor must be at least 1.0"),
            (
                self.tune_reap_check_interval_seconds > 180 * DAY,
                "reap check interval can be at most 180 days",
            ),
            (self.tune_reap_transient_error_attempts < 0, "reap transient error attempts cannot be negative"),
        ];
        checks.into_iter().find(|(wrong, _)| *wrong).map_or(Ok(()), |(_, text)| Err(text))
    }

    /// The reaping fields that were set: kept and read back, but nothing is reaped.
    fn without_effect(&self) -> Vec<&'static str> {
        let usual = Self::default();
        let fields = [
            (
                "tune_reap_check_interval_seconds",
                self.tune_reap_check_interval_seconds == usual.tune_reap_check_interval_seconds,
            ),
            ("tune_reap_dry_run", self.tune_reap_dry_run == usual.tune_reap_dry_run),
            (
                "tune_reap_non_refreshable_seconds",
                self.tune_reap_non_refreshable_seconds == usual.tune_reap_non_refreshable_seconds,
            ),
            ("tune_reap_revoked_seconds", self.tune_reap_revoked_seconds == usual.tune_reap_revoked_seconds),
            (
                "tune_reap_transient_error_attempts",
                self.tune_reap_transient_error_attempts == usual.tune_reap_transient_error_attempts,
            ),
            (
                "tune_reap_transient_error_seconds",
                self.tune_reap_transient_error_seconds == usual.tune_reap_transient_error_seconds,
            ),
            (
                "tune_reap_server_deleted_seconds",
                self.tune_reap_server_deleted_seconds == usual.tune_reap_server_deleted_seconds,
            ),
        ];
        fields.into_iter().filter(|(_, unset)| !unset).map(|(name, _)| name).collect()
    }

    /// Says in the log which fields have no effect yet.
    fn warn(&self) {
        let fields = self.without_effect();
        if !fields.is_empty() {
            tracing::warn!(
                ?fields,
                "reaping is not built yet: these fields of the configuration have no effect"
            );
        }
    }
}

/// The configuration's record and its cached snapshot.
pub(crate) struct ConfigStore {
    view: View,
    snapshot: Mutex<Snapshot>,
}

#[derive(Default)]
struct Snapshot {
    /// Counts changes, so that what was read before one is not kept after it.
    changes: u64,
    stored: Option<Arc<Config>>,
}

impl ConfigStore {
    pub(crate) async fn open(context: &MountContext) -> Result<Self, Error> {
        let store = Self { view: context.view.clone(), snapshot: Mutex::default() };
        if let Some(config) = store.stored().await? {
            config.warn();
        }
        Ok(store)
    }

    /// What holds: as written, or the defaults.
    pub(crate) async fn current(&self) -> Result<Arc<Config>, Error> {
        Ok(self.stored().await?.unwrap_or_default())
    }

    /// As written, or nothing.
    pub(crate) async fn stored(&self) -> Result<Option<Arc<Config>>, StorageError> {
        let seen = {
            let snapshot = self.snapshot();
            if let Some(config) = &snapshot.stored {
                return Ok(Some(Arc::clone(config)));
            }
            snapshot.changes
        };
        let Some(found) = self.view.get::<Config>(&place()).await? else { return Ok(None) };
        let config = Arc::new(found.value);
        let mut snapshot = self.snapshot();
        if snapshot.changes == seen {
            snapshot.stored = Some(Arc::clone(&config));
        }
        Ok(Some(config))
    }

    /// Replaces the whole.
    pub(crate) async fn write(&self, config: &Config) -> Result<(), Error> {
        config.check().map_err(Error::invalid)?;
        let mut changes = Changes::new();
        changes.put(&self.view, &place(), config)?;
        self.commit(changes).await?;
        config.warn();
        Ok(())
    }

    /// Goes back to the defaults; nothing there is fine.
    pub(crate) async fn delete(&self) -> Result<(), Error> {
        let mut changes = Changes::new();
        changes.delete(&self.view, &place())?.reserved();
        self.commit(changes).await
    }

    async fn commit(&self, changes: Changes) -> Result<(), Error> {
        let outcome = self.view.commit(changes).await;
        {
            let mut snapshot = self.snapshot();
            snapshot.changes += 1;
            snapshot.stored = None;
        }
        outcome?;
        Ok(())
    }

    fn snapshot(&self) -> MutexGuard<'_, Snapshot> {
        self.snapshot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn place() -> Place {
    Place::root().plain("config")
}

#[cfg(test)]
mod tests;
