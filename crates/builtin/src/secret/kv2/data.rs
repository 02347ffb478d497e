//! `data/`: reading, writing, patching and deleting the versions of a secret.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use vestal_logical::params::Members;
use vestal_logical::{Call, Endpoints, Error, Outcome, Reply, Timestamp};
use vestal_storage::{Changes, Stamped};

use super::super::attempts::{Lost, repeat};
use super::record::{Content, Metadata};
use super::{Kv2, meta_place, version_place};

pub(super) fn endpoints() -> Endpoints<Kv2> {
    Endpoints::new().at("data/{*path}", "A secret, in versions.", |e| {
        e.read(read, "Show a version, the latest unless told otherwise.")
            .write(write, "Write a new version.")
            .patch(patch, "Write a new version that differs from the latest as told.")
            .delete(delete, "Delete the latest version; it can be undeleted.")
            .exists(exists)
    })
}

pub(super) async fn exists(kv: &Arc<Kv2>, call: &Call) -> Result<bool, Error> {
    Ok(kv.view.exists(&meta_place(call.capture("path"))).await?)
}

/// Which version.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Read {
    path: String,
    /// 0, negative or absent: the latest.
    #[serde(default)]
    version: i64,
}

/// A version that was found: its number, and its content unless it is deleted.
pub(super) enum Found {
    Nothing,
    Gone(Value),
    Here(Option<Map<String, Value>>, Value),
}

impl Kv2 {
    /// The version with its metadata block.
    pub(super) async fn version(&self, path: &str, number: i64, now: Timestamp) -> Result<Found, Error> {
        repeat(move || self.version_now(path, number, now)).await
    }

    async fn version_now(&self, path: &str, number: i64, now: Timestamp) -> Result<Found, Lost> {
        let Some(stored) = self.metadata(path).await? else { return Ok(Found::Nothing) };
        let metadata = stored.value;
        let number = u64::try_from(number).ok().filter(|number| *number > 0).unwrap_or(metadata.current);
        let Some(version) = metadata.versions.get(&number) else { return Ok(Found::Nothing) };
        let shown = version.shown(number, metadata.custom.as_ref());
        if version.destroyed || version.is_deleted(now) {
            return Ok(Found::Gone(shown));
        }
        match self.view.get::<Content>(&version_place(path, number)).await? {
            Some(content) => Ok(Found::Here(content.value.0, shown)),
            // Cut between our two reads: whoever did so has written a newer version, or destroyed this one.
            None => Err(Lost::Race),
        }
    }
}

async fn read(kv: &Arc<Kv2>, call: &Call, p: Read) -> Result<Reply<Value>, Error> {
    Ok(match kv.version(&p.path, p.version, call.now).await? {
        Found::Nothing => Reply::empty(),
        Found::Gone(metadata) => gone(&metadata),
        // Not `json!`, which would rewrite the numbers of a secret.
        Found::Here(data, metadata) => {
            let data = data.map_or(Value::Null, Value::Object);
            let members = [("data".to_owned(), data), ("metadata".to_owned(), metadata)];
            Reply::data(Value::Object(members.into_iter().collect()))
        }
    })
}

/// Clients use the metadata of what is deleted.
pub(super) fn gone(metadata: &Value) -> Reply<Value> {
    Reply::data(json!({ "data": null, "metadata": metadata })).outcome(Outcome::Absent)
}

/// A new version.
#[derive(Deserialize, JsonSchema)]
struct Write {
    path: String,
    /// The content: an object, or null.
    data: Option<Members>,
    /// `cas`: the version that must be current; 0 when there must be none.
    #[serde(default)]
    options: Members,
}

/// What a writer expects of the current version.
fn expected(options: &Members) -> Result<Option<i64>, Error> {
    let Some(cas) = options.0.as_ref().and_then(|options| options.get("cas")) else { return Ok(None) };
    let number = match cas {
        Value::Null => Some(0),
        Value::Bool(flag) => Some(i64::from(*flag)),
        Value::Number(number) => number.as_i64(),
        Value::String(text) if text.is_empty() => Some(0),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    number.map(Some).ok_or_else(|| Error::invalid("error parsing check-and-set parameter"))
}

fn content(data: Option<Members>) -> Result<Option<Map<String, Value>>, Error> {
    data.map(|data| data.0).ok_or_else(|| Error::invalid("no data provided"))
}

impl Kv2 {
    /// Adds a version whose content `decide` makes of what is there, in one batch.
    async fn add(
        &self,
        path: &str,
        cas: Option<i64>,
        now: Timestamp,
        stored: Option<Stamped<Metadata>>,
        content: Option<Map<String, Value>>,
    ) -> Result<Value, Lost> {
        let config = self.config().await?;
        let mut changes = Changes::new();
        let mut metadata = match stored {
            Some(stored) => {
                changes.expect(&self.view, &meta_place(path), stored.stamp)?;
                stored.value
            }
            None => {
                changes.expect_absent(&self.view, &meta_place(path))?;
                Metadata::new(now)
            }
        };
        check(&metadata, config.cas_required || metadata.cas_required, cas)?;
        let (number, forgotten) = metadata.add_version(&config, now);
        for old in forgotten {
            changes.delete(&self.view, &version_place(path, old))?;
        }
        changes.put(&self.view, &version_place(path, number), &Content(content))?;
        changes.put(&self.view, &meta_place(path), &metadata)?;
        self.view.commit(changes).await?;
        let version = metadata.versions.get(&number);
        Ok(version.map_or(Value::Null, |version| version.shown(number, metadata.custom.as_ref())))
    }
}

/// Told before it is asked whether there is a version to patch.
fn refuse_unguarded(required: bool, options: &Members) -> Result<(), Error> {
    let guarded = options.0.as_ref().is_some_and(|options| options.contains_key("cas"));
    if required && !guarded { Err(unguarded()) } else { Ok(()) }
}

fn unguarded() -> Error {
    Error::invalid("check-and-set parameter required for this call")
}

fn check(metadata: &Metadata, required: bool, cas: Option<i64>) -> Result<(), Error> {
    match cas {
        None if required => Err(unguarded()),
        Some(version) if u64::try_from(version) != Ok(metadata.current) => {
            Err(Error::invalid("check-and-set parameter did not match the current version"))
        }
        _ => Ok(()),
    }
}

async fn write(kv: &Arc<Kv2>, call: &Call, p: Write) -> Result<Reply<Value>, Error> {
    let content = content(p.data)?;
    let cas = expected(&p.options)?;
    let (path, content) = (&p.path, &content);
    let written = repeat(move || async move {
        let stored = kv.metadata(path).await?;
        kv.add(path, cas, call.now, stored, content.clone()).await
    });
    Ok(Reply::data(written.await?))
}

async fn patch(kv: &Arc<Kv2>, call: &Call, p: Write) -> Result<Reply<Value>, Error> {
    let change = content(p.data)?.unwrap_or_default();
    let (path, change, options) = (&p.path, &change, &p.options);
    repeat(move || async move {
        let stored = kv.metadata(path).await?;
        if let Some(stored) = &stored {
            let required = kv.config().await?.cas_required || stored.value.cas_required;
            refuse_unguarded(required, options)?;
        }
        let base = match kv.version(path, 0, call.now).await? {
            Found::Nothing => return Ok(Reply::empty().outcome(Outcome::Absent)),
            // Here the metadata is all of the data.
            Found::Gone(metadata) => return Ok(Reply::data(metadata).outcome(Outcome::Absent)),
            Found::Here(content, _) => content.unwrap_or_default(),
        };
        let cas = expected(options)?;
        let merged = merge(base, change);
        kv.add(path, cas, call.now, stored, Some(merged)).await.map(Reply::data)
    })
    .await
}

/// RFC 7386: null deletes, objects merge, everything else replaces.
fn merge(mut base: Map<String, Value>, change: &Map<String, Value>) -> Map<String, Value> {
    for (name, value) in change {
        match value {
            Value::Null => {
                base.remove(name);
            }
            Value::Object(inner) => {
                let below = match base.remove(name) {
                    Some(Value::Object(below)) => below,
                    _ => Map::new(),
                };
                base.insert(name.clone(), Value::Object(merge(below, inner)));
            }
            other => {
                base.insert(name.clone(), other.clone());
            }
        }
    }
    base
}

/// Which secret.
#[derive(Deserialize, JsonSchema)]
struct Delete {
    path: String,
}

async fn delete(kv: &Arc<Kv2>, call: &Call, p: Delete) -> Result<Reply<Value>, Error> {
    kv.change_versions(&p.path, call.now, |metadata| {
        let current = metadata.current;
        metadata.versions.get_mut(&current).is_some_and(|version| {
            let deleted = !version.destroyed && !version.is_deleted(call.now);
            if deleted {
                version.deletion = Some(call.now);
            }
            deleted
        })
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merge_patch_deletes_by_null_and_descends_into_objects() {
        let object = |value: Value| value.as_object().cloned().unwrap();
        // RFC 7386, appendix A, as far as both sides are objects.
        let cases = [
            (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
            (json!({"a":"b"}), json!({"a":null}), json!({})),
            (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":{"b":"c"}}), json!({"a":{"b":"d","c":null}}), json!({"a":{"b":"d"}})),
            (json!({}), json!({"a":{"bb":{"ccc":null}}}), json!({"a":{"bb":{}}})),
            (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
        ];
        for (base, change, expected) in cases {
            assert_eq!(Value::Object(merge(object(base), &object(change))), expected);
        }
    }
}
