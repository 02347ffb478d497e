//! `sys/audit` and `sys/audit-hash`: which devices record, and how they show a value.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use vestal_crypto::{Salt, SecretString};
use vestal_logical::params::{KeyValues, NoFields};
use vestal_logical::{Call, Endpoints, Error, Reply};

use crate::active::Active;
use crate::audit::{AuditEntry, canonical};

pub(crate) fn endpoints() -> Endpoints<Active> {
    Endpoints::new()
        .at("audit", "All audit devices.", |e| e.read(list, "List what records.").sudo())
        .at("audit/{*path}", "One audit device.", |e| {
            e.write(enable, "Enable a device.").delete(disable, "Disable a device.").sudo()
        })
        .at("audit-hash/{*path}", "How a device shows a value.", |e| {
            e.write(hash, "Hash a value as a device does.")
        })
}

async fn list(active: &Arc<Active>, _: &Call, _: NoFields) -> Result<Reply<Map<String, Value>>, Error> {
    let mut shown = Map::new();
    for entry in active.audit.entries().await {
        let row = json!({
            "type": entry.kind,
            "description": entry.description,
            "options": entry.options,
            "local": entry.local,
            "path": entry.path,
        });
        shown.insert(entry.path, row);
    }
    Ok(Reply::data(shown))
}

/// A device to be enabled.
#[derive(Deserialize, JsonSchema)]
struct Enable {
    /// Its name among devices.
    path: String,
    /// The kind of device: `file`.
    #[serde(rename = "type", default)]
    kind: String,
    /// Said of it in listings.
    #[serde(default)]
    description: String,
    /// Its options, as texts.
    #[serde(default)]
    options: KeyValues,
    /// Kept and shown; there is no replication here.
    #[serde(default)]
    local: bool,
}

async fn enable(active: &Arc<Active>, call: &Call, p: Enable) -> Result<Reply<Value>, Error> {
    let options: BTreeMap<String, String> = p.options.0;
    let entry = AuditEntry {
        path: canonical(&p.path),
        kind: p.kind,
        description: p.description,
        options,
        local: p.local,
        salt: Salt::generate(active.parts.entropy.as_ref()),
        declared: false,
    };
    active.audit.enable(entry, call.now).await?;
    Ok(Reply::empty())
}

/// Which device.
#[derive(Deserialize, JsonSchema)]
struct AtPath {
    /// Its name among devices.
    path: String,
}

async fn disable(active: &Arc<Active>, _: &Call, p: AtPath) -> Result<Reply<Value>, Error> {
    active.audit.disable(&p.path).await?;
    Ok(Reply::empty())
}

/// What is to be hashed, and as which device does it.
#[derive(Deserialize, JsonSchema)]
struct HashInput {
    /// The device's name.
    path: String,
    /// The value.
    #[serde(default)]
    input: SecretString,
}

async fn hash(active: &Arc<Active>, _: &Call, p: HashInput) -> Result<Reply<Value>, Error> {
    if p.input.is_empty() {
        return Err(Error::invalid("the \"input\" parameter is empty"));
    }
    let hash = active.audit.hash(&p.path, p.input.expose()).await?;
    Ok(Reply::data(json!({ "hash": hash })))
}
