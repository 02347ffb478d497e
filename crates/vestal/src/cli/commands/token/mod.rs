//! `vestal token`.

mod capabilities;
mod create;
mod revoke;

use clap::{Args, Subcommand};
use serde_json::json;
use vestal_client::Ask;
use vestal_crypto::SecretString;

use super::{Run, given_or_none};
use crate::cli::duration::GoDuration;
use crate::cli::failure::{About, Failure, Outcome};
use crate::cli::flags::{OutputFlags, secret};
use crate::cli::session::Session;

/// Tokens: create, look up, renew, revoke.
#[derive(Subcommand, Debug)]
pub(crate) enum Token {
    /// Create a token.
    Create(Box<create::Create>),
    /// Show what a token is; without an argument, the one in use.
    Lookup(Lookup),
    /// Make a token last longer; without an argument, the one in use.
    Renew(Renew),
    /// End a token and those created with it.
    Revoke(revoke::Revoke),
    /// Show what a token may do at a path.
    Capabilities(capabilities::Capabilities),
}

#[derive(Args, Debug)]
pub(crate) struct Lookup {
    #[command(flatten)]
    output: OutputFlags,
    /// The argument is an accessor.
    #[arg(long)]
    accessor: bool,
    /// The token or accessor; - reads it from standard input.
    #[arg(value_parser = secret)]
    token: Option<SecretString>,
}

#[derive(Args, Debug)]
pub(crate) struct Renew {
    #[command(flatten)]
    output: OutputFlags,
    /// The argument is an accessor.
    #[arg(long)]
    accessor: bool,
    /// How much longer.
    #[arg(long, short, value_name = "DURATION")]
    increment: Option<GoDuration>,
    /// The token or accessor; - reads it from standard input.
    #[arg(value_parser = secret)]
    token: Option<SecretString>,
}

impl Run for Token {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        match self {
            Self::Create(command) => command.run(session).await,
            Self::Lookup(command) => command.run(session).await,
            Self::Renew(command) => command.run(session).await,
            Self::Revoke(command) => command.run(session).await,
            Self::Capabilities(command) => command.run(session).await,
        }
    }
}

fn accessor_is_missing() -> Failure {
    Failure::local("Not enough arguments with -accessor (expected 1, got 0)")
}

impl Run for Lookup {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        let token = given_or_none(session, self.token)?;
        let ask = match (&token, self.accessor) {
            (None, true) => return Err(accessor_is_missing()),
            (None, false) => Ask::get("auth/token/lookup-self"),
            (Some(token), false) => Ask::post("auth/token/lookup", json!({ "token": token.expose() })),
            (Some(accessor), true) => {
                Ask::post("auth/token/lookup-accessor", json!({ "accessor": accessor.expose() }))
            }
        };
        let about = about(token.is_some());
        send_and_show(session, ask, about, "Error looking up token", &self.output).await
    }
}

impl Run for Renew {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        let increment = self.increment.unwrap_or_default().seconds();
        let token = given_or_none(session, self.token)?;
        let ask = match (&token, self.accessor) {
            (None, true) => return Err(accessor_is_missing()),
            (None, false) => Ask::put("auth/token/renew-self", json!({ "increment": increment })),
            (Some(token), false) => {
                Ask::put("auth/token/renew", json!({ "increment": increment, "token": token.expose() }))
            }
            (Some(accessor), true) => {
                let body = json!({ "increment": increment, "accessor": accessor.expose() });
                Ask::post("auth/token/renew-accessor", body)
            }
        };
        let about = about(token.is_some());
        send_and_show(session, ask, about, "Error renewing token", &self.output).await
    }
}

fn about(other: bool) -> About {
    if other { About::GivenToken } else { About::OwnToken }
}

async fn send_and_show(
    session: &mut Session<'_>,
    ask: Ask,
    about: About,
    doing: &str,
    output: &OutputFlags,
) -> Outcome {
    let answer = session.api()?.send(ask.wrapped()).await;
    let answer = answer.map_err(|error| session.failed_about(about, doing, &error))?;
    let secret = answer.secret().ok_or_else(|| Failure::remote(format!("{doing}: the answer is empty")))?;
    session.show(&secret, output)
}
