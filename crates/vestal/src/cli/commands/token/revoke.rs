//! `vestal token revoke`.

use clap::Args;
use http::Method;
use serde_json::json;
use vestal_client::Ask;
use vestal_crypto::SecretString;

use crate::cli::commands::{Run, given_or_none, tidy};
use crate::cli::failure::{Failure, Outcome};
use crate::cli::flags::secret;
use crate::cli::session::Session;

#[derive(Args, Debug)]
pub(crate) struct Revoke {
    /// The argument is an accessor.
    #[arg(long)]
    accessor: bool,
    /// orphan: leave the token's children alive; path: revoke all tokens of an auth path.
    #[arg(long, value_name = "MODE")]
    mode: Option<String>,
    /// Revoke the token in use.
    #[arg(long = "self")]
    own: bool,
    /// The token, accessor or path; - reads it from standard input.
    #[arg(value_parser = secret)]
    token: Option<SecretString>,
}

impl Run for Revoke {
    async fn run(mut self, session: &mut Session<'_>) -> Outcome {
        self.token = given_or_none(session, self.token)?;
        let ask = self.ask()?;
        let revoked = session.api()?.send(ask).await;
        revoked.map_err(|error| session.failed("Error revoking token", &error))?;
        session.world.out("Success! Revoked token (if it existed)");
        Ok(0)
    }
}

impl Revoke {
    fn ask(&self) -> Result<Ask, Failure> {
        let wrong = |text: &str| Err(Failure::local(text));
        let Some(token) = &self.token else {
            return match (self.own, self.accessor, &self.mode) {
                (false, ..) => wrong("Not enough arguments (expected 1 or -self, got 0)"),
                (true, true, _) => wrong("Cannot use -self with -accessor!"),
                (true, false, Some(_)) => wrong("Cannot use -self with -mode!"),
                (true, false, None) => Ok(Ask::new(Method::PUT, "auth/token/revoke-self")),
            };
        };
        if self.own {
            return wrong("Too many arguments with -self (expected 0, got 1)");
        }
        let token = token.expose();
        match (self.mode.as_deref(), self.accessor) {
            (None, false) => Ok(Ask::put("auth/token/revoke", json!({ "token": token }))),
            (None, true) => Ok(Ask::post("auth/token/revoke-accessor", json!({ "accessor": token }))),
            (Some("orphan"), false) => Ok(Ask::put("auth/token/revoke-orphan", json!({ "token": token }))),
            (Some("path"), false) => {
                Ok(Ask::new(Method::PUT, format!("sys/leases/revoke-prefix/{}", tidy(token))))
            }
            (Some(mode @ ("orphan" | "path")), true) => {
                wrong(&format!("Cannot use -accessor with -mode={mode}!"))
            }
            (Some(mode), _) => wrong(&format!("Invalid mode: {mode}")),
        }
    }
}
