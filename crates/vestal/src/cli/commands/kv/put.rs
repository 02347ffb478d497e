//! `vestal kv put`.

use clap::Args;
use serde_json::{Map, json};
use vestal_client::Kv;

use super::{Target, show_version};
use crate::cli::commands::{Run, data};
use crate::cli::failure::{Failure, Outcome};
use crate::cli::flags::OutputFlags;
use crate::cli::session::Session;

#[derive(Args, Debug)]
pub(crate) struct Put {
    #[command(flatten)]
    output: OutputFlags,
    /// Write only if this is the current version; 0: only if there is none.
    #[arg(long, value_name = "VERSION", default_value_t = -1, allow_hyphen_values = true)]
    cas: i64,
    #[command(flatten)]
    target: Target,
    /// key=value, key=@file, key=- (standard input), or - or @file for a JSON object.
    #[arg(value_name = "DATA")]
    data: Vec<String>,
}

impl Run for Put {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        let data = data(session, &self.data)?;
        if data.is_empty() {
            return Err(Failure::local("Must supply data"));
        }
        let mut options = Map::new();
        if self.cas >= 0 {
            options.insert("cas".to_owned(), json!(self.cas));
        }
        let api = session.api()?;
        let (mount, key) = self.target.locate(session).await?;
        if !mount.versioned && self.cas >= 0 {
            return Err(Failure::local(
                "-cas needs version 2 of the key/value engine, and this mount has version 1",
            ));
        }
        let path = mount.value(&key);
        let written = Kv(&api).write(&mount, &key, data, options).await;
        let secret =
            written.map_err(|error| session.failed(&format!("Error writing data to {path}"), &error))?;
        show_version(session, secret.as_ref(), &self.output, &path)
    }
}
