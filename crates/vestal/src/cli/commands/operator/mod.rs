//! `vestal operator`.

mod compact;
mod init;
mod unseal;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use vestal_client::{Ask, Sys};

use super::Run;
use crate::cli::failure::Outcome;
use crate::cli::flags::FormatFlag;
use crate::cli::output::{self, Format, Ordered};
use crate::cli::session::Session;

/// The server's own life: initialise, unseal, seal.
#[derive(Subcommand, Debug)]
pub(crate) enum Operator {
    /// Initialise a new server and show its keys.
    Init(init::Init),
    /// Hand in a key of a sealed server.
    Unseal(unseal::Unseal),
    /// Seal the server: nothing is served until it is unsealed.
    Seal(Seal),
    /// Show the present encryption key's number and age.
    KeyStatus(KeyStatus),
    /// Rewrite a store that no server uses.
    Compact(compact::Compact),
}

#[derive(Args, Debug)]
pub(crate) struct Seal {}

#[derive(Args, Debug)]
pub(crate) struct KeyStatus {
    #[command(flatten)]
    format: FormatFlag,
}

impl Run for Operator {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        match self {
            Self::Init(command) => command.run(session).await,
            Self::Unseal(command) => command.run(session).await,
            Self::Seal(command) => command.run(session).await,
            Self::KeyStatus(command) => command.run(session).await,
            Self::Compact(command) => command.run(session).await,
        }
    }
}

impl Run for Seal {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        let api = session.api()?;
        Sys(&api).seal().await.map_err(|error| session.failed("Error sealing", &error))?;
        session.world.out("Success! Vestal is sealed.");
        Ok(0)
    }
}

impl Run for KeyStatus {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        let format = self.format.format(&session.world.environment)?;
        let api = session.api()?;
        let status = Sys(&api).data(Ask::get("sys/key-status")).await;
        let status = status.map_err(|error| session.failed("Error reading key status", &error))?;
        let order =
            [("term", Some(json!(0))), ("install_time", Some(Value::Null)), ("encryptions", Some(json!(0)))];
        let text = |key: &str| status.get(key).map(output::shown).unwrap_or_default();
        let shown = match format {
            Format::Table => output::columns(&[
                vec!["Key Term".to_owned(), text("term")],
                vec!["Install Time".to_owned(), short_date(&text("install_time"))],
                vec!["Encryption Count".to_owned(), text("encryptions")],
            ]),
            _ => output::structured(format, &Ordered::of(&status, &order)),
        };
        session.world.out(&shown);
        Ok(0)
    }
}

/// `24 Nov 26 11:03 UTC`; a text that is no instant stays.
fn short_date(text: &str) -> String {
    match text.parse::<jiff::Timestamp>() {
        Ok(instant) => instant.strftime("%d %b %y %H:%M UTC").to_string(),
        Err(_) => text.to_owned(),
    }
}
