//! `vestal kv metadata`.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use vestal_client::KvMount;

use super::{Target, nothing_at, path_section, section};
use crate::cli::commands::Run;
use crate::cli::duration::GoDuration;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::flags::{FormatFlag, OutputFlags, key_values};
use crate::cli::output::{self, Format};
use crate::cli::session::Session;

#[derive(Subcommand, Debug)]
pub(crate) enum Metadata {
    /// Show what is kept about a secret.
    Get(Get),
    /// Set it.
    Put(Put),
    /// Change some of it.
    Patch(Patch),
    /// Delete a secret with all its versions.
    Delete(Delete),
}

#[derive(Args, Debug)]
pub(crate) struct Get {
    #[command(flatten)]
    format: FormatFlag,
    #[command(flatten)]
    target: Target,
}

#[derive(Args, Debug)]
pub(crate) struct Put {
    #[command(flatten)]
    format: FormatFlag,
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    target: Target,
}

#[derive(Args, Debug)]
pub(crate) struct Patch {
    #[command(flatten)]
    format: FormatFlag,
    #[command(flatten)]
    settings: Settings,
    /// A note to remove; may be repeated.
    #[arg(long, value_name = "KEY")]
    remove_custom_metadata: Vec<String>,
    #[command(flatten)]
    target: Target,
}

#[derive(Args, Debug)]
pub(crate) struct Delete {
    #[command(flatten)]
    target: Target,
}

#[derive(Args, Debug)]
struct Settings {
    /// Whether each write must name the version it expects.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    cas_required: Option<bool>,
    /// How many versions are kept.
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    max_versions: Option<i64>,
    /// After how long a version is deleted.
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    delete_version_after: Option<GoDuration>,
    /// A note about the secret; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    custom_metadata: Vec<String>,
}

impl Settings {
    /// Only what was given.
    fn body(&self) -> Result<Map<String, Value>, Failure> {
        let mut body = Map::new();
        if let Some(required) = self.cas_required {
            body.insert("cas_required".to_owned(), json!(required));
        }
        if let Some(most) = self.max_versions.filter(|most| *most >= 0) {
            body.insert("max_versions".to_owned(), json!(most));
        }
        if let Some(after) = self.delete_version_after.filter(|after| after.seconds() >= 0) {
            body.insert("delete_version_after".to_owned(), json!(after.to_string()));
        }
        if !self.custom_metadata.is_empty() {
            body.insert(
                "custom_metadata".to_owned(),
                key_values("custom-metadata", &self.custom_metadata)?.into(),
            );
        }
        Ok(body)
    }
}

impl Run for Metadata {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        match self {
            Self::Get(command) => command.run(session).await,
            Self::Put(command) => command.run(session).await,
            Self::Patch(command) => command.run(session).await,
            Self::Delete(command) => command.run(session).await,
        }
    }
}

/// The metadata path of a key; version 1 has none.
async fn place(session: &mut Session<'_>, target: &Target) -> Result<(KvMount, String), Failure> {
    let (mount, key) = target.locate(session).await?;
    if !mount.versioned {
        return Err(Failure::local("Metadata not supported on KV Version 1"));
    }
    let path = mount.branch("metadata", &key);
    Ok((mount, path))
}

impl Run for Get {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        let format = self.format.format(&session.world.environment)?;
        let api = session.api()?;
        let (_, path) = place(session, &self.target).await?;
        let found = api.read(&path, None).await;
        let found = found.map_err(|error| session.failed(&format!("Error reading {path}"), &error))?;
        let secret = found.ok_or_else(|| nothing_at(&path))?;
        if format != Format::Table || secret.wrap_info.is_some() {
            return session.show(&secret, &OutputFlags { format: self.format, field: None });
        }
        if let Some(warnings) = output::warnings(&secret) {
            session.world.err(&warnings);
        }
        let mut metadata = secret.data.ok_or_else(|| nothing_at(&path))?;
        let versions = metadata.remove("versions").unwrap_or_default();
        let mut versions: Vec<(u64, &Map<String, Value>)> = versions
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(number, version)| Some((number.parse().ok()?, version.as_object()?)))
            .collect();
        versions.sort_by_key(|(number, _)| *number);
        let mut sections = vec![path_section("Metadata Path", &path), section("Metadata", &metadata)];
        sections.extend(
            versions.into_iter().map(|(number, version)| section(&format!("Version {number}"), version)),
        );
        session.world.out(&sections.join("\n\n"));
        Ok(0)
    }
}

impl Run for Put {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        let body = self.settings.body()?;
        let api = session.api()?;
        let (_, path) = place(session, &self.target).await?;
        let written = api.write(&path, body.into()).await;
        let secret =
            written.map_err(|error| session.failed(&format!("Error writing data to {path}"), &error))?;
        let flags = OutputFlags { format: self.format, field: None };
        session.show_or_say(secret.as_ref(), &flags, &format!("Success! Data written to: {path}"))
    }
}

impl Run for Patch {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        let mut body = self.settings.body()?;
        let notes = body.entry("custom_metadata").or_insert_with(|| json!({}));
        if let Some(notes) = notes.as_object_mut() {
            notes.extend(self.remove_custom_metadata.iter().map(|key| (key.clone(), Value::Null)));
        }
        let api = session.api()?;
        let (_, path) = place(session, &self.target).await?;
        let written = api.patch(&path, body.into()).await;
        let secret =
            written.map_err(|error| session.failed(&format!("Error writing data to {path}"), &error))?;
        let flags = OutputFlags { format: self.format, field: None };
        session.show_or_say(secret.as_ref(), &flags, &format!("Success! Data written to: {path}"))
    }
}

impl Run for Delete {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        let api = session.api()?;
        let (_, path) = place(session, &self.target).await?;
        let deleted = api.delete(&path, None).await;
        deleted.map_err(|error| session.failed(&format!("Error deleting {path}"), &error))?;
        session.world.out(&format!("Success! Data deleted (if it existed) at: {path}"));
        Ok(0)
    }
}
