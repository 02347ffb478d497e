//! The record of a server: the client's settings, and what was found out about the provider.
//!
//! Knows nothing of storage keys.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use vestal_crypto::SecretString;
use vestal_storage::Record;

use crate::providers::{Discovered, Lesson, Options, Settings};

/// One server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ServerRecord {
    /// Another one at each write by a client.
    pub(crate) revision: u64,
    pub(crate) client_id: String,
    /// In the order in which they are tried; empty ones are kept.
    #[serde(serialize_with = "vestal_crypto::exposed::serialize")]
    pub(crate) client_secrets: Vec<SecretString>,
    /// `None` was written as null, and is read back so.
    pub(crate) auth_url_params: Option<BTreeMap<String, String>>,
    pub(crate) provider: String,
    pub(crate) provider_version: u32,
    pub(crate) provider_options: Options,
    /// Where everything is, for providers that have to be asked: so that nobody who reads has to ask.
    #[serde(default)]
    pub(crate) discovered: Option<Discovered>,
    #[serde(default)]
    pub(crate) lesson: Lesson,
}

impl Record for ServerRecord {
    const VERSION: u8 = 1;
}

impl ServerRecord {
    /// What its provider is made from. `none` stands for absent parameters.
    pub(super) fn settings<'a>(&'a self, none: &'a BTreeMap<String, String>) -> Settings<'a> {
        Settings {
            provider: &self.provider,
            version: self.provider_version,
            client_id: &self.client_id,
            client_secrets: &self.client_secrets,
            auth_url_params: self.auth_url_params.as_ref().unwrap_or(none),
            options: &self.provider_options,
            discovered: self.discovered.as_ref(),
            lesson: self.lesson,
        }
    }
}
