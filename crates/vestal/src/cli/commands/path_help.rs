//! `vestal path-help`.

use clap::Args;
use serde_json::Value;
use vestal_client::{Ask, Sys};

use super::{Run, tidy};
use crate::cli::failure::Outcome;
use crate::cli::flags::FormatFlag;
use crate::cli::output::{self, Format};
use crate::cli::session::Session;

/// Show what a path of the API does.
#[derive(Args, Debug)]
pub(crate) struct PathHelp {
    #[command(flatten)]
    format: FormatFlag,
    /// A path, such as oauthapp/ or sys/mounts.
    path: String,
}

impl Run for PathHelp {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        let format = self.format.format(&session.world.environment)?;
        let path = tidy(&self.path);
        let api = session.api()?;
        let help = Sys(&api).plain(Ask::get(path.as_str()).query("help", "1")).await;
        let help = help.map_err(|error| session.failed("Error retrieving help", &error))?;
        let text = match format {
            Format::Table => {
                help.get("help").and_then(Value::as_str).unwrap_or_default().trim_end().to_owned()
            }
            // Programs want the machine-readable description.
            Format::Json => help.get("openapi").cloned().unwrap_or(Value::Null).to_string(),
            _ => output::structured(format, help.get("openapi").unwrap_or(&Value::Null)),
        };
        session.world.out(&text);
        Ok(0)
    }
}
