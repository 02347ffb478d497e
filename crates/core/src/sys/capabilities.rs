//! `sys/capabilities`, `-self`, `-accessor`: what a token may do with which paths.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use vestal_crypto::SecretString;
use vestal_logical::params::CommaList;
use vestal_logical::{Call, Endpoints, Error, Reply};

use crate::active::Active;
use crate::tokens::TokenEntry;

pub(crate) fn endpoints() -> Endpoints<Active> {
    Endpoints::new()
        .at("capabilities", "What another token may do.", |e| {
            e.write(of_token, "Tell what a token may do with paths.")
        })
        .at("capabilities-self", "What the caller may do.", |e| {
            e.write(of_self, "Tell what the caller may do with paths.")
        })
        .at("capabilities-accessor", "What a token may do, by its accessor.", |e| {
            e.write(of_accessor, "Tell what a token may do with paths.")
        })
}

/// Which token and which paths.
#[derive(Deserialize, JsonSchema)]
struct Ask {
    /// The token.
    token: Option<SecretString>,
    /// The accessor of a token.
    accessor: Option<String>,
    /// The paths.
    paths: Option<CommaList>,
    /// An old name of `paths`.
    path: Option<CommaList>,
}

impl Ask {
    fn paths(&self) -> Result<Vec<String>, Error> {
        let given = self.paths.as_ref().or(self.path.as_ref()).map(|list| list.0.clone()).unwrap_or_default();
        if given.is_empty() { Err(Error::invalid("paths must be supplied")) } else { Ok(given) }
    }
}

/// A map from each path as it was spelled; and the plain list when there was only one.
async fn tell(active: &Active, entry: &TokenEntry, paths: &[String]) -> Result<Reply<Value>, Error> {
    let acl = active.policies.acl(&entry.policies).await?;
    let mut told = Map::new();
    for path in paths {
        told.insert(path.clone(), acl.capabilities(path.trim_start_matches('/')).into());
    }
    if let [only] = paths
        && let Some(capabilities) = told.get(only).cloned()
    {
        told.insert("capabilities".to_owned(), capabilities);
    }
    Ok(Reply::data(Value::Object(told)))
}

async fn by_token(
    active: &Active,
    call: &Call,
    p: &Ask,
    token: &SecretString,
) -> Result<Reply<Value>, Error> {
    let paths = p.paths()?;
    let entry = active.tokens.peek(token, call.now).await?;
    let entry = entry.ok_or_else(|| Error::invalid("invalid token"))?;
    tell(active, entry.as_ref(), &paths).await
}

async fn of_token(active: &Arc<Active>, call: &Call, p: Ask) -> Result<Reply<Value>, Error> {
    let token =
        p.token.clone().filter(|token| !token.is_empty()).ok_or_else(|| Error::invalid("missing token"))?;
    by_token(active, call, &p, &token).await
}

async fn of_self(active: &Arc<Active>, call: &Call, p: Ask) -> Result<Reply<Value>, Error> {
    let paths = p.paths()?;
    let token = call.credential.as_ref().ok_or_else(Error::unauthenticated)?;
    let entry = active.tokens.peek(token, call.now).await?;
    let entry = entry.ok_or_else(Error::unauthenticated)?;
    tell(active, entry.as_ref(), &paths).await
}

async fn of_accessor(active: &Arc<Active>, call: &Call, p: Ask) -> Result<Reply<Value>, Error> {
    let paths = p.paths()?;
    let accessor = p.accessor.clone().filter(|accessor| !accessor.is_empty());
    let accessor = accessor.ok_or_else(|| Error::invalid("missing accessor"))?;
    let entry = active.tokens.by_accessor(&accessor, call.now).await?;
    let entry = entry.ok_or_else(|| Error::invalid("invalid accessor"))?;
    tell(active, entry.as_ref(), &paths).await
}
