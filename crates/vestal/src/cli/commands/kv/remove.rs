//! `vestal kv delete`, `undelete` and `destroy`.

use clap::Args;
use serde_json::json;

use super::Target;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::flags::OutputFlags;
use crate::cli::session::Session;

/// Versions of a secret, and what is to be printed of their change.
#[derive(Args, Debug)]
pub(crate) struct Chosen {
    #[command(flatten)]
    output: OutputFlags,
    /// The versions that are meant, such as 1,3.
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',')]
    versions: Vec<String>,
    #[command(flatten)]
    target: Target,
}

impl Chosen {
    pub(super) async fn delete(self, session: &mut Session<'_>) -> Outcome {
        let api = session.api()?;
        let (mount, key) = self.target.locate(session).await?;
        let path = mount.value(&key);
        let deleted = if mount.versioned && !self.versions.is_empty() {
            api.write(&mount.branch("delete", &key), json!({ "versions": self.versions })).await
        } else if self.versions.is_empty() {
            api.delete(&path, None).await
        } else {
            return Err(Failure::local(
                "-versions needs version 2 of the key/value engine, and this mount has version 1",
            ));
        };
        let secret = deleted.map_err(|error| session.failed(&format!("Error deleting {path}"), &error))?;
        let success = format!("Success! Data deleted (if it existed) at: {path}");
        session.show_or_say(secret.as_ref(), &self.output, &success)
    }

    /// Undeletes or destroys: both differ only in the branch that they write to.
    pub(super) async fn change(self, session: &mut Session<'_>, branch: &str, title: &str) -> Outcome {
        if self.versions.is_empty() {
            return Err(Failure::local(format!(
                "No versions provided, use the \"-versions\" flag to specify the version to {branch}."
            )));
        }
        let api = session.api()?;
        let (mount, key) = self.target.locate(session).await?;
        if !mount.versioned {
            return Err(Failure::local(format!("{title} not supported on KV Version 1")));
        }
        let path = mount.branch(branch, &key);
        let written = api.write(&path, json!({ "versions": self.versions })).await;
        let secret =
            written.map_err(|error| session.failed(&format!("Error writing data to {path}"), &error))?;
        let success = format!("Success! Data written to: {path}");
        session.show_or_say(secret.as_ref(), &self.output, &success)
    }
}
