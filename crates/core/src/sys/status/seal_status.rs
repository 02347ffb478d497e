//! `sys/seal-status` and `sys/unseal`, which answers with it.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vestal_logical::params::NoFields;
use vestal_logical::{Call, Error, Reply};

use crate::seal::{SealSettings, StoredSeal};
use crate::token_auth::GivenToken;
use crate::vault::{State, Vault};

/// The state of the seal, as clients read it.
#[derive(Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "the shape is the API's")]
pub(super) struct SealStatus {
    #[serde(rename = "type")]
    kind: &'static str,
    initialized: bool,
    sealed: bool,
    /// Shares needed.
    t: u8,
    /// Shares there are.
    n: u8,
    /// Shares that have come in.
    progress: usize,
    nonce: String,
    recovery_seal: bool,
    version: String,
    build_date: &'static str,
    commit_date: &'static str,
    migration: bool,
    storage_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster_id: Option<String>,
}

fn status(vault: &Vault) -> SealStatus {
    let (seal, sealed, progress, nonce) = match vault.state() {
        State::Uninitialized => (None, true, 0, String::new()),
        State::Sealed { seal, progress, nonce } => (Some(seal), true, progress, nonce),
        State::Active { seal, .. } => (Some(seal), false, 0, String::new()),
    };
    let (t, n) = seal.as_ref().map_or((0, 0), |seal| seal.kind.quorum());
    let settings = &vault.parts().settings;
    SealStatus {
        kind: kind_word(seal.as_deref(), &settings.seal),
        initialized: seal.is_some(),
        sealed,
        t,
        n,
        progress,
        nonce,
        recovery_seal: false,
        version: settings.version.clone(),
        build_date: "",
        commit_date: "",
        migration: false,
        storage_type: vault.parts().physical.kind(),
        cluster_name: (!sealed).then(|| settings.cluster_name.clone()),
        cluster_id: seal.filter(|_| !sealed).map(|seal| seal.cluster_id.clone()),
    }
}

/// What the store says, or before initialisation what the configuration says.
fn kind_word(seal: Option<&StoredSeal>, settings: &SealSettings) -> &'static str {
    match (seal, settings) {
        (Some(seal), _) => seal.kind.word(),
        (None, SealSettings::Shamir) => "shamir",
        (None, SealSettings::Passphrase) => "passphrase",
        (None, SealSettings::File { .. }) => "file",
    }
}

pub(super) async fn read(vault: &Arc<Vault>, _: &Call, _: NoFields) -> Result<Reply<SealStatus>, Error> {
    Ok(Reply::plain(status(vault)))
}

/// One step of unsealing.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Unseal {
    /// A key share in hex or base64, or the passphrase.
    #[serde(default)]
    key: GivenToken,
    /// Forget the shares that have come in.
    #[serde(default)]
    reset: bool,
    /// Not supported yet.
    #[serde(default)]
    migrate: bool,
}

pub(super) async fn unseal(vault: &Arc<Vault>, _: &Call, p: Unseal) -> Result<Reply<SealStatus>, Error> {
    if p.migrate {
        return Err(Error::invalid("`migrate` is not supported yet"));
    }
    match p.key.given().cloned() {
        _ if p.reset => vault.reset_unseal().await?,
        Some(key) => vault.unseal(key).await?,
        None => {
            return Err(Error::invalid(
                "'key' must be specified in request body as JSON, or 'reset' set to true",
            ));
        }
    }
    Ok(Reply::plain(status(vault)))
}
