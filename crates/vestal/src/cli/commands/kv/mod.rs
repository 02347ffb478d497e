//! `vestal kv`: the same commands for both versions of the key/value engine, found out by asking first.

mod get;
mod list;
mod metadata;
mod patch;
mod put;
mod remove;
mod rollback;

use clap::{Args, Subcommand};
use serde_json::{Map, Value};
use vestal_client::{Kv as KvApi, KvMount, Secret};

use super::Run;
use super::secrets::tune::{to_version_two, tune};
use crate::cli::failure::{Failure, Outcome};
use crate::cli::flags::OutputFlags;
use crate::cli::output::{self, Format};
use crate::cli::session::Session;

/// Key/value secrets.
#[derive(Subcommand, Debug)]
pub(crate) enum Kv {
    /// Write a secret.
    Put(put::Put),
    /// Read a secret.
    Get(get::Get),
    /// Change some fields of a secret.
    Patch(patch::Patch),
    /// List the secrets below a path.
    List(list::List),
    /// Delete the current version, or those named.
    Delete(remove::Chosen),
    /// Bring deleted versions back.
    Undelete(remove::Chosen),
    /// Destroy versions for good.
    Destroy(remove::Chosen),
    /// Make an old version the current one.
    Rollback(rollback::Rollback),
    /// What is kept about a secret and its versions.
    #[command(subcommand)]
    Metadata(metadata::Metadata),
    /// Turn a version 1 engine into version 2.
    EnableVersioning(EnableVersioning),
}

#[derive(Args, Debug)]
pub(crate) struct EnableVersioning {
    /// Where the engine is.
    path: String,
}

/// Which secret is meant.
#[derive(Args, Debug)]
pub(super) struct Target {
    /// Where the engine is; else it is the beginning of the key.
    #[arg(long, value_name = "PATH")]
    mount: Option<String>,
    /// The secret.
    key: String,
}

impl Target {
    /// The mount and the key below it.
    pub(super) async fn locate(&self, session: &mut Session<'_>) -> Result<(KvMount, String), Failure> {
        locate(session, self.mount.as_deref(), &self.key).await
    }
}

/// The mount and the key below it.
async fn locate(
    session: &mut Session<'_>,
    mount: Option<&str>,
    key: &str,
) -> Result<(KvMount, String), Failure> {
    let key = key.trim().trim_matches('/');
    let api = &session.asking_first()?;
    let located = match mount {
        Some(mount) => KvApi(api).mount(mount).await.map(|mount| (mount, key.to_owned())),
        None => KvApi(api).locate(key).await,
    };
    located.map_err(|error| session.failed("", &error))
}

impl Run for Kv {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        match self {
            Self::Put(command) => command.run(session).await,
            Self::Get(command) => command.run(session).await,
            Self::Patch(command) => command.run(session).await,
            Self::List(command) => command.run(session).await,
            Self::Delete(chosen) => chosen.delete(session).await,
            Self::Undelete(chosen) => chosen.change(session, "undelete", "Undelete").await,
            Self::Destroy(chosen) => chosen.change(session, "destroy", "Destroy").await,
            Self::Rollback(command) => command.run(session).await,
            Self::Metadata(command) => command.run(session).await,
            Self::EnableVersioning(command) => tune(session, &command.path, to_version_two()).await,
        }
    }
}

/// Writes what a new version's write gave: its path and metadata for people, the envelope for programs.
fn show_version(
    session: &mut Session<'_>,
    secret: Option<&Secret>,
    flags: &OutputFlags,
    path: &str,
) -> Outcome {
    let format = flags.format.format(&session.world.environment)?;
    let Some(secret) = secret else {
        return session.say(&flags.format, &format!("Success! Data written to: {path}"));
    };
    let data = secret.data.as_ref().filter(|_| secret.wrap_info.is_none());
    match data {
        Some(metadata) if format == Format::Table && flags.field.is_none() => {
            if let Some(warnings) = output::warnings(secret) {
                session.world.err(&warnings);
            }
            session.world.out(&format!(
                "{}\n\n{}",
                path_section("Secret Path", path),
                section("Metadata", metadata)
            ));
            Ok(0)
        }
        _ => session.show(secret, flags),
    }
}

/// A title over a path.
fn path_section(title: &str, path: &str) -> String {
    format!("{}\n{path}", output::padded_title(title, path.len()))
}

/// A title over a table of fields.
fn section(title: &str, fields: &Map<String, Value>) -> String {
    let rows = fields.iter().map(|(key, value)| (key.clone(), output::shown(value))).collect();
    format!("{}\n{}", output::section_title(title, fields), output::key_value(rows))
}

/// The version of a secret that was read.
fn version_of(secret: &Secret) -> Option<u64> {
    secret.field("metadata")?.get("version")?.as_u64()
}

fn nothing_at(path: &str) -> Failure {
    Failure::remote(format!("No value found at {path}"))
}
