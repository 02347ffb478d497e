//! `vestal policy`.

use clap::{Args, Subcommand};
use serde_json::json;
use vestal_client::{Ask, Sys};

use super::Run;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::flags::FormatFlag;
use crate::cli::output::{self, Format};
use crate::cli::policy_layout;
use crate::cli::session::Session;

/// Policies: what tokens may do.
#[derive(Subcommand, Debug)]
pub(crate) enum Policy {
    /// Write a policy from a file.
    Write(Write),
    /// Show a policy.
    Read(Read),
    /// List the policies.
    List(List),
    /// Delete a policy.
    Delete(Delete),
    /// Lay out a policy file.
    Fmt(Fmt),
}

#[derive(Args, Debug)]
pub(crate) struct Write {
    /// The policy's name.
    name: String,
    /// The file with its rules, or - for standard input.
    file: String,
}

#[derive(Args, Debug)]
pub(crate) struct Read {
    #[command(flatten)]
    format: FormatFlag,
    /// The policy's name.
    name: String,
}

#[derive(Args, Debug)]
pub(crate) struct List {
    #[command(flatten)]
    format: FormatFlag,
}

#[derive(Args, Debug)]
pub(crate) struct Delete {
    /// The policy's name.
    name: String,
}

#[derive(Args, Debug)]
pub(crate) struct Fmt {
    /// The file, which is written anew.
    file: String,
}

impl Run for Policy {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        match self {
            Self::Write(command) => command.run(session).await,
            Self::Read(command) => command.run(session).await,
            Self::List(command) => command.run(session).await,
            Self::Delete(command) => command.run(session).await,
            Self::Fmt(command) => command.run(session).await,
        }
    }
}

/// Names are kept in lower case.
fn tidy_name(name: &str) -> String {
    name.trim().to_lowercase()
}

impl Run for Write {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        let name = tidy_name(&self.name);
        let rules = match self.file.as_str() {
            "-" => session.world.read_stdin(),
            file => std::fs::read_to_string(session.world.directory.join(file)),
        };
        let rules = rules.map_err(|error| {
            Failure::remote(format!("Error opening policy file: `{}`: {error}", self.file))
        })?;
        if name != self.name {
            session.world.err(&format!("Policy name was converted from \"{}\" to \"{name}\"", self.name));
        }
        let api = session.api()?;
        let written = Sys(&api).write_policy(&name, &rules).await;
        written.map_err(|error| session.failed("Error uploading policy", &error))?;
        session.world.out(&format!("Success! Uploaded policy: {name}"));
        Ok(0)
    }
}

impl Run for Read {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        let format = self.format.format(&session.world.environment)?;
        let name = tidy_name(&self.name);
        let found = session.api()?.read(&format!("sys/policies/acl/{name}"), None).await;
        let found =
            found.map_err(|error| session.failed(&format!("Error reading policy named {name}"), &error))?;
        let rules = found.as_ref().and_then(|secret| secret.text("policy")).filter(|rules| !rules.is_empty());
        let rules = rules.ok_or_else(|| Failure::remote(format!("No policy named: {name}")))?;
        let text = match format {
            Format::Table => rules.trim().to_owned(),
            _ => output::structured(format, &json!({ "policy": rules })),
        };
        session.world.out(&text);
        Ok(0)
    }
}

impl Run for List {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        let format = self.format.format(&session.world.environment)?;
        let listed = session.api()?.list("sys/policies/acl", None).await;
        let listed = listed.map_err(|error| session.failed("Error listing policies", &error))?;
        let names = listed.and_then(|secret| secret.keys()).unwrap_or_default();
        let text = match format {
            Format::Table => names.join("\n"),
            _ => output::structured(format, &names),
        };
        session.world.out(&text);
        Ok(0)
    }
}

impl Run for Delete {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        let name = tidy_name(&self.name);
        let deleted = session.api()?.send(Ask::delete(format!("sys/policies/acl/{name}"))).await;
        deleted.map_err(|error| session.failed(&format!("Error deleting {name}"), &error))?;
        session.world.out(&format!("Success! Deleted policy: {name}"));
        Ok(0)
    }
}

impl Run for Fmt {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        let file = session.world.directory.join(&self.file);
        let rules = std::fs::read_to_string(&file).map_err(|error| {
            Failure::local(format!("Error reading source file: `{}`: {error}", self.file))
        })?;
        let laid_out = policy_layout::lay_out(&rules)
            .map_err(|error| Failure::local(format!("failed to parse policy: {error}")))?;
        std::fs::write(&file, laid_out)
            .map_err(|error| Failure::local(format!("Error writing result: `{}`: {error}", self.file)))?;
        session.world.out(&format!("Success! Formatted policy: {}", self.file));
        Ok(0)
    }
}
