//! `config`: settings of the mount.

use std::borrow::Cow;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::{Value, json};
use vestal_logical::params::{NoFields, duration_nanos};
use vestal_logical::{Call, Endpoints, Error, Reply};
use vestal_storage::Changes;

use super::super::attempts::repeat;
use super::record::{Config, duration_text};
use super::{Kv2, config_place};

pub(super) fn endpoints() -> Endpoints<Kv2> {
    Endpoints::new().at("config", "Settings for all secrets of this mount.", |e| {
        e.read(read, "Show the settings.").write(write, "Change the settings that are given.")
    })
}

async fn read(kv: &Arc<Kv2>, _: &Call, _: NoFields) -> Result<Reply<Value>, Error> {
    let config = kv.config().await?;
    Ok(Reply::data(json!({
        "cas_required": config.cas_required,
        "delete_version_after": duration_text(config.delete_version_after),
        "max_versions": config.max_versions,
        "metadata_cas_required": config.metadata_cas_required,
    })))
}

/// Fields left out stay as they are.
#[derive(serde::Deserialize, JsonSchema)]
struct Write {
    /// How many versions of a secret are kept; 0 is 10.
    max_versions: Option<u64>,
    /// Whether every write must say which version it expects.
    cas_required: Option<bool>,
    /// Whether every write of metadata must say which metadata version it expects.
    metadata_cas_required: Option<bool>,
    /// How long after its creation a version is deleted; 0 is never, negative is never for every secret.
    delete_version_after: Option<SignedSpan>,
}

/// A span in nanoseconds; null is as if it had not been sent. All that is negative means the same, and is shown as one second less than nothing.
#[derive(Clone, Copy)]
struct SignedSpan(Option<i64>);

impl<'de> Deserialize<'de> for SignedSpan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if value.is_null() {
            return Ok(Self(None));
        }
        let nanos = duration_nanos(&value).map_err(D::Error::custom)?;
        if nanos < 0 {
            return Ok(Self(Some(-1_000_000_000)));
        }
        i64::try_from(nanos)
            .map(|nanos| Self(Some(nanos)))
            .map_err(|_| D::Error::custom("the duration is too long"))
    }
}

impl JsonSchema for SignedSpan {
    fn schema_name() -> Cow<'static, str> {
        "SignedSpan".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "format": "seconds" })
    }
}

async fn write(kv: &Arc<Kv2>, _: &Call, p: Write) -> Result<Reply<Value>, Error> {
    let after = p.delete_version_after.and_then(|span| span.0);
    let p = &p;
    repeat(move || async move {
        let stored = kv.view.get::<Config>(&config_place()).await?;
        let mut changes = Changes::new();
        let mut config = match stored {
            Some(stored) => {
                changes.expect(&kv.view, &config_place(), stored.stamp)?;
                stored.value
            }
            None => {
                changes.expect_absent(&kv.view, &config_place())?;
                Config::default()
            }
        };
        config.max_versions = p.max_versions.unwrap_or(config.max_versions);
        config.cas_required = p.cas_required.unwrap_or(config.cas_required);
        config.metadata_cas_required = p.metadata_cas_required.unwrap_or(config.metadata_cas_required);
        config.delete_version_after = after.unwrap_or(config.delete_version_after);
        changes.put(&kv.view, &config_place(), &config)?;
        kv.view.commit(changes).await?;
        Ok(())
    })
    .await?;
    Ok(Reply::empty())
}
