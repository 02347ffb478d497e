//! `vestal kv list`.

use clap::Args;

use super::locate;
use crate::cli::commands::Run;
use crate::cli::commands::list::show_names;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::flags::FormatFlag;
use crate::cli::session::Session;

#[derive(Args, Debug)]
pub(crate) struct List {
    #[command(flatten)]
    format: FormatFlag,
    /// Where the engine is; else it is the beginning of the path.
    #[arg(long, value_name = "PATH")]
    mount: Option<String>,
    /// What to list; with -mount, all when absent.
    path: Option<String>,
}

impl Run for List {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        if self.path.is_none() && self.mount.is_none() {
            return Err(Failure::local("Not enough arguments (expected 1, got 0)"));
        }
        let api = session.api()?;
        let below = self.path.as_deref().unwrap_or_default();
        let (mount, key) = locate(session, self.mount.as_deref(), below).await?;
        let path = if mount.versioned { mount.branch("metadata", &key) } else { mount.value(&key) };
        let path = path.trim_end_matches('/');
        let listed = api.list(path, None).await;
        let secret = listed.map_err(|error| session.failed(&format!("Error listing {path}"), &error))?;
        show_names(session, secret.as_ref(), self.format, path)
    }
}
