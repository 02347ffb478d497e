//! `lookup`, `lookup-self`, `lookup-accessor` and the list of accessors.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use vestal_logical::params::NoFields;
use vestal_logical::{Call, Error, Reply, Timestamp};

use super::fields::GivenToken;
use super::{bad_token, caller, named_by};
use crate::active::Active;
use crate::tokens::TokenEntry;

/// Which token.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Lookup {
    /// The token; without one, the caller's.
    #[serde(default)]
    token: GivenToken,
}

/// Clients may name a token here; the caller's own is meant all the same.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Own {
    /// Not looked at.
    #[serde(default, rename = "token")]
    _token: GivenToken,
}

/// Which token, by its accessor.
#[derive(Deserialize, JsonSchema)]
pub(super) struct ByAccessor {
    /// The accessor.
    #[serde(default)]
    accessor: String,
}

pub(super) async fn token(active: &Arc<Active>, call: &Call, p: Lookup) -> Result<Reply<Value>, Error> {
    let Some(token) = p.token.given() else { return show_own(active, call).await };
    if active.tokens.id_of(token)? == caller(call)?.token_id {
        return show_own(active, call).await;
    }
    let entry = active.tokens.peek(token, call.now).await?.ok_or_else(bad_token)?;
    Ok(Reply::data(shown(&entry, token.expose(), call.now)))
}

pub(super) async fn own(active: &Arc<Active>, call: &Call, _: Own) -> Result<Reply<Value>, Error> {
    show_own(active, call).await
}

/// The caller's token can be shown during its last use as well.
async fn show_own(active: &Arc<Active>, call: &Call) -> Result<Reply<Value>, Error> {
    let found = active.tokens.find(&caller(call)?.token_id).await?.ok_or_else(bad_token)?;
    let token = call.credential.as_ref().ok_or_else(bad_token)?;
    Ok(Reply::data(shown(&found.entry, token.expose(), call.now)))
}

pub(super) async fn accessor(
    active: &Arc<Active>,
    call: &Call,
    p: ByAccessor,
) -> Result<Reply<Value>, Error> {
    let entry = named_by(active, call, &p.accessor).await?;
    Ok(Reply::data(shown(&entry, "", call.now)))
}

pub(super) async fn accessors(active: &Arc<Active>, _: &Call, _: NoFields) -> Result<Reply<Value>, Error> {
    let keys = active.tokens.accessors().await?;
    Ok(if keys.is_empty() { Reply::empty() } else { Reply::data(json!({ "keys": keys })) })
}

/// A token's properties; `id` is what the caller knows already.
fn shown(entry: &TokenEntry, id: &str, now: Timestamp) -> Value {
    let mut data = json!({
        "accessor": entry.accessor,
        "creation_time": entry.created.seconds(),
        "creation_ttl": entry.ttl,
        "display_name": entry.display_name,
        "entity_id": entry.entity_id,
        "expire_time": entry.expires,
        "explicit_max_ttl": entry.explicit_max_ttl,
        "id": id,
        "meta": entry.meta,
        // During its last use a token counts less than none.
        "num_uses": if entry.spent { Value::from(-1) } else { entry.num_uses.into() },
        "orphan": entry.orphan(),
        "path": entry.path,
        "policies": entry.policies,
        "ttl": entry.seconds_left(now),
        "type": "service",
    });
    let Value::Object(members) = &mut data else { return data };
    let mut show = |name: &str, value: Value| drop(members.insert(name.to_owned(), value));
    if !entry.initial() {
        show("issue_time", entry.created.to_string().into());
        show("renewable", entry.renewable.into());
    }
    if entry.period > 0 {
        show("period", entry.period.into());
    }
    if !entry.role.is_empty() {
        show("role", entry.role.clone().into());
    }
    if let Some(renewed) = entry.last_renewal {
        show("last_renewal", renewed.to_string().into());
        show("last_renewal_time", renewed.seconds().into());
    }
    data
}
