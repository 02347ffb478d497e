//! `vestal kv get`.

use clap::Args;
use serde_json::Value;
use vestal_client::Kv;

use super::{Target, nothing_at, path_section, section};
use crate::cli::commands::Run;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::flags::OutputFlags;
use crate::cli::output::{self, Format};
use crate::cli::session::Session;

#[derive(Args, Debug)]
pub(crate) struct Get {
    #[command(flatten)]
    output: OutputFlags,
    /// An old version.
    #[arg(long, value_name = "NUMBER")]
    version: Option<u64>,
    #[command(flatten)]
    target: Target,
}

impl Run for Get {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        let format = self.output.format.format(&session.world.environment)?;
        let api = session.api()?;
        let (mount, key) = self.target.locate(session).await?;
        let path = mount.value(&key);
        let version = self.version.filter(|version| mount.versioned && *version > 0);
        let found = Kv(&api).read(&mount, &key, version).await;
        let found = found.map_err(|error| session.failed(&format!("Error reading {path}"), &error))?;
        let secret = found.ok_or_else(|| nothing_at(&path))?;
        let metadata = secret.field("metadata").and_then(Value::as_object).filter(|_| mount.versioned);
        let plain = secret.wrap_info.is_some() || (format != Format::Table && self.output.field.is_none());
        if plain || (!mount.versioned && self.output.field.is_some()) {
            return session.show(&secret, &self.output);
        }
        if let Some(name) = &self.output.field {
            let inner = secret.field("data").and_then(Value::as_object);
            let value = inner.and_then(|data| output::named(data, name, format));
            let whole =
                inner.filter(|_| name == "data").map(|data| output::written(&data.clone().into(), format));
            let missing = || Failure::local(format!("Field \"{name}\" not present in map"));
            session.world.out_raw(&value.or(whole).ok_or_else(missing)?);
            return Ok(0);
        }
        if let Some(warnings) = output::warnings(&secret) {
            session.world.err(&warnings);
        }
        let data = if mount.versioned {
            secret.field("data").and_then(Value::as_object)
        } else {
            secret.data.as_ref()
        };
        let mut sections = Vec::new();
        if mount.versioned {
            let metadata = metadata.ok_or_else(|| nothing_at(&path))?;
            sections.push(path_section("Secret Path", &path));
            sections.push(section("Metadata", metadata));
        }
        sections.extend(data.map(|data| section("Data", data)));
        session.world.out(&sections.join("\n\n"));
        if data.is_none() {
            // A version that was deleted: the place of its data stays empty.
            session.world.out("");
        }
        Ok(0)
    }
}
