//! `sys/internal/ui/mounts`: which mounts a caller can see, and which mount serves a path. The command line asks this
//! before every kv command.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use vestal_logical::params::NoFields;
use vestal_logical::{Call, Endpoints, Error, Kind, Reply};

use crate::active::Active;
use crate::mounts::{Class, MountEntry};
use crate::policies::Acl;

pub(crate) fn endpoints() -> Endpoints<Active> {
    Endpoints::new()
        .at("internal/ui/mounts", "The mounts that the caller can see.", |e| {
            e.read(list, "List them.").unauthenticated()
        })
        .at("internal/ui/mounts/{*path}", "The mount that serves a path.", |e| {
            e.read(read, "Show it.").unauthenticated()
        })
}

/// Whether these endpoints serve the path: their answer depends on who calls.
pub(crate) fn looks_at_callers(path: &str) -> bool {
    path == "sys/internal/ui/mounts" || path.starts_with("sys/internal/ui/mounts/")
}

/// The caller's rights. The endpoint needs no token, so the pipeline has not looked at the one that came.
async fn caller(active: &Active, call: &Call) -> Result<Option<Arc<Acl>>, Error> {
    let Some(token) = call.credential.as_ref().filter(|token| !token.is_empty()) else { return Ok(None) };
    match active.tokens.peek(token, call.now).await? {
        Some(entry) => active.policies.acl(&entry.policies).await.map(Some),
        None => Err(Error::unauthenticated()),
    }
}

fn visible_to_all(entry: &MountEntry) -> bool {
    entry.config.listing_visibility.as_deref() == Some("unauth")
}

async fn list(active: &Arc<Active>, call: &Call, _: NoFields) -> Result<Reply<Value>, Error> {
    let acl = caller(active, call).await?;
    let mut shown = Map::new();
    for (name, class) in [("auth", Class::Auth), ("secret", Class::Secret)] {
        let mut table = Map::new();
        for entry in active.mounts.entries(class) {
            let record = match &acl {
                Some(acl) if acl.reaches_into(&entry.full_path()) || visible_to_all(&entry) => {
                    serde_json::to_value(entry.shown()).map_err(Error::internal)?
                }
                None if visible_to_all(&entry) => json!({
                    "type": entry.kind, "description": entry.description, "options": entry.options,
                }),
                _ => continue,
            };
            table.insert(entry.path, record);
        }
        shown.insert(name.to_owned(), table.into());
    }
    Ok(Reply::data(Value::Object(shown)))
}

/// A path below some mount.
#[derive(Deserialize, JsonSchema)]
struct AtPath {
    /// The path.
    path: String,
}

async fn read(active: &Arc<Active>, call: &Call, p: AtPath) -> Result<Reply<Value>, Error> {
    let acl = caller(active, call).await?.ok_or_else(Error::unauthenticated)?;
    let path = format!("{}/", p.path.trim_matches('/'));
    let refused = || {
        Error::new(
            Kind::Denied,
            format!(
                "preflight capability check returned 403, please ensure client's policies grant access to path \"{path}\""
            ),
        )
    };
    let route = active.mounts.route(path.trim_end_matches('/')).ok_or_else(refused)?;
    if !acl.reaches_into(&route.point.path) {
        return Err(refused());
    }
    let own = route.point.path.strip_prefix(route.class.prefix()).unwrap_or(&route.point.path);
    let entry = active.mounts.entry(route.class, own).ok_or_else(refused)?;
    let mut shown = serde_json::to_value(entry.shown()).map_err(Error::internal)?;
    if let Value::Object(members) = &mut shown {
        members.insert("path".to_owned(), entry.path.clone().into());
    }
    Ok(Reply::data(shown))
}
