//! Everything that exists only while unsealed: built in order, torn down in reverse.
//!
//! Dropping it is what zeroizes; there is no list of fields to clear. Knows nothing of shares or of how it was unsealed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use vestal_crypto::Entropy;
use vestal_logical::{Clock, EngineKind, Error, HttpTransport, Request, Response, Table, Timestamp};
use vestal_storage::{Barrier, Physical};

use crate::audit::{AuditStanza, Broker};
use crate::background::Background;
use crate::cubbyhole::{self, Cubbyholes};
use crate::mounts::Mounts;
use crate::pipeline::{self, Gate};
use crate::policies::store::PolicyStore;
use crate::seal::SealSettings;
use crate::tokens::TokenStore;
use crate::{sys, token_auth};

/// What the binary gives: the world outside the kernel.
pub struct Parts {
    /// Where sealed bytes lie.
    pub physical: Arc<dyn Physical>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// The network, for engines.
    pub http: Arc<dyn HttpTransport>,
    /// The kinds of engine that can be mounted.
    pub kinds: Vec<EngineKind>,
    /// What the configuration says.
    pub settings: Settings,
}

/// What the configuration says about the kernel.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Shown in `sys/health` and `sys/seal-status`.
    pub version: String,
    /// Shown when unsealed.
    pub cluster_name: String,
    /// What a lease or token gets when it asks for nothing and its mount says nothing.
    pub default_lease: Duration,
    /// What no lease or token may exceed unless its mount says otherwise.
    pub max_lease: Duration,
    /// Where audit devices may write.
    pub audit: AuditSettings,
    /// How a new vault is sealed.
    pub seal: SealSettings,
    /// How long sealing and shutdown wait for calls under way.
    pub drain: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            cluster_name: "vestal".to_owned(),
            default_lease: Duration::from_hours(768),
            max_lease: Duration::from_hours(768),
            audit: AuditSettings::default(),
            seal: SealSettings::default(),
            drain: Duration::from_secs(30),
        }
    }
}

/// Where audit devices may write, and those that the configuration declares.
#[derive(Debug, Clone)]
pub struct AuditSettings {
    /// Files that the API may name lie below this.
    pub directory: PathBuf,
    /// Whether the API may name any file: in dev mode, or when the operator says so.
    pub any_path: bool,
    /// Devices from the configuration file.
    pub devices: Vec<AuditStanza>,
}

impl Default for AuditSettings {
    fn default() -> Self {
        Self { directory: PathBuf::from("/var/log/vestal"), any_path: false, devices: Vec::new() }
    }
}

/// The unsealed kernel.
pub(crate) struct Active {
    pub(crate) parts: Arc<Parts>,
    pub(crate) barrier: Barrier,
    pub(crate) background: Arc<Background>,
    pub(crate) policies: Arc<PolicyStore>,
    pub(crate) tokens: Arc<TokenStore>,
    pub(crate) cubbyholes: Cubbyholes,
    pub(crate) audit: Arc<Broker>,
    pub(crate) mounts: Arc<Mounts>,
    pub(crate) tables: Tables,
    pub(crate) gate: Gate,
}

/// The kernel's own endpoint tables.
pub(crate) struct Tables {
    pub(crate) sys: Table<Active>,
    pub(crate) token: Table<Active>,
    pub(crate) cubbyhole: Table<Active>,
}

impl Tables {
    pub(crate) fn new() -> Result<Self, Error> {
        Ok(Self {
            sys: Table::new(sys::endpoints())?,
            token: Table::new(token_auth::endpoints())?,
            cubbyhole: Table::new(cubbyhole::endpoints())?,
        })
    }
}

impl Active {
    /// Builds the kernel on an open barrier. A failure at any step drops what was built.
    pub(crate) async fn open(parts: Arc<Parts>, barrier: Barrier) -> Result<Arc<Self>, Error> {
        let background = Arc::new(Background::new(Arc::clone(&parts.clock)));
        let policies = PolicyStore::open(&barrier).await?;
        let tokens = TokenStore::open(&barrier, Arc::clone(&parts.clock), Arc::clone(&parts.entropy)).await?;
        let audit = Broker::open(&parts, &barrier).await?;
        let mounts = Mounts::open(&parts, &barrier, &background).await?;
        background.start("tokens", tokens.tasks());
        Ok(Arc::new(Self {
            cubbyholes: Cubbyholes::new(&barrier),
            gate: Gate::new(Arc::clone(&parts.clock)),
            tables: Tables::new()?,
            parts,
            barrier,
            background,
            policies,
            tokens,
            audit,
            mounts,
        }))
    }

    /// Runs one request through the pipeline. The work goes on when the returned future is dropped.
    pub(crate) async fn serve(self: &Arc<Self>, request: Request) -> Response {
        pipeline::serve(self, request).await
    }

    /// Refuses new calls, lets those under way finish until `deadline`, settles engines, and empties the barrier's key
    /// slot, whoever still holds a view.
    pub(crate) async fn close(self: &Arc<Self>, deadline: Timestamp) {
        self.gate.close(deadline).await;
        self.background.stop_all().await;
        self.mounts.close(deadline).await;
        self.audit.close().await;
        self.barrier.empty();
    }
}
