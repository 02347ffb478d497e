//! Connects, stores, refreshes and hands out OAuth credentials: the engine `oauthapp`.
//!
//! - [`OAuthApp`] is the engine; `endpoints` is what clients see of it.
//! - `providers` speak OAuth, `server` keeps client settings, `config` the mount's tuning.
//! - `credential` is what is stored about a credential and the states it may have; `refresh` keeps it fresh.
//!
//! Invariants: no refresh token is presented before its intent is durable; no waiter is answered before the outcome is
//! durable, or told that it is not; no lock is held across a provider's answer. Knows nothing of HTTP statuses, tokens of
//! the vault or policies.

mod config;
mod endpoints;
mod providers;
mod server;

use std::sync::Arc;

use vestal_logical::{Endpoints, Engine, Error, MountContext, Task, Timestamp};

use crate::config::ConfigStore;
use crate::server::Servers;

/// One mount of `oauthapp`.
pub struct OAuthApp {
    pub(crate) context: MountContext,
    pub(crate) servers: Servers,
    pub(crate) config: ConfigStore,
}

impl OAuthApp {
    /// A server was written or deleted: whoever waits for it is looked at again. Called after the commit.
    pub(crate) fn server_changed(&self, name: &str) {
        let _ = name;
    }

    /// The configuration was written or deleted. Called after the commit.
    pub(crate) fn config_changed(&self) {}
}

impl Engine for OAuthApp {
    fn endpoints() -> Endpoints<Self> {
        Endpoints::new()
    }

    async fn open(mount: MountContext) -> Result<Self, Error> {
        let servers = Servers::open(&mount).await?;
        let config = ConfigStore::open(&mount).await?;
        Ok(Self { context: mount, servers, config })
    }

    fn tasks(self: &Arc<Self>) -> Vec<Task> {
        Vec::new()
    }

    async fn close(self: &Arc<Self>, _deadline: Timestamp) {}
}
