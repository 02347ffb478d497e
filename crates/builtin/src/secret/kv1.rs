//! kv without versions: a write replaces all of a secret, a read gives back what was written (core §2.4).

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use vestal_logical::json;
use vestal_logical::params::{Fields, duration_nanos};
use vestal_logical::{Call, Endpoints, Engine, Error, MountContext, Reply};
use vestal_storage::{Changes, Place, Record, StorageError, View};

use super::keys::{listed, names_below};

/// One mount.
pub(crate) struct Kv1 {
    view: View,
}

/// A secret, as written.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Secret(pub(super) Map<String, Value>);

impl Record for Secret {
    const VERSION: u8 = 1;

    fn decode(body: &[u8]) -> Result<Self, StorageError> {
        json::stored_object(body).map(Self)
    }
}

/// Where a secret lies.
pub(super) fn place(path: &str) -> Place {
    root().path(path)
}

/// Above all secrets.
pub(super) fn root() -> Place {
    Place::root().plain("kv1")
}

impl Engine for Kv1 {
    fn endpoints() -> Endpoints<Self> {
        Endpoints::new()
            .at("", "The secrets of this mount.", |e| {
                e.list(list, "List the names at the top.")
                    .read(nothing, "Nothing lies here.")
                    .write(no_path, "Nothing can be written here.")
                    .delete(nothing, "Nothing lies here.")
            })
            .at("{*path}", "One secret, or a folder of them.", |e| {
                e.read(read, "Show a secret.")
                    .list(list, "List the names in a folder.")
                    .write(write, "Replace a secret.")
                    .delete(delete, "Delete a secret.")
                    .exists(exists)
            })
    }

    async fn open(mount: MountContext) -> Result<Self, Error> {
        Ok(Self { view: mount.view })
    }
}

async fn nothing(_: &Arc<Kv1>, _: &Call, _: Fields) -> Result<Reply<Value>, Error> {
    Ok(Reply::empty())
}

async fn no_path(_: &Arc<Kv1>, _: &Call, _: Fields) -> Result<Reply<Value>, Error> {
    Err(Error::invalid("missing path"))
}

async fn exists(kv: &Arc<Kv1>, call: &Call) -> Result<bool, Error> {
    Ok(kv.view.exists(&place(call.capture("path"))).await?)
}

async fn read(kv: &Arc<Kv1>, call: &Call, p: Fields) -> Result<Reply<Value>, Error> {
    let path = call.capture("path");
    if path.ends_with('/') {
        return Ok(Reply::empty());
    }
    let Some(secret) = kv.view.get::<Secret>(&place(path)).await? else { return Ok(Reply::empty()) };
    let secret = secret.value.0;
    let lease = own_lease(&secret).unwrap_or(call.mount.default_lease);
    Ok(p.ignored_by(Reply::data(Value::Object(secret)).lasting(lease)))
}

/// A secret may say how long it lasts; it is a hint, nothing expires.
fn own_lease(secret: &Map<String, Value>) -> Option<Duration> {
    let said = secret.get("ttl").or_else(|| secret.get("lease"))?;
    // What does not fit Go's spans is as if it had not been said.
    let nanos = i64::try_from(duration_nanos(said).ok()?).ok()?;
    u64::try_from(nanos / 1_000_000_000).ok().map(Duration::from_secs)
}

async fn write(kv: &Arc<Kv1>, call: &Call, p: Fields) -> Result<Reply<Value>, Error> {
    if p.0.is_empty() {
        return Err(Error::invalid("missing data fields"));
    }
    let mut changes = Changes::new();
    changes.put(&kv.view, &place(call.capture("path")), &Secret(p.0))?;
    kv.view.commit(changes).await?;
    Ok(Reply::empty())
}

async fn delete(kv: &Arc<Kv1>, call: &Call, _: Fields) -> Result<Reply<Value>, Error> {
    let mut changes = Changes::new();
    changes.reserved().delete(&kv.view, &place(call.capture("path")))?;
    kv.view.commit(changes).await?;
    Ok(Reply::empty())
}

async fn list(kv: &Arc<Kv1>, call: &Call, p: Fields) -> Result<Reply<Value>, Error> {
    Ok(p.ignored_by(listed(names_below(&kv.view, &root().path(call.capture("path"))).await?)?))
}
