//! `vestal secrets`.

mod enable;
mod list;
pub(crate) mod tune;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use vestal_client::{Ask, Sys};

use super::{Run, tidy};
use crate::cli::failure::{Failure, Outcome};
use crate::cli::session::Session;

/// Secrets engines: enable, list, tune, move, disable.
#[derive(Subcommand, Debug)]
pub(crate) enum Secrets {
    /// Enable a secrets engine.
    Enable(Box<enable::Enable>),
    /// Disable a secrets engine and delete what it keeps.
    Disable(Disable),
    /// List the secrets engines.
    List(list::List),
    /// Change the settings of a secrets engine.
    Tune(Box<tune::Tune>),
    /// Move a secrets engine to another path.
    Move(Move),
}

#[derive(Args, Debug)]
pub(crate) struct Disable {
    /// Where the engine is.
    path: String,
}

#[derive(Args, Debug)]
pub(crate) struct Move {
    /// Where the engine is.
    source: String,
    /// Where it shall be.
    destination: String,
}

/// Settings of a mount that are given as lists of names.
#[derive(Args, Debug)]
pub(super) struct NameLists {
    /// Response header that the engine may set; may be repeated.
    #[arg(long, value_name = "NAME")]
    allowed_response_headers: Vec<String>,
    /// Request field that the audit log shows in the clear; may be repeated.
    #[arg(long, value_name = "NAME")]
    audit_non_hmac_request_keys: Vec<String>,
    /// Response field that the audit log shows in the clear; may be repeated.
    #[arg(long, value_name = "NAME")]
    audit_non_hmac_response_keys: Vec<String>,
    /// Request header that the engine sees; may be repeated.
    #[arg(long, value_name = "NAME")]
    passthrough_request_headers: Vec<String>,
}

impl NameLists {
    /// Adds those that were given.
    fn put_into(&self, config: &mut Map<String, Value>) {
        let lists = [
            ("allowed_response_headers", &self.allowed_response_headers),
            ("audit_non_hmac_request_keys", &self.audit_non_hmac_request_keys),
            ("audit_non_hmac_response_keys", &self.audit_non_hmac_response_keys),
            ("passthrough_request_headers", &self.passthrough_request_headers),
        ];
        for (name, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
            config.insert(name.to_owned(), json!(list));
        }
    }
}

impl Run for Secrets {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        match self {
            Self::Enable(command) => command.run(session).await,
            Self::Disable(command) => command.run(session).await,
            Self::List(command) => command.run(session).await,
            Self::Tune(command) => command.run(session).await,
            Self::Move(command) => command.run(session).await,
        }
    }
}

impl Run for Disable {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        let path = tidy(&self.path);
        let api = session.api()?;
        let disabled = Sys(&api).unmount(&path).await;
        disabled
            .map_err(|error| session.failed(&format!("Error disabling secrets engine at {path}/"), &error))?;
        session.world.out(&format!("Success! Disabled the secrets engine (if it existed) at: {path}/"));
        Ok(0)
    }
}

impl Run for Move {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        let (from, to) = (format!("{}/", tidy(&self.source)), format!("{}/", tidy(&self.destination)));
        let api = session.api()?;
        let moved = Sys(&api).data(Ask::post("sys/remount", json!({ "from": from, "to": to }))).await;
        let doing = format!("Error moving secrets engine {from} to {to}");
        let moved = moved.map_err(|error| session.failed(&doing, &error))?;
        let Some(id) = moved.get("migration_id").and_then(Value::as_str) else {
            session.world.out(&format!("Success! Moved secrets engine {from} to: {to}"));
            return Ok(0);
        };
        let what = format!("moving secrets engine {from} to {to}, with migration ID {id}");
        session.world.out(&format!("Started {what}"));
        loop {
            let status = Sys(&api).data(Ask::get(format!("sys/remount/status/{id}"))).await;
            let status = status.map_err(|error| session.failed("Error checking migration status", &error))?;
            let inner =
                status.get("migration_info").and_then(|info| info.get("status")).and_then(Value::as_str);
            match inner {
                Some("success") => break,
                Some("in-progress") => session.world.out(&format!("Waiting for the end of {what}")),
                _ => return Err(Failure::remote(format!("Failure {what}"))),
            }
            let clock = &session.world.clock;
            clock.sleep_until(clock.now().plus(std::time::Duration::from_secs(1))).await;
        }
        session.world.out(&format!("Success! Finished {what}"));
        Ok(0)
    }
}
