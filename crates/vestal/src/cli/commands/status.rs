//! `vestal status`.

use clap::Args;
use vestal_client::Sys;

use super::Run;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::flags::OutputFlags;
use crate::cli::output::{self, Format};
use crate::cli::session::Session;

/// Show whether the server is sealed. Exit code 0: unsealed, 1: error, 2: sealed.
#[derive(Args, Debug)]
pub(crate) struct Status {
    #[command(flatten)]
    output: OutputFlags,
}

impl Run for Status {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        let format = self.output.format.format(&session.world.environment)?;
        let api = session.api().map_err(|failure| failure.with_code(1))?;
        let seal = Sys(&api).seal_status().await;
        // Sealed has exit code 2, so not knowing must have another.
        let seal = seal.map_err(|error| session.failed("Error checking seal status", &error).with_code(1))?;
        match &self.output.field {
            Some(name) => {
                let value = output::named(&seal, name, format);
                let missing = || Failure::local(format!("Field \"{name}\" not present in seal status"));
                session.world.out_raw(&value.ok_or_else(missing)?);
            }
            None => {
                let shown = show_status(session, &api, &seal, format).await;
                shown.map_err(|failure| failure.with_code(1))?;
            }
        }
        let sealed = seal.get("sealed").and_then(serde_json::Value::as_bool).unwrap_or(true);
        Ok(if sealed { 2 } else { 0 })
    }
}

/// Asks for the leader and writes both.
pub(crate) async fn show_status(
    session: &mut Session<'_>,
    api: &vestal_client::Api,
    seal: &serde_json::Map<String, serde_json::Value>,
    format: Format,
) -> Outcome {
    let leader = Sys(api).leader().await;
    let leader = leader.map_err(|error| session.failed("Error checking leader status", &error))?;
    let text = match format {
        Format::Table => output::status_table(seal, &leader),
        _ => output::structured(format, &output::status_object(seal, &leader)),
    };
    session.world.out(&text);
    Ok(0)
}
