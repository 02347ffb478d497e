//! Keeps the mount's configuration: the default server and the tuning.

use std::sync::Arc;

use vestal_logical::{Error, MountContext};

/// The mount's configuration, defaults filled in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Config {
    pub(crate) default_server: String,
    /// Seconds; 0 is no limit.
    pub(crate) tune_provider_timeout_seconds: u64,
    pub(crate) tune_provider_timeout_expiry_leeway_factor: f64,
    /// Seconds; 0 is no background refresh.
    pub(crate) tune_refresh_check_interval_seconds: u64,
    pub(crate) tune_refresh_expiry_delta_factor: f64,
}

/// The configuration's record and its cached snapshot.
pub(crate) struct ConfigStore {
    current: Arc<Config>,
}

impl ConfigStore {
    pub(crate) async fn open(_context: &MountContext) -> Result<Self, Error> {
        Ok(Self {
            current: Arc::new(Config {
                default_server: String::new(),
                tune_provider_timeout_seconds: 30,
                tune_provider_timeout_expiry_leeway_factor: 1.5,
                tune_refresh_check_interval_seconds: 60,
                tune_refresh_expiry_delta_factor: 1.2,
            }),
        })
    }

    /// The present snapshot.
    pub(crate) async fn current(&self) -> Result<Arc<Config>, Error> {
        Ok(Arc::clone(&self.current))
    }
}
