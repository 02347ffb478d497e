//! `vestal kv rollback`.

use clap::Args;
use serde_json::{Map, Value, json};
use vestal_client::Kv;

use super::{Target, nothing_at, version_of};
use crate::cli::commands::Run;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::flags::{FormatFlag, OutputFlags};
use crate::cli::session::Session;

#[derive(Args, Debug)]
pub(crate) struct Rollback {
    #[command(flatten)]
    format: FormatFlag,
    /// The version that shall be current again.
    #[arg(long, value_name = "NUMBER")]
    version: Option<u64>,
    #[command(flatten)]
    target: Target,
}

impl Run for Rollback {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        let version = self.version.ok_or_else(|| Failure::local("Version flag must be specified"))?;
        if version == 0 {
            return Err(Failure::local("-version must be greater than 0"));
        }
        let api = session.api()?;
        let (mount, key) = self.target.locate(session).await?;
        if !mount.versioned {
            return Err(Failure::remote("K/V engine mount must be version 2 for rollback support"));
        }
        let path = mount.value(&key);
        let reading = format!("Error doing pre-read at {path}");
        let current = Kv(&api).read(&mount, &key, None).await;
        let current = current.map_err(|error| session.failed(&reading, &error))?;
        let current = current.as_ref().and_then(version_of).ok_or_else(|| nothing_at(&path))?;
        let old = Kv(&api).read(&mount, &key, Some(version)).await;
        let old = old.map_err(|error| session.failed(&reading, &error))?.ok_or_else(|| nothing_at(&path))?;
        let data = old.field("data").and_then(Value::as_object).cloned();
        let data =
            data.ok_or_else(|| Failure::remote("Cannot roll back to a version that has been deleted"))?;
        // The version seen first must still be current: another's write is not undone unseen.
        let options = Map::from_iter([("cas".to_owned(), json!(current))]);
        let written = Kv(&api).write(&mount, &key, data, options).await;
        let secret =
            written.map_err(|error| session.failed(&format!("Error writing data to {path}"), &error))?;
        let flags = OutputFlags { format: self.format, field: None };
        session.show_or_say(secret.as_ref(), &flags, &format!("Success! Data written to: {path}"))
    }
}
