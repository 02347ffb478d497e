//! One row of a mount table, as stored and as shown.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use vestal_crypto::Entropy;
use vestal_logical::MountPoint;
use vestal_storage::{Place, Record};

use super::router::Target;

/// Which table an entry stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Class {
    /// Engines that serve secrets.
    Secret,
    /// Methods that authenticate; their paths begin with `auth/`.
    Auth,
}

impl Class {
    /// What comes before the entry's path in a request.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::Secret => "",
            Self::Auth => "auth/",
        }
    }

    /// The word of audit entries.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Auth => "auth",
        }
    }
}

/// What can be tuned. Times are seconds; 0 is the server's own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct MountConfig {
    pub(crate) default_lease_ttl: u64,
    pub(crate) max_lease_ttl: u64,
    pub(crate) force_no_cache: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) listing_visibility: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) audit_non_hmac_request_keys: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) audit_non_hmac_response_keys: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) passthrough_request_headers: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) allowed_response_headers: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token_type: Option<String>,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MountEntry {
    /// With its trailing slash, without `auth/`.
    pub(crate) path: String,
    pub(crate) class: Class,
    pub(crate) kind: String,
    pub(crate) description: String,
    pub(crate) accessor: String,
    pub(crate) uuid: String,
    /// Null and empty are different to clients.
    pub(crate) options: Option<BTreeMap<String, String>>,
    pub(crate) local: bool,
    pub(crate) seal_wrap: bool,
    pub(crate) external_entropy_access: bool,
    pub(crate) config: MountConfig,
}

impl MountEntry {
    pub(crate) fn new(
        class: Class,
        path: &str,
        kind: &str,
        description: &str,
        entropy: &dyn Entropy,
    ) -> Self {
        let prefix = if class == Class::Auth { "auth_" } else { "" };
        let handle = hex::encode(vestal_crypto::entropy::array::<4>(entropy));
        let config = MountConfig {
            token_type: (class == Class::Auth).then(|| "default-service".to_owned()),
            ..MountConfig::default()
        };
        Self {
            path: path.to_owned(),
            class,
            kind: kind.to_owned(),
            description: description.to_owned(),
            accessor: format!("{prefix}{kind}_{handle}"),
            uuid: uuid::Builder::from_random_bytes(vestal_crypto::entropy::array(entropy))
                .into_uuid()
                .to_string(),
            options: None,
            local: false,
            seal_wrap: false,
            external_entropy_access: false,
            config,
        }
    }

    /// The path as requests name it.
    pub(crate) fn full_path(&self) -> String {
        format!("{}{}", self.class.prefix(), self.path)
    }

    /// Where the engine's records lie.
    pub(crate) fn place(&self) -> Place {
        let root = match self.class {
            Class::Secret => "logical",
            Class::Auth => "auth",
        };
        Place::root().plain(root).plain(&self.uuid)
    }

    pub(crate) fn point(&self, default_lease: u64, max_lease: u64) -> MountPoint {
        MountPoint {
            path: self.full_path(),
            kind: self.kind.clone(),
            accessor: self.accessor.clone(),
            uuid: self.uuid.clone(),
            options: self.options.clone().unwrap_or_default(),
            default_lease: Duration::from_secs(default_lease),
            max_lease: Duration::from_secs(max_lease),
        }
    }

    /// Whether the kernel itself serves it, so that it is no engine among others.
    pub(super) fn of_the_kernel(&self) -> bool {
        Target::of_kernel(&self.kind).is_some()
    }

    /// The record that clients see.
    pub(crate) fn shown(&self) -> Shown<'_> {
        Shown {
            accessor: &self.accessor,
            config: &self.config,
            deprecation_status: (!self.of_the_kernel()).then_some("supported"),
            description: &self.description,
            external_entropy_access: self.external_entropy_access,
            local: self.local,
            options: self.options.as_ref(),
            plugin_version: "",
            running_plugin_version: "",
            running_sha256: "",
            seal_wrap: self.seal_wrap,
            kind: &self.kind,
            uuid: &self.uuid,
        }
    }
}

/// A mount as clients see it.
#[derive(Serialize)]
pub(crate) struct Shown<'a> {
    accessor: &'a str,
    config: &'a MountConfig,
    #[serde(skip_serializing_if = "Option::is_none")]
    deprecation_status: Option<&'static str>,
    description: &'a str,
    external_entropy_access: bool,
    local: bool,
    options: Option<&'a BTreeMap<String, String>>,
    plugin_version: &'static str,
    running_plugin_version: &'static str,
    running_sha256: &'static str,
    seal_wrap: bool,
    #[serde(rename = "type")]
    kind: &'a str,
    uuid: &'a str,
}

/// Both tables, stored as one record so that a move between states is one commit.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Tables {
    secret: Vec<MountEntry>,
    auth: Vec<MountEntry>,
}

impl Record for Tables {
    const VERSION: u8 = 1;
}

impl Tables {
    /// What is there before anything is enabled.
    pub(super) fn of_a_new_vault(entropy: &dyn Entropy) -> Self {
        let secret = |path: &str, kind: &str, description: &str| {
            MountEntry::new(Class::Secret, path, kind, description, entropy)
        };
        let passing = |header: &str, mut entry: MountEntry| {
            entry.config.passthrough_request_headers = Some(vec![header.to_owned()]);
            entry
        };
        Self {
            secret: vec![
                MountEntry {
                    local: true,
                    ..secret("cubbyhole/", "cubbyhole", "per-token private secret storage")
                },
                passing("Authorization", secret("identity/", "identity", "identity store")),
                MountEntry {
                    seal_wrap: true,
                    ..passing(
                        "Accept",
                        secret("sys/", "system", "system endpoints used for control, policy and debugging"),
                    )
                },
            ],
            auth: vec![MountEntry::new(Class::Auth, "token/", "token", "token based credentials", entropy)],
        }
    }

    pub(super) fn of(&self, class: Class) -> &[MountEntry] {
        match class {
            Class::Secret => &self.secret,
            Class::Auth => &self.auth,
        }
    }

    pub(super) fn of_mut(&mut self, class: Class) -> &mut Vec<MountEntry> {
        match class {
            Class::Secret => &mut self.secret,
            Class::Auth => &mut self.auth,
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &MountEntry> {
        self.secret.iter().chain(&self.auth)
    }
}
