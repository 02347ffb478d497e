//! Which devices are enabled, as stored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use vestal_crypto::Salt;
use vestal_storage::Record;

/// One device.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct AuditEntry {
    /// With its trailing slash.
    pub(crate) path: String,
    pub(crate) kind: String,
    pub(crate) description: String,
    pub(crate) options: BTreeMap<String, String>,
    pub(crate) local: bool,
    /// Its values are hashed with this.
    #[serde(serialize_with = "vestal_crypto::exposed::serialize")]
    pub(crate) salt: Salt,
    /// It comes from the configuration file, which says how it is opened; only its salt is ours to keep.
    pub(crate) declared: bool,
}

/// All devices.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Devices(pub(super) Vec<AuditEntry>);

impl Devices {
    /// Whether both say the same, salts aside: those are never changed.
    pub(super) fn same_as(&self, other: &Self) -> bool {
        let said = |entry: &AuditEntry| {
            let AuditEntry { path, kind, description, options, local, salt: _, declared } = entry.clone();
            (path, kind, description, options, local, declared)
        };
        self.0.iter().map(said).eq(other.0.iter().map(said))
    }
}

impl Record for Devices {
    const VERSION: u8 = 1;
}
