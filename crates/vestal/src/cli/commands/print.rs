//! `vestal print`.

use clap::{Args, Subcommand};

use super::Run;
use crate::cli::failure::Outcome;
use crate::cli::session::Session;

/// Print settings in use.
#[derive(Subcommand, Debug)]
pub(crate) enum Print {
    /// The token in use.
    Token(PrintToken),
}

#[derive(Args, Debug)]
pub(crate) struct PrintToken {}

impl Run for Print {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        let Self::Token(PrintToken {}) = self;
        let token = session.token()?.map(|(token, _)| token).unwrap_or_default();
        session.world.out(token.expose());
        Ok(0)
    }
}
