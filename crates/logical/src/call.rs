//! What a handler sees: one authorised request, complete and immutable.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use vestal_crypto::SecretString;

use crate::{Operation, Timestamp, WrapAsk};

/// Where an engine is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountPoint {
    /// The path with its trailing slash, `auth/` included for auth methods: `secret/`, `auth/token/`.
    pub path: String,
    /// The registered name of the engine: `kv`.
    pub kind: String,
    /// Public handle: `kv_1a2b3c4d`.
    pub accessor: String,
    /// Names the mount's records; never reused.
    pub uuid: String,
    /// The mount's options, such as `version`.
    pub options: BTreeMap<String, String>,
    /// What a lease or token gets when it asks for nothing.
    pub default_lease: Duration,
    /// What no lease or token may exceed.
    pub max_lease: Duration,
}

/// Who calls, as far as an engine may know.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// Salted HMAC of the token, in hex: names the token without being it.
    pub token_id: String,
    /// The token's accessor; empty for batch tokens.
    pub accessor: String,
    /// The token's display name.
    pub display_name: String,
    /// The identity behind the token, or empty.
    pub entity_id: String,
    /// The token's policies.
    pub policies: Vec<String>,
    /// `service` or `batch`.
    pub token_type: String,
    /// Whether `root` is among the policies.
    pub root: bool,
}

/// One request on its way through an engine.
#[derive(Clone)]
pub struct Call {
    /// `request_id` of the answer.
    pub id: String,
    /// With creating and updating told apart where the endpoint has an existence check.
    pub operation: Operation,
    /// The mount that serves it.
    pub mount: Arc<MountPoint>,
    /// The path below the mount.
    pub path: String,
    /// The parts of the path that the endpoint's template captured.
    pub captures: Vec<(&'static str, String)>,
    /// The input as it came, unknown fields included.
    pub data: Map<String, Value>,
    /// Who calls; absent on endpoints that need no token.
    pub caller: Option<Caller>,
    /// The presented token. The kernel fills it for its own tables only: engines never see a token.
    pub credential: Option<SecretString>,
    /// A wish for response wrapping; carried out by the kernel.
    pub wrap: Option<WrapAsk>,
    /// Where the connection comes from.
    pub peer: Option<SocketAddr>,
    /// The one instant at which everything about this request happens.
    pub now: Timestamp,
    /// When waiting for the answer ends.
    pub deadline: Timestamp,
}

impl Call {
    /// The captured part of that name, or the empty text when the template has none.
    #[must_use]
    pub fn capture(&self, name: &str) -> &str {
        self.captures.iter().find(|(known, _)| *known == name).map_or("", |(_, text)| text)
    }

    /// The full path, mount included.
    #[must_use]
    pub fn full_path(&self) -> String {
        format!("{}{}", self.mount.path, self.path)
    }
}

/// What a client sends may be secret, its path included.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("id", &self.id)
            .field("operation", &self.operation)
            .field("mount", &self.mount.kind)
            .finish_non_exhaustive()
    }
}
