//! `vestal list`.

use clap::Args;
use vestal_client::Secret;

use super::{Run, tidy};
use crate::cli::failure::{Failure, Outcome};
use crate::cli::flags::{FormatFlag, OutputFlags};
use crate::cli::output::{self, Format};
use crate::cli::session::Session;

/// List names below a path.
#[derive(Args, Debug)]
pub(crate) struct List {
    #[command(flatten)]
    format: FormatFlag,
    /// Begin behind this name, where the path supports it.
    #[arg(long, value_name = "NAME")]
    after: Option<String>,
    /// At most this many names, where the path supports it.
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    limit: Option<i64>,
    /// What to list, such as oauthapp/creds.
    path: String,
}

impl Run for List {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        let path = tidy(&self.path);
        let after = self.after.map(|after| ("after".to_owned(), after));
        let limit =
            self.limit.filter(|limit| *limit > 0).map(|limit| ("limit".to_owned(), limit.to_string()));
        let listed = session.api()?.list(&path, after.into_iter().chain(limit)).await;
        let secret = listed.map_err(|error| session.failed(&format!("Error listing {path}"), &error))?;
        show_names(session, secret.as_ref(), self.format, &path)
    }
}

/// Writes a list answer; what is not there is an empty object for programs, and exit code 2.
pub(crate) fn show_names(
    session: &mut Session<'_>,
    secret: Option<&Secret>,
    flag: FormatFlag,
    path: &str,
) -> Outcome {
    let format = flag.format(&session.world.environment)?;
    let nothing = |session: &mut Session<'_>| {
        if format == Format::Table {
            return Err(Failure::remote(format!("No value found at {path}")));
        }
        session.world.out("{}");
        Ok(2)
    };
    let Some(secret) = secret else { return nothing(session) };
    if secret.wrap_info.is_some() {
        return session.show(secret, &OutputFlags { format: flag, field: None });
    }
    let Some(names) = secret.keys() else {
        if let Some(warnings) = output::warnings(secret) {
            session.world.err(&warnings);
        }
        return nothing(session);
    };
    if format != Format::Table {
        session.world.out(&output::structured(format, &names));
        return Ok(0);
    }
    if let Some(warnings) = output::warnings(secret) {
        session.world.err(&warnings);
    }
    session.world.out(&output::headed(&["Keys"], names.into_iter().map(|name| vec![name]).collect()));
    Ok(0)
}
