//! `sys/wrapping/`: wrapping anything, unwrapping once, looking, wrapping anew (core §3.6).
//!
//! A wrapped answer is handed out at most once: whoever unwraps removes the token in a batch that expects it unchanged,
//! or came with it and spent its only use doing so. Knows nothing of what is wrapped.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use vestal_crypto::SecretString;
use vestal_logical::json;
use vestal_logical::params::Fields;
use vestal_logical::{Call, Endpoints, Error, Kind, Reply, Request, Timestamp};
use vestal_storage::StorageError;

use crate::active::Active;
use crate::pipeline::wrap::{Wrapping, rewrap_reply, wrap_with};
use crate::token_auth::GivenToken;
use crate::tokens::{Found, TokenEntry};

/// Endpoints whose token is looked at before anything else is.
const OF_A_WRAPPING_TOKEN: [&str; 3] = ["sys/wrapping/unwrap", "sys/wrapping/rewrap", "sys/wrapping/lookup"];
/// As much as one record holds, in bytes of JSON.
const LARGEST: usize = 1 << 20;
/// How often taking is decided anew because the token was changed meanwhile.
const TRIES: usize = 64;

pub(crate) fn endpoints() -> Endpoints<Active> {
    Endpoints::new()
        .at("wrapping/wrap", "Anything, wrapped.", |e| e.write(wrap, "Wrap what is sent."))
        .at("wrapping/unwrap", "A wrapped answer.", |e| e.write(unwrap, "Hand out a wrapped answer, once."))
        .at("wrapping/lookup", "A wrapping token.", |e| {
            e.read(lookup, "Show a wrapping token.").write(lookup, "Show a wrapping token.").unauthenticated()
        })
        .at("wrapping/rewrap", "A wrapped answer in a new token.", |e| {
            e.write(rewrap, "Move a wrapped answer to a new token.")
        })
}

/// Which wrapping token.
#[derive(Deserialize, JsonSchema)]
struct Wrapped {
    /// The wrapping token; without one, the caller's own token is meant.
    #[serde(default)]
    token: GivenToken,
}

fn not_valid() -> Error {
    Error::invalid("wrapping token is not valid or does not exist")
}

/// Why a request to these endpoints has no good wrapping token, if so. Spends nothing.
pub(crate) async fn refuse(active: &Arc<Active>, request: &Request) -> Option<Error> {
    if !OF_A_WRAPPING_TOKEN.contains(&request.path.as_str()) {
        return None;
    }
    let empty = |what| Some(Error::new(Kind::Denied, format!("error validating wrapping token: {what}")));
    let named = request.data.get("token");
    if named.is_some_and(|token| !token.is_string() && !token.is_null()) {
        return empty("could not decode token in request body");
    }
    let named = named.and_then(Value::as_str).map(SecretString::new);
    let token = match (named, &request.token) {
        (Some(named), _) if named.is_empty() => return empty("empty token in request body"),
        (Some(named), _) => named,
        (None, Some(own)) if !own.is_empty() => own.clone(),
        _ => return empty("token is empty"),
    };
    match active.tokens.peek(&token, request.now).await {
        Ok(Some(entry)) if entry.wrapping() => None,
        Ok(_) => Some(not_valid()),
        Err(error) => Some(error),
    }
}

async fn wrap(_: &Arc<Active>, call: &Call, p: Fields) -> Result<Reply<Value>, Error> {
    if call.wrap.is_none() {
        return Err(Error::invalid("endpoint requires response wrapping to be used"));
    }
    // Whoever has a token may come here: what is kept is no more than could be written elsewhere.
    if serde_json::to_string(&p.0).map_err(Error::internal)?.len() > LARGEST {
        return Err(StorageError::TooLarge { limit: LARGEST }.into());
    }
    Ok(Reply::data(Value::Object(p.0)))
}

async fn lookup(active: &Arc<Active>, call: &Call, p: Wrapped) -> Result<Reply<Value>, Error> {
    let token = meant(call, &p)?;
    let entry = active.tokens.peek(token, call.now).await?.filter(|entry| entry.wrapping());
    let entry = entry.ok_or_else(not_valid)?;
    Ok(Reply::data(json!({
        "creation_path": entry.path,
        "creation_time": entry.created,
        "creation_ttl": entry.ttl,
    })))
}

async fn unwrap(active: &Arc<Active>, call: &Call, p: Wrapped) -> Result<Reply<Value>, Error> {
    let id = active.tokens.id_of(meant(call, &p)?)?;
    let own = call.caller.as_ref().is_some_and(|caller| caller.token_id == id);
    let content = if own { spent_by_caller(active, &id).await? } else { take(active, &id, call.now).await? };
    Ok(Reply::plain(json::stored(content.as_bytes())?))
}

async fn rewrap(active: &Arc<Active>, call: &Call, p: Wrapped) -> Result<Reply<Value>, Error> {
    let id = active.tokens.id_of(meant(call, &p)?)?;
    for _ in 0..TRIES {
        let (found, content) = found(active, &id, call.now).await?;
        let wrapping = Wrapping {
            seconds: found.entry.ttl,
            path: &found.entry.path,
            display_name: &found.entry.display_name,
            accessor_inside: String::new(),
            content,
        };
        let removal = active.tokens.removal(&found).await?;
        match wrap_with(active, removal, wrapping, call.now).await {
            Ok(info) => return Ok(rewrap_reply(&info)),
            Err(error) if error.kind() == Kind::Conflict => tokio::task::yield_now().await,
            Err(error) => return Err(error),
        }
    }
    Err(not_valid())
}

/// The token in the body, or the caller's.
fn meant<'a>(call: &'a Call, p: &'a Wrapped) -> Result<&'a SecretString, Error> {
    p.token.given().or(call.credential.as_ref()).ok_or_else(not_valid)
}

/// The caller came with the wrapping token itself: presenting it has spent its only use, so nobody else has it.
async fn spent_by_caller(active: &Active, id: &str) -> Result<String, Error> {
    let found = active.tokens.read(id).await?;
    let holds = |entry: &TokenEntry| entry.wrapping() && entry.spent;
    if !found.is_some_and(|found| holds(&found.entry)) {
        return Err(not_valid());
    }
    content(active, id).await
}

/// Takes the content out of the token of another: whoever removes the token has it.
async fn take(active: &Active, id: &str, now: Timestamp) -> Result<String, Error> {
    for _ in 0..TRIES {
        let (found, content) = found(active, id, now).await?;
        let removal = active.tokens.removal(&found).await?;
        match active.barrier.commit(removal).await {
            Ok(_) => return Ok(content),
            Err(StorageError::Conflict) => tokio::task::yield_now().await,
            Err(error) => return Err(error.into()),
        }
    }
    Err(not_valid())
}

async fn found(active: &Active, id: &str, now: Timestamp) -> Result<(Found, String), Error> {
    let found = active.tokens.read(id).await?;
    let found =
        found.filter(|found| found.entry.alive(now) && found.entry.wrapping()).ok_or_else(not_valid)?;
    let content = content(active, id).await?;
    Ok((found, content))
}

async fn content(active: &Active, id: &str) -> Result<String, Error> {
    active.cubbyholes.response(id).await?.ok_or_else(not_valid)
}

#[cfg(test)]
mod tests;
