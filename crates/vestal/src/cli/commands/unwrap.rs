//! `vestal unwrap`.

use clap::Args;
use vestal_client::Sys;
use vestal_crypto::SecretString;

use super::{Run, given_or_none};
use crate::cli::failure::{Failure, Outcome};
use crate::cli::flags::{OutputFlags, secret};
use crate::cli::session::Session;

/// Open a wrapped answer; without a token, the one the current token wraps.
#[derive(Args, Debug)]
pub(crate) struct Unwrap {
    #[command(flatten)]
    output: OutputFlags,
    /// The wrapping token, or - for standard input.
    #[arg(value_parser = secret)]
    token: Option<SecretString>,
}

impl Run for Unwrap {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        let token = given_or_none(session, self.token)?;
        let api = session.api()?;
        let unwrapped = Sys(&api).unwrap(token.as_ref()).await;
        match unwrapped.map_err(|error| session.failed("Error unwrapping", &error))? {
            Some(secret) => session.show(&secret, &self.output),
            None => Err(Failure::remote("Could not find wrapped response")),
        }
    }
}
