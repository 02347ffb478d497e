//! `vestal delete`.

use clap::Args;

use super::{Run, query, tidy};
use crate::cli::failure::Outcome;
use crate::cli::flags::OutputFlags;
use crate::cli::session::Session;

/// Delete a secret, a credential or configuration.
#[derive(Args, Debug)]
pub(crate) struct Delete {
    #[command(flatten)]
    output: OutputFlags,
    /// What to delete.
    path: String,
    /// Parameters of the deletion.
    #[arg(value_name = "KEY=VALUE")]
    data: Vec<String>,
}

impl Run for Delete {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        let path = tidy(&self.path);
        let query = query(session, &self.data)?;
        let deleted = session.api()?.delete(&path, query).await;
        let secret = deleted.map_err(|error| session.failed(&format!("Error deleting {path}"), &error))?;
        session.show_or_say(
            secret.as_ref(),
            &self.output,
            &format!("Success! Data deleted (if it existed) at: {path}"),
        )
    }
}
