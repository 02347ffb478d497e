//! Audit: a line before each request is run and one after, on every enabled device, with values as salted HMACs.
//!
//! When devices exist and none takes a line, the request fails: nothing happens unrecorded. Knows nothing of HTTP.

mod broker;
mod device;
mod entry;
mod redact;
mod settings;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub(crate) use broker::{Broker, canonical, check_declared};
pub(crate) use entry::Trail;
pub(crate) use table::AuditEntry;

/// A device that the configuration file declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditStanza {
    /// The kind of device: `file`.
    pub kind: String,
    /// Its name among devices.
    pub path: String,
    /// Said of it in listings.
    pub description: String,
    /// Its options, as texts.
    pub options: BTreeMap<String, String>,
}
