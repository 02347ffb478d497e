//! kv with versions (core §2.4, §3.7): check-and-set, soft deletion, destruction, metadata.
//!
//! A secret is one metadata record and one record per version, changed in one batch that expects the metadata
//! unchanged: numbers are never given twice, and a version is never visible without its metadata.

mod config;
mod data;
mod metadata;
mod record;
mod subkeys;
mod upgrade;
mod versions;

use std::sync::Arc;

use serde_json::Value;
use vestal_logical::params::{Fields, NoFields};
use vestal_logical::{Call, Endpoints, Engine, Error, MountContext, Operation, Reply};
use vestal_storage::{Place, Stamped, View};

use record::{Config, Metadata};

/// One mount.
pub(crate) struct Kv2 {
    view: View,
}

impl Engine for Kv2 {
    fn endpoints() -> Endpoints<Self> {
        Endpoints::new()
            .and(config::endpoints())
            .and(data::endpoints())
            .and(versions::endpoints())
            .and(metadata::endpoints())
            .and(subkeys::endpoints())
            .at("data", "Versions of secrets.", no_name)
            .at("data/", "Versions of secrets.", |e| e.read(nothing, "Nothing lies here."))
            .at("metadata", "Metadata of secrets.", no_name)
            .at("delete", "Deleting versions.", no_name)
            .at("delete/", "Deleting versions.", |e| e)
            .at("undelete", "Undeleting versions.", no_name)
            .at("undelete/", "Undeleting versions.", |e| e)
            .at("destroy", "Destroying versions.", no_name)
            .at("destroy/", "Destroying versions.", |e| e)
            .at("subkeys/", "The shapes of secrets.", |e| e)
            .at("", "A mount of versioned secrets.", every)
            .at("{*path}", "Not a path of versioned secrets.", every)
    }

    /// Secrets that were written without versions become version 1 of themselves.
    async fn open(mount: MountContext) -> Result<Self, Error> {
        let kv = Self { view: mount.view };
        upgrade::upgrade(&kv.view, mount.clock.now()).await?;
        Ok(kv)
    }
}

/// Answers every operation on a path that only kv without versions has.
fn every(endpoint: vestal_logical::Endpoint<Kv2>) -> vestal_logical::Endpoint<Kv2> {
    endpoint
        .read(wrong_path, "Explain that secrets lie below data/.")
        .list(wrong_path, "Explain that names lie below metadata/.")
        .write(wrong_path, "Explain that secrets lie below data/.")
        .patch(wrong_path, "Explain that secrets lie below data/.")
        .delete(wrong_path, "Explain that secrets lie below data/.")
}

async fn wrong_path(_: &Arc<Kv2>, call: &Call, _: Fields) -> Result<Reply<Value>, Error> {
    let command = match call.operation {
        Operation::List => "list",
        Operation::Create | Operation::Update => "put",
        Operation::Patch => "patch",
        Operation::Delete => "delete",
        _ => "get",
    };
    Err(Error::not_found().warn(format!(
        "Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints to use. \
         If using the OpenBao CLI, use 'bao kv {command}' for this operation."
    )))
}

/// Answers what needs the name of a secret and has none.
fn no_name(endpoint: vestal_logical::Endpoint<Kv2>) -> vestal_logical::Endpoint<Kv2> {
    const NOTHING: &str = "Nothing lies here.";
    endpoint.read(root, NOTHING).write(root, NOTHING).patch(root, NOTHING).delete(root, NOTHING)
}

async fn nothing(_: &Arc<Kv2>, _: &Call, _: NoFields) -> Result<Reply<Value>, Error> {
    Ok(Reply::empty())
}

async fn root(_: &Arc<Kv2>, _: &Call, _: Fields) -> Result<Reply<Value>, Error> {
    Err(Error::not_found().warn("Non-listing operations on the root of a K/V v2 mount are not supported."))
}

/// Where a secret's metadata lies.
fn meta_place(path: &str) -> Place {
    meta_root().path(path)
}

fn meta_root() -> Place {
    Place::root().plain("meta")
}

/// Where one version of a secret lies.
fn version_place(path: &str, version: u64) -> Place {
    Place::root().plain("version").path(path).plain(format!("{version:016x}"))
}

fn config_place() -> Place {
    Place::root().plain("config")
}

impl Kv2 {
    async fn config(&self) -> Result<Config, Error> {
        Ok(self.view.get::<Config>(&config_place()).await?.map(|stored| stored.value).unwrap_or_default())
    }

    async fn metadata(&self, path: &str) -> Result<Option<Stamped<Metadata>>, Error> {
        Ok(self.view.get::<Metadata>(&meta_place(path)).await?)
    }
}
