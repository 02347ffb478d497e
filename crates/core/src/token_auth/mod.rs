//! `auth/token/`: making, showing, renewing and revoking tokens (core §2.3, §3.1).
//!
//! Knows nothing of how tokens are stored. Roles and tidying are not built: their paths are unknown here.

mod create;
mod fields;
mod lookup;
mod policies;
mod renew;
mod revoke;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::Value;
use vestal_crypto::SecretString;
use vestal_logical::{Auth, Call, Caller, Endpoints, Error, Kind};

use crate::active::Active;
use crate::policies::{AclRequest, Capability};
use crate::tokens::TokenEntry;

pub(crate) use fields::GivenToken;

pub(crate) fn endpoints() -> Endpoints<Active> {
    Endpoints::new()
        .at("create", "A new token.", |e| e.write(create::child, "Make a token that dies with the caller's."))
        .at("create-orphan", "A new token without parent.", |e| {
            e.write(create::orphan, "Make a token that outlives the caller's.")
        })
        .at("lookup", "A token's properties.", |e| {
            e.read(lookup::token, "Show a token.").write(lookup::token, "Show a token.")
        })
        .at("lookup-self", "The properties of the caller's token.", |e| {
            e.read(lookup::own, "Show the caller's token.").write(lookup::own, "Show the caller's token.")
        })
        .at("lookup-accessor", "A token's properties, by its accessor.", |e| {
            e.write(lookup::accessor, "Show the token of an accessor.")
        })
        .at("accessors/", "The accessors of all tokens.", |e| {
            e.list(lookup::accessors, "List the accessors of all tokens.").sudo()
        })
        .at("accessors", "The accessors of all tokens.", |e| e)
        .at("renew", "A token's end.", |e| e.write(renew::token, "Give a token more time."))
        .at("renew-self", "The end of the caller's token.", |e| {
            e.write(renew::own, "Give the caller's token more time.")
        })
        .at("renew-accessor", "A token's end, by its accessor.", |e| {
            e.write(renew::accessor, "Give the token of an accessor more time.")
        })
        .at("revoke", "A token and all that hangs on it.", |e| {
            e.write(revoke::token, "Revoke a token with its children.")
        })
        .at("revoke-self", "The caller's token and all that hangs on it.", |e| {
            e.write(revoke::own, "Revoke the caller's token with its children.")
        })
        .at("revoke-accessor", "A token and all that hangs on it, by its accessor.", |e| {
            e.write(revoke::accessor, "Revoke the token of an accessor with its children.")
        })
        .at("revoke-orphan", "A token without its children.", |e| {
            e.write(revoke::alone, "Revoke a token and make its children orphans.")
        })
}

fn caller(call: &Call) -> Result<&Caller, Error> {
    call.caller.as_ref().ok_or_else(Error::unauthenticated)
}

/// Whether the caller has `sudo` on the path of the call.
async fn has_sudo(active: &Active, call: &Call) -> Result<bool, Error> {
    let caller = caller(call)?;
    if caller.root {
        return Ok(true);
    }
    let acl = active.policies.acl(&caller.policies).await?;
    let path = call.full_path();
    let asked = AclRequest {
        capability: Capability::Update,
        path: &path,
        data: &call.data,
        wrap_ttl: call.wrap.map(|ask| ask.ttl),
        needs_sudo: false,
    };
    Ok(acl.allow(&asked).sudo)
}

/// What a client hears of a token that it may hold from now on.
fn auth(entry: &TokenEntry, token: SecretString, lease_duration: u64) -> Auth {
    Auth {
        client_token: token,
        accessor: entry.accessor.clone(),
        policies: entry.policies.clone(),
        token_policies: entry.policies.clone(),
        identity_policies: Vec::new(),
        metadata: entry.meta.clone(),
        lease_duration,
        renewable: entry.renewable,
        entity_id: entry.entity_id.clone(),
        token_type: "service",
        orphan: entry.orphan(),
        mfa_requirement: None::<Value>,
        num_uses: entry.uses_given,
    }
}

fn missing_token() -> Error {
    Error::invalid("missing token ID")
}

fn invalid_accessor() -> Error {
    Error::invalid("invalid accessor").multi()
}

fn bad_token() -> Error {
    Error::new(Kind::Denied, "bad token")
}

/// The living token that an accessor names.
async fn named_by(active: &Arc<Active>, call: &Call, accessor: &str) -> Result<Arc<TokenEntry>, Error> {
    if accessor.is_empty() {
        return Err(Error::invalid("missing accessor").multi());
    }
    active.tokens.by_accessor(accessor, call.now).await?.ok_or_else(invalid_accessor)
}
