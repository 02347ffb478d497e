//! `vestal read`.

use clap::Args;
use vestal_client::Ask;

use super::{Run, query, tidy};
use crate::cli::failure::{Failure, Outcome};
use crate::cli::flags::OutputFlags;
use crate::cli::output::Format;
use crate::cli::session::Session;

/// Read a secret, a credential or configuration.
#[derive(Args, Debug)]
pub(crate) struct Read {
    #[command(flatten)]
    output: OutputFlags,
    /// What to read, such as oauthapp/creds/alice.
    path: String,
    /// Parameters of the read.
    #[arg(value_name = "KEY=VALUE")]
    data: Vec<String>,
}

impl Run for Read {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        let path = tidy(&self.path);
        let query = query(session, &self.data)?;
        let api = session.api()?;
        let doing = format!("Error reading {path}");
        if self.output.format.format_or_raw(&session.world.environment)? == Format::Raw {
            let answer = api.send(Ask::get(path.as_str()).queries(query).wrapped()).await;
            let answer = answer.map_err(|error| session.failed(&doing, &error))?;
            session.world.out(&answer.text());
            return Ok(0);
        }
        match api.read(&path, query).await.map_err(|error| session.failed(&doing, &error))? {
            Some(secret) => session.show(&secret, &self.output),
            None => Err(Failure::remote(format!("No value found at {path}"))),
        }
    }
}
