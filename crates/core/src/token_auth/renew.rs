//! `renew`, `renew-self`, `renew-accessor`.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use vestal_crypto::SecretString;
use vestal_logical::params::Seconds;
use vestal_logical::{Call, Error, Reply};

use super::fields::GivenToken;
use super::{auth, caller, missing_token, named_by};
use crate::active::Active;

/// Which token, and how much more time.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Renew {
    /// The token. For the caller's own it is not looked at.
    #[serde(default)]
    token: GivenToken,
    /// Seconds from now; without any, what was granted last.
    #[serde(default)]
    increment: Seconds,
}

/// Which token by its accessor, and how much more time.
#[derive(Deserialize, JsonSchema)]
pub(super) struct RenewByAccessor {
    /// The accessor.
    #[serde(default)]
    accessor: String,
    /// Seconds from now; without any, what was granted last.
    #[serde(default)]
    increment: Seconds,
}

pub(super) async fn token(active: &Arc<Active>, call: &Call, p: Renew) -> Result<Reply<Value>, Error> {
    let token = p.token.given().ok_or_else(missing_token)?;
    let id = active.tokens.id_of(token)?;
    renew(active, call, &id, token.clone(), p.increment).await
}

pub(super) async fn own(active: &Arc<Active>, call: &Call, p: Renew) -> Result<Reply<Value>, Error> {
    let token = call.credential.clone().ok_or_else(missing_token)?;
    renew(active, call, &caller(call)?.token_id, token, p.increment).await
}

pub(super) async fn accessor(
    active: &Arc<Active>,
    call: &Call,
    p: RenewByAccessor,
) -> Result<Reply<Value>, Error> {
    let entry = named_by(active, call, &p.accessor).await?;
    renew(active, call, &entry.id, SecretString::default(), p.increment).await
}

async fn renew(
    active: &Arc<Active>,
    call: &Call,
    id: &str,
    token: SecretString,
    increment: Seconds,
) -> Result<Reply<Value>, Error> {
    let found = active.tokens.find(id).await?.ok_or_else(|| Error::invalid("token not found"))?;
    // The mount that issued the token says how long it may live.
    let issuer = active.mounts.route(&found.entry.path);
    let max = issuer.map_or(active.parts.settings.max_lease, |route| route.point.max_lease);
    let renewed = active.tokens.renew(id, increment.or(0), max.as_secs(), call.now).await?;
    let mut reply = Reply::token(auth(&renewed.entry, token, renewed.entry.granted));
    reply.warnings.extend(renewed.warning);
    Ok(reply)
}
