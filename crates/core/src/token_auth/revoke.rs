//! `revoke`, `revoke-self`, `revoke-accessor`, `revoke-orphan`.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use vestal_logical::params::NoFields;
use vestal_logical::{Call, Error, Reply};

use super::fields::GivenToken;
use super::{caller, has_sudo, missing_token, named_by};
use crate::active::Active;

/// Which token.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Revoke {
    /// The token.
    #[serde(default)]
    token: GivenToken,
}

/// Which token, by its accessor.
#[derive(Deserialize, JsonSchema)]
pub(super) struct RevokeByAccessor {
    /// The accessor.
    #[serde(default)]
    accessor: String,
}

pub(super) async fn token(active: &Arc<Active>, _: &Call, p: Revoke) -> Result<Reply<Value>, Error> {
    let token = p.token.given().ok_or_else(missing_token)?;
    active.tokens.revoke(&active.tokens.id_of(token)?).await?;
    Ok(Reply::empty())
}

pub(super) async fn own(active: &Arc<Active>, call: &Call, _: NoFields) -> Result<Reply<Value>, Error> {
    active.tokens.revoke(&caller(call)?.token_id).await?;
    Ok(Reply::empty())
}

pub(super) async fn accessor(
    active: &Arc<Active>,
    call: &Call,
    p: RevokeByAccessor,
) -> Result<Reply<Value>, Error> {
    if p.accessor.is_empty() {
        return Err(named_by(active, call, "").await.err().unwrap_or_else(missing_token));
    }
    match active.tokens.by_accessor(&p.accessor, call.now).await? {
        Some(entry) => {
            active.tokens.revoke(&entry.id).await?;
            Ok(Reply::empty())
        }
        None => Ok(Reply::empty().warn("No token found with this accessor")),
    }
}

pub(super) async fn alone(active: &Arc<Active>, call: &Call, p: Revoke) -> Result<Reply<Value>, Error> {
    let token = p.token.given().ok_or_else(missing_token)?;
    if !has_sudo(active, call).await? {
        return Err(Error::invalid("root or sudo privileges required to revoke and orphan"));
    }
    if active.tokens.revoke_alone(&active.tokens.id_of(token)?).await? {
        return Ok(Reply::empty());
    }
    Err(Error::invalid("token to revoke not found"))
}
