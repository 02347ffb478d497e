//! `vestal kv delete`, `undelete` and `destroy`.

use clap::Args;
use serde_json::json;

use super::Target;
use crate::cli::commands::Run;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::flags::OutputFlags;
use crate::cli::session::Session;

#[derive(Args, Debug)]
pub(crate) struct Delete {
    #[command(flatten)]
    output: OutputFlags,
    /// The versions to delete, such as 1,3.
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',')]
    versions: Vec<String>,
    #[command(flatten)]
    target: Target,
}

#[derive(Args, Debug)]
pub(crate) struct Undelete {
    #[command(flatten)]
    output: OutputFlags,
    /// The versions to bring back, such as 1,3.
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',')]
    versions: Vec<String>,
    #[command(flatten)]
    target: Target,
}

#[derive(Args, Debug)]
pub(crate) struct Destroy {
    #[command(flatten)]
    output: OutputFlags,
    /// The versions to destroy, such as 1,3.
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',')]
    versions: Vec<String>,
    #[command(flatten)]
    target: Target,
}

impl Run for Delete {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
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
}

impl Run for Undelete {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        let Self { output, versions, target } = self;
        change(session, "undelete", "Undelete", &versions, &target, &output).await
    }
}

impl Run for Destroy {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        let Self { output, versions, target } = self;
        change(session, "destroy", "Destroy", &versions, &target, &output).await
    }
}

/// Both differ only in the branch that they write to.
async fn change(
    session: &mut Session<'_>,
    branch: &str,
    title: &str,
    versions: &[String],
    target: &Target,
    output: &OutputFlags,
) -> Outcome {
    if versions.is_empty() {
        let text =
            format!("No versions provided, use the \"-versions\" flag to specify the version to {branch}.");
        return Err(Failure::local(text));
    }
    let api = session.api()?;
    let (mount, key) = target.locate(session).await?;
    if !mount.versioned {
        return Err(Failure::local(format!("{title} not supported on KV Version 1")));
    }
    let path = mount.branch(branch, &key);
    let written = api.write(&path, json!({ "versions": versions })).await;
    let secret = written.map_err(|error| session.failed(&format!("Error writing data to {path}"), &error))?;
    session.show_or_say(secret.as_ref(), output, &format!("Success! Data written to: {path}"))
}
