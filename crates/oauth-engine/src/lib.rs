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
mod credential;
mod endpoints;
mod providers;
mod refresh;
mod server;

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use vestal_logical::{Endpoints, Engine, Error, MountContext, Task, Timestamp};

#[cfg(feature = "testing")]
pub use crate::providers::fuzzed as read_any_token_answer;

use crate::config::ConfigStore;
use crate::credential::record::Credential;
use crate::credential::store::{Credentials, Found};
use crate::refresh::flights::Flights;
use crate::refresh::refresher::Refresher;
use crate::refresh::scheduler::Scheduler;
use crate::refresh::{recovery, reindex};
use crate::server::{Server, ServerProblem, Servers};

/// One mount of `oauthapp`.
pub struct OAuthApp {
    pub(crate) context: MountContext,
    pub(crate) servers: Arc<Servers>,
    pub(crate) config: Arc<ConfigStore>,
    pub(crate) refresher: Arc<Refresher>,
    floor_changed: Notify,
    /// Handed-in tokens that a crash left unaccepted, until the schedule takes them.
    candidates: Mutex<Vec<Found>>,
}

impl OAuthApp {
    /// A server was written or deleted: whoever waits for it is looked at again. Called after the commit.
    pub(crate) fn server_changed(&self, name: &str) {
        // An error means that the house is sealed: nobody waits any more.
        if let Ok(id) = self.servers.id(name) {
            self.refresher.circuits.forget(&id);
            self.refresher.bell.changed(id);
        }
    }

    /// The configuration was written or deleted. Called after the commit.
    pub(crate) fn config_changed(&self) {
        self.floor_changed.notify_one();
    }

    /// The server that a request names, or the default one (reference §3.0).
    pub(crate) async fn resolve(&self, named: Option<&str>) -> Result<Arc<Server>, Error> {
        let config = self.config.current().await?;
        let name = named.filter(|name| !name.is_empty()).unwrap_or(&config.default_server);
        if name.is_empty() {
            return Err(Error::invalid("missing server (consider configuring a default server)"));
        }
        self.servers.get(name).await.map_err(|problem| problem.into_error(name))
    }

    /// Adds to a record what keeps all credentials of its server waiting. Nothing of it is stored.
    pub(crate) async fn add_standing(&self, record: &mut Credential) -> Result<(), Error> {
        let now = self.context.clock.now();
        match self.servers.get(&record.server).await {
            Ok(server) => {
                record.forgive_other_than(server.revision);
                if let Some(text) = self.refresher.circuits.refusal(&server) {
                    record.user_trouble(&text, now);
                }
            }
            Err(ServerProblem::Storage(failure)) => return Err(failure.into()),
            Err(problem) => record.server_trouble(&problem.to_string(), now),
        }
        Ok(())
    }
}

impl Engine for OAuthApp {
    fn endpoints() -> Endpoints<Self> {
        endpoints::creds::endpoints()
            .and(endpoints::auth_code_url::endpoints())
            .and(endpoints::config::endpoints())
            .and(endpoints::servers::endpoints())
            .loaded()
    }

    async fn open(mount: MountContext) -> Result<Self, Error> {
        let servers = Arc::new(Servers::open(&mount).await?);
        let config = Arc::new(ConfigStore::open(&mount).await?);
        let refresher = Arc::new(Refresher {
            store: Credentials::new(&mount.view, Arc::clone(&servers)),
            servers: Arc::clone(&servers),
            config: Arc::clone(&config),
            clock: Arc::clone(&mount.clock),
            entropy: Arc::clone(&mount.entropy),
            flights: Flights::new(),
            connects: Flights::new(),
            unsettled: refresh::settle::Unsettled::default(),
            circuits: refresh::circuit::Circuits::default(),
            guard: refresh::limits::RateGuard::default(),
            bell: refresh::bell::Bell::default(),
        });
        let candidates = Mutex::new(recovery::recover(&refresher).await?);
        Ok(Self { context: mount, servers, config, refresher, floor_changed: Notify::new(), candidates })
    }

    fn tasks(self: &Arc<Self>) -> Vec<Task> {
        let (scheduling, following) = (Arc::clone(self), Arc::clone(self));
        let schedule = Task {
            name: "refreshing what is due",
            start: Box::new(move || {
                let app = Arc::clone(&scheduling);
                let mut candidates = app.candidates.lock().unwrap_or_else(PoisonError::into_inner);
                let candidates = std::mem::take(&mut *candidates);
                Box::pin(Scheduler::new(Arc::clone(&app.refresher)).run(candidates))
            }),
        };
        let follow = Task {
            name: "following the check interval",
            start: Box::new(move || {
                let app = Arc::clone(&following);
                Box::pin(async move {
                    reindex::follow_floor(&app.refresher, &app.context.view, &app.floor_changed).await;
                })
            }),
        };
        vec![schedule, follow]
    }

    /// Lets what is in the air land and become durable. What does not until the deadline is stopped: intents tell the
    /// next start of it, and only tokens that the store refused all the while are lost, which is said loudly.
    async fn close(self: &Arc<Self>, deadline: Timestamp) {
        let refresher = &self.refresher;
        let clock = self.context.clock.as_ref();
        let (asking, connecting) =
            tokio::join!(refresher.flights.close(clock, deadline), refresher.connects.close(clock, deadline));
        if asking + connecting > 0 {
            tracing::error!(
                refreshes = asking,
                connects = connecting,
                "stopped while providers were still being asked"
            );
        }
        for id in refresher.unsettled.ids() {
            tracing::error!(
                credential = id,
                "new tokens could not be stored before the engine closed, they are lost"
            );
        }
    }
}
