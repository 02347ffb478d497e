//! Reading, writing, deleting and listing in the caller's cubbyhole.

use std::sync::Arc;

use serde_json::{Value, json};
use vestal_logical::params::Fields;
use vestal_logical::{Call, Caller, Endpoints, Error, Kind, Reply};
use vestal_storage::{Changes, StorageError};

use super::Secret;
use super::records::RESPONSE;
use crate::active::Active;

/// How often a write is decided anew because the token was changed meanwhile.
const TRIES: usize = 64;

pub(crate) fn endpoints() -> Endpoints<Active> {
    Endpoints::new()
        .at("", "The caller's secrets.", |e| {
            e.list(list, "List the names at the top.")
                .read(no_path, "Nothing lies here.")
                .write(no_path, "Nothing can be written here.")
                .delete(nothing_to_delete, "Nothing lies here.")
                .exists(no_path_to_write)
        })
        .at("{*path}", "One secret of the caller's, or a folder of them.", |e| {
            e.read(read, "Show a secret.")
                .list(list, "List the names in a folder.")
                .write(write, "Replace a secret.")
                .delete(delete, "Delete a secret.")
                .exists(exists)
        })
}

fn caller(call: &Call) -> Result<&Caller, Error> {
    call.caller.as_ref().ok_or_else(Error::unauthenticated)
}

/// The reference calls these faults of the server; clients know them as such.
fn missing(what: &str) -> Error {
    Error::new(Kind::Internal, format!("missing {what}")).multi()
}

async fn no_path(_: &Arc<Active>, _: &Call, _: Fields) -> Result<Reply<Value>, Error> {
    Err(missing("path"))
}

/// Told before policy is asked, as the reference does.
async fn no_path_to_write(_: &Arc<Active>, _: &Call) -> Result<bool, Error> {
    Err(missing("path"))
}

async fn nothing_to_delete(_: &Arc<Active>, _: &Call, _: Fields) -> Result<Reply<Value>, Error> {
    Ok(Reply::empty())
}

async fn exists(active: &Arc<Active>, call: &Call) -> Result<bool, Error> {
    Ok(active.cubbyholes.exists(&caller(call)?.token_id, call.capture("path")).await?)
}

async fn read(active: &Arc<Active>, call: &Call, p: Fields) -> Result<Reply<Value>, Error> {
    let (caller, path) = (caller(call)?, call.capture("path"));
    if path.ends_with('/') {
        return Ok(Reply::empty());
    }
    let wrapping = matches!(caller.policies.as_slice(), [only] if only == "response-wrapping");
    let wrapped = wrapping && path == RESPONSE;
    let data = if wrapped {
        let response = active.cubbyholes.response(&caller.token_id).await?;
        response.map(|response| json!({ RESPONSE: response }))
    } else {
        active.cubbyholes.read(&caller.token_id, path).await?.map(|secret| Value::Object(secret.0))
    };
    let Some(data) = data else { return Ok(Reply::empty()) };
    let reply = Reply::data(data);
    let reply = if wrapped {
        reply.warn("reading `cubbyhole/response` is deprecated; `sys/wrapping/unwrap` also checks the token")
    } else {
        reply
    };
    Ok(p.ignored_by(reply))
}

async fn list(active: &Arc<Active>, call: &Call, p: Fields) -> Result<Reply<Value>, Error> {
    let names = active.cubbyholes.list(&caller(call)?.token_id, call.capture("path")).await?;
    let reply = if names.is_empty() { Reply::empty() } else { Reply::data(json!({ "keys": names })) };
    Ok(p.ignored_by(reply))
}

async fn write(active: &Arc<Active>, call: &Call, p: Fields) -> Result<Reply<Value>, Error> {
    let (caller, path) = (caller(call)?, call.capture("path"));
    if p.0.is_empty() {
        return Err(missing("data fields"));
    }
    let secret = Secret(p.0);
    for _ in 0..TRIES {
        // Nothing may be left behind by a token that goes meanwhile: the batch expects it as it was found.
        let found = active.tokens.read(&caller.token_id).await?;
        let Some(found) = found.filter(|found| !found.entry.revoking || found.entry.spent) else {
            return Err(Error::unauthenticated());
        };
        let mut changes = Changes::new();
        active.cubbyholes.put(&mut changes, &caller.token_id, path, &secret)?;
        active.tokens.hold(&mut changes, &found)?;
        match active.barrier.commit(changes).await {
            Ok(_) => return Ok(Reply::empty()),
            Err(StorageError::Conflict) => tokio::task::yield_now().await,
            Err(error) => return Err(error.into()),
        }
    }
    Err(StorageError::Conflict.into())
}

async fn delete(active: &Arc<Active>, call: &Call, _: Fields) -> Result<Reply<Value>, Error> {
    let mut changes = Changes::new();
    active.cubbyholes.delete(&mut changes, &caller(call)?.token_id, call.capture("path"))?;
    active.barrier.commit(changes).await?;
    Ok(Reply::empty())
}
