//! `vestal token capabilities`.

use clap::Args;
use serde_json::json;
use vestal_client::{Ask, Sys};
use vestal_crypto::SecretString;

use crate::cli::commands::{Run, given};
use crate::cli::failure::{Failure, Outcome};
use crate::cli::flags::{FormatFlag, secret};
use crate::cli::output::{self, Format};
use crate::cli::session::Session;

#[derive(Args, Debug)]
pub(crate) struct Capabilities {
    #[command(flatten)]
    format: FormatFlag,
    /// A token, when another one than that in use is asked about; - reads it from standard input.
    #[arg(value_name = "TOKEN", value_parser = secret)]
    token_or_path: SecretString,
    /// The path.
    #[arg(value_name = "PATH")]
    path: Option<String>,
}

impl Run for Capabilities {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        let format = self.format.format(&session.world.environment)?;
        let api = session.api()?;
        let ask = match &self.path {
            Some(path) => {
                let token = given(session, self.token_or_path)?;
                let body = json!({ "path": path, "token": token.expose() });
                Ask::post("sys/capabilities", body)
            }
            None => {
                let own = api.settings().token.as_ref().map(SecretString::expose).unwrap_or_default();
                Ask::post(
                    "sys/capabilities-self",
                    json!({ "path": self.token_or_path.expose(), "token": own }),
                )
            }
        };
        let found = Sys(&api).data(ask).await;
        let found = found.map_err(|error| session.failed("Error listing capabilities", &error))?;
        let capabilities = found.get("capabilities").cloned().unwrap_or_default();
        let mut names: Vec<String> = serde_json::from_value(capabilities)
            .map_err(|_| Failure::remote("Error listing capabilities: the answer holds none"))?;
        names.sort();
        let text = match format {
            Format::Table => names.join(", "),
            _ => output::structured(format, &names),
        };
        session.world.out(&text);
        Ok(0)
    }
}
