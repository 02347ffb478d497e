//! `vestal operator unseal`.

use clap::Args;
use vestal_client::Sys;
use vestal_crypto::SecretString;

use crate::cli::commands::Run;
use crate::cli::commands::status::show_status;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::flags::{FormatFlag, secret};
use crate::cli::session::Session;

#[derive(Args, Debug)]
pub(crate) struct Unseal {
    #[command(flatten)]
    format: FormatFlag,
    /// The key is handed in for a change of the seal.
    #[arg(long)]
    migrate: bool,
    /// Forget the keys handed in so far.
    #[arg(long)]
    reset: bool,
    /// The key, or - for standard input; asked for when absent, which is better: arguments are seen by others.
    #[arg(value_parser = secret)]
    key: Option<SecretString>,
}

impl Run for Unseal {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        let format = self.format.format(&session.world.environment)?;
        let api = session.api()?;
        let status = if self.reset {
            let reset = Sys(&api).reset_unseal().await;
            reset.map_err(|error| session.failed("Error resetting unseal process", &error))?
        } else {
            let key = match self.key {
                Some(key) if key.expose() != "-" => key,
                _ => ask(session)?,
            };
            let unsealed = Sys(&api).unseal(&key, self.migrate).await;
            unsealed.map_err(|error| session.failed("Error unsealing", &error))?
        };
        show_status(session, &api, &status, format).await
    }
}

/// From the terminal without echo, or from standard input.
fn ask(session: &mut Session<'_>) -> Result<SecretString, Failure> {
    if session.http.non_interactive && session.world.stdin_is_terminal {
        return Err(Failure::local("The key is missing and -non-interactive forbids to ask for it"));
    }
    let key = session.world.secret("Unseal Key (will be hidden): ");
    let key = key.map_err(|error| Failure::local(format!("Cannot ask for the unseal key: {error}")))?;
    if key.is_empty() {
        let next = "Run this on a terminal to be asked for the key, or write the key to standard input";
        return Err(Failure::local("No unseal key was given").then(next));
    }
    Ok(key)
}
