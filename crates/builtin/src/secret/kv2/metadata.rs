//! `metadata/` and `detailed-metadata/`: what is known of secrets besides their contents.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use vestal_logical::params::{Members, Seconds};
use vestal_logical::{Call, Endpoints, Error, Outcome, Reply};
use vestal_storage::Changes;

use super::super::attempts::repeat;
use super::super::keys::{listed, names_below};
use super::data::exists;
use super::record::{Metadata, duration_text};
use super::{Kv2, meta_place, meta_root, version_place};

pub(super) fn endpoints() -> Endpoints<Kv2> {
    Endpoints::new()
        .at("metadata/", "The names of all secrets.", |e| {
            e.list(list, "List the names at the top.").read(super::nothing, "Nothing lies here.")
        })
        .at("metadata/{*path}", "Metadata of a secret, or a folder of names.", |e| {
            e.read(read, "Show a secret's metadata.")
                .list(list, "List the names in a folder.")
                .write(write, "Change a secret's settings.")
                .patch(patch, "Change the settings that are given; null unsets.")
                .delete(delete, "Delete a secret, all its versions and what is known of it.")
                .exists(exists)
        })
        .at("detailed-metadata/", "The names of all secrets, with metadata.", |e| {
            e.list(detailed, "List the names at the top, with metadata.")
        })
        .at("detailed-metadata/{*path}", "A folder of names, with metadata.", |e| {
            e.list(detailed, "List the names in a folder, with metadata.")
        })
}

/// A folder, and which of its names.
#[derive(Deserialize, JsonSchema)]
struct List {
    /// The folder; the top when absent.
    #[serde(default)]
    path: String,
    /// Only names behind this one.
    #[serde(default)]
    after: String,
    /// At most this many; 0 or less is all.
    #[serde(default)]
    limit: i64,
}

impl Kv2 {
    async fn names(&self, p: &List) -> Result<Vec<String>, Error> {
        let mut names = names_below(&self.view, &meta_root().path(&p.path)).await?;
        names.retain(|name| p.after.is_empty() || name.as_str() > p.after.as_str());
        if let Some(limit) = usize::try_from(p.limit).ok().filter(|limit| *limit > 0) {
            names.truncate(limit);
        }
        Ok(names)
    }
}

async fn list(kv: &Arc<Kv2>, _: &Call, p: List) -> Result<Reply<Value>, Error> {
    listed(kv.names(&p).await?)
}

async fn detailed(kv: &Arc<Kv2>, _: &Call, p: List) -> Result<Reply<Value>, Error> {
    let keys = kv.names(&p).await?;
    if keys.is_empty() {
        return Ok(Reply::empty());
    }
    let mut info = Map::new();
    for name in &keys {
        if name.ends_with('/') {
            info.insert(name.clone(), json!({}));
        } else if let Some(stored) = kv.metadata(&format!("{}{name}", p.path)).await? {
            info.insert(name.clone(), shown(&stored.value));
        }
    }
    Ok(Reply::data(json!({ "keys": keys, "key_info": info })))
}

fn shown(metadata: &Metadata) -> Value {
    let versions = metadata.versions.iter().map(|(number, version)| {
        let shown = json!({
            "created_time": version.created.to_string(),
            "deletion_time": version.deletion_text(),
            "destroyed": version.destroyed,
        });
        (number.to_string(), shown)
    });
    json!({
        "cas_required": metadata.cas_required,
        "created_time": metadata.created.to_string(),
        "current_metadata_version": metadata.settings_version,
        "current_version": metadata.current,
        "custom_metadata": metadata.custom,
        "delete_version_after": duration_text(metadata.delete_version_after),
        "max_versions": metadata.max_versions,
        "metadata_cas_required": metadata.settings_cas_required,
        "oldest_version": metadata.oldest,
        "updated_time": metadata.updated.to_string(),
        "versions": versions.collect::<Map<_, _>>(),
    })
}

/// Which secret.
#[derive(Deserialize, JsonSchema)]
struct AtPath {
    path: String,
}

async fn read(kv: &Arc<Kv2>, _: &Call, p: AtPath) -> Result<Reply<Value>, Error> {
    Ok(kv.metadata(&p.path).await?.map_or_else(Reply::empty, |stored| Reply::data(shown(&stored.value))))
}

/// Settings of a secret.
#[derive(Deserialize, JsonSchema)]
struct Write {
    path: String,
    /// How many versions are kept; 0 is as the mount says.
    max_versions: Option<u64>,
    /// Whether every write must say which version it expects.
    cas_required: Option<bool>,
    /// How long after its creation a version is deleted; 0 is as the mount says.
    delete_version_after: Option<Seconds>,
    /// Texts of the user's own; at most 64, names up to 128 bytes, values up to 512.
    custom_metadata: Option<Members>,
    /// The metadata version that must be current; 0 when there must be none.
    metadata_cas: Option<u64>,
    /// Whether every write of metadata must say which metadata version it expects.
    metadata_cas_required: Option<bool>,
}

impl Write {
    /// Whether anything is to change; what only checks changes nothing.
    fn changes_something(&self) -> bool {
        self.max_versions.is_some()
            || self.cas_required.is_some()
            || self.delete_version_after.is_some_and(|span| span.given().is_some())
            || self.custom_metadata.is_some()
            || self.metadata_cas_required.is_some()
    }
}

/// A text of custom metadata; numbers and booleans are turned into text.
fn custom_text(value: &Value) -> Result<String, Error> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(if *flag { "1" } else { "0" }.to_owned()),
        Value::Null => Ok(String::new()),
        _ => Err(custom_refused("values must be texts")),
    }
}

fn custom_refused(reason: &str) -> Error {
    Error::invalid(format!("custom_metadata validation failed: {reason}")).multi()
}

fn refuse_unfit(name: &str, value: &str) -> Result<(), Error> {
    let fits = |text: &str, longest| (1..=longest).contains(&text.len()) && !text.contains(char::is_control);
    if fits(name, 128) && fits(value, 512) {
        return Ok(());
    }
    Err(custom_refused("names have 1 to 128 printable bytes, values 1 to 512"))
}

/// Replaces the map, or merges into it and lets null delete: a member, or all.
fn custom(
    before: Option<&BTreeMap<String, String>>,
    given: &Members,
    merge: bool,
) -> Result<Option<BTreeMap<String, String>>, Error> {
    let mut map =
        if merge && given.0.is_some() { before.cloned().unwrap_or_default() } else { BTreeMap::new() };
    for (name, value) in given.0.iter().flatten() {
        if merge && value.is_null() {
            map.remove(name);
        } else {
            let text = custom_text(value)?;
            refuse_unfit(name, &text)?;
            map.insert(name.clone(), text);
        }
    }
    if map.len() > 64 {
        let count = map.len();
        return Err(custom_refused(&format!("payload must contain at most 64 keys, provided {count}")));
    }
    Ok((!map.is_empty()).then_some(map))
}

fn apply(metadata: &mut Metadata, p: &Write, mount_requires_cas: bool, merge: bool) -> Result<(), Error> {
    match p.metadata_cas {
        None if mount_requires_cas || metadata.settings_cas_required => {
            return Err(Error::invalid("metadata check-and-set parameter required for this call"));
        }
        Some(version) if version != metadata.settings_version => {
            return Err(Error::invalid(match (metadata.settings_version, metadata.current) {
                (0, 0) => "metadata_cas must be 0 when creating new metadata",
                _ => "metadata check-and-set parameter does not match the current version",
            }));
        }
        _ => {}
    }
    metadata.max_versions = p.max_versions.unwrap_or(metadata.max_versions);
    metadata.cas_required = p.cas_required.unwrap_or(metadata.cas_required);
    metadata.settings_cas_required = p.metadata_cas_required.unwrap_or(metadata.settings_cas_required);
    if let Some(seconds) = p.delete_version_after.and_then(Seconds::given) {
        let span = Duration::from_secs(seconds);
        metadata.delete_version_after = i64::try_from(span.as_nanos()).map_err(Error::internal)?;
    }
    if let Some(given) = &p.custom_metadata {
        metadata.custom = custom(metadata.custom.as_ref(), given, merge)?;
    }
    metadata.settings_version += 1;
    Ok(())
}

async fn write(kv: &Arc<Kv2>, call: &Call, p: Write) -> Result<Reply<Value>, Error> {
    if !p.changes_something() {
        return Ok(Reply::empty());
    }
    let p = &p;
    let config = kv.config().await?;
    repeat(move || async move {
        let requires_cas = kv.config().await?.metadata_cas_required;
        let mut changes = Changes::new();
        let place = meta_place(&p.path);
        let mut metadata = match kv.metadata(&p.path).await? {
            Some(stored) => {
                changes.expect(&kv.view, &place, stored.stamp)?;
                stored.value
            }
            None => {
                changes.expect_absent(&kv.view, &place)?;
                Metadata::new(call.now)
            }
        };
        apply(&mut metadata, p, requires_cas, false)?;
        metadata.updated = call.now;
        changes.put(&kv.view, &place, &metadata)?;
        kv.view.commit(changes).await?;
        Ok(())
    })
    .await?;
    Ok(told_of_mandate(Reply::empty(), p, config.cas_required))
}

/// A secret cannot do without what its mount demands.
fn told_of_mandate(reply: Reply<Value>, p: &Write, mandated: bool) -> Reply<Value> {
    if mandated && p.cas_required == Some(false) {
        return reply.warn(
            "\"cas_required\" set to false, but is mandated by backend config. This value will be ignored.",
        );
    }
    reply
}

async fn patch(kv: &Arc<Kv2>, call: &Call, p: Write) -> Result<Reply<Value>, Error> {
    if !p.changes_something() {
        return Ok(Reply::empty());
    }
    let p = &p;
    repeat(move || async move {
        let config = kv.config().await?;
        let Some(stored) = kv.metadata(&p.path).await? else {
            return Ok(Reply::empty().outcome(Outcome::Absent));
        };
        let mut metadata = stored.value;
        apply(&mut metadata, p, config.metadata_cas_required, true)?;
        metadata.updated = call.now;
        let mut changes = Changes::new();
        let place = meta_place(&p.path);
        changes.expect(&kv.view, &place, stored.stamp)?;
        changes.put(&kv.view, &place, &metadata)?;
        kv.view.commit(changes).await?;
        Ok(told_of_mandate(Reply::empty(), p, config.cas_required))
    })
    .await
}

async fn delete(kv: &Arc<Kv2>, _: &Call, p: AtPath) -> Result<Reply<Value>, Error> {
    let p = &p;
    repeat(move || async move {
        let Some(stored) = kv.metadata(&p.path).await? else { return Ok(()) };
        let place = meta_place(&p.path);
        let mut changes = Changes::new();
        changes.reserved().expect(&kv.view, &place, stored.stamp)?;
        changes.delete(&kv.view, &place)?;
        for number in stored.value.versions.keys() {
            changes.delete(&kv.view, &version_place(&p.path, *number))?;
        }
        kv.view.commit(changes).await?;
        Ok(())
    })
    .await?;
    Ok(Reply::empty())
}
