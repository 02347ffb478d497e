//! `vestal write` and `vestal patch`.

use clap::Args;
use serde_json::Value;

use super::{Run, data, tidy};
use crate::cli::failure::{Failure, Outcome};
use crate::cli::flags::OutputFlags;
use crate::cli::session::Session;

/// Write data: configuration, credentials, secrets.
#[derive(Args, Debug)]
pub(crate) struct Write {
    #[command(flatten)]
    given: Given,
}

/// Change only the fields that are named.
#[derive(Args, Debug)]
pub(crate) struct Patch {
    #[command(flatten)]
    given: Given,
}

#[derive(Args, Debug)]
struct Given {
    #[command(flatten)]
    output: OutputFlags,
    /// Go on without data.
    #[arg(long, short)]
    force: bool,
    /// Where to write, such as oauthapp/servers/webex.
    path: String,
    /// key=value, key=@file, key=- (standard input), or - or @file for a JSON object. A repeated key makes a list.
    #[arg(value_name = "DATA")]
    data: Vec<String>,
}

impl Given {
    /// The body, or why there is none.
    fn body(&self, session: &mut Session<'_>) -> Result<Value, Failure> {
        let data = data(session, &self.data)?;
        match (data.is_empty(), self.force) {
            (false, _) => Ok(data.into()),
            (true, true) => Ok(Value::Null),
            (true, false) => Err(Failure::local("Must supply data or use -force")),
        }
    }
}

impl Run for Write {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        let Given { output, path, .. } = &self.given;
        let body = self.given.body(session)?;
        let path = tidy(path);
        let written = session.api()?.write(&path, body).await;
        let secret =
            written.map_err(|error| session.failed(&format!("Error writing data to {path}"), &error))?;
        session.show_or_say(secret.as_ref(), output, &format!("Success! Data written to: {path}"))
    }
}

impl Run for Patch {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        let Given { output, path, .. } = &self.given;
        let body = self.given.body(session)?;
        let path = tidy(path);
        let patched = session.api()?.patch(&path, body).await;
        let secret =
            patched.map_err(|error| session.failed(&format!("Error writing data to {path}"), &error))?;
        session.show_or_say(secret.as_ref(), output, &format!("Success! Data written to: {path}"))
    }
}
