//! `vestal list`.

use std::collections::BTreeSet;

use clap::Args;
use serde_json::{Map, Value};
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
    /// What else the server tells of each name.
    #[arg(long)]
    detailed: bool,
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
        match &secret {
            Some(secret) if self.detailed && secret.wrap_info.is_none() && secret.keys().is_some() => {
                show_details(session, secret, self.format)
            }
            secret => show_names(session, secret.as_ref(), self.format, &path),
        }
    }
}

/// Writes the names with a column for each thing that is told of any of them; programs get the whole answer.
fn show_details(session: &mut Session<'_>, secret: &Secret, flag: FormatFlag) -> Outcome {
    let format = flag.format(&session.world.environment)?;
    if format != Format::Table {
        session.world.out(&output::structured(format, secret));
        return Ok(0);
    }
    if let Some(warnings) = output::warnings(secret) {
        session.world.err(&warnings);
    }
    let told = secret.field("key_info").and_then(Value::as_object);
    let of = |name: &str| told.and_then(|told| told.get(name)).and_then(Value::as_object);
    let names = secret.keys().unwrap_or_default();
    let columns: BTreeSet<&String> = names.iter().filter_map(|name| of(name)).flat_map(Map::keys).collect();
    let row = |name: &String| {
        let cell = |column: &&String| of(name).and_then(|told| told.get(*column)).map(output::shown);
        let cells = columns.iter().map(|column| cell(column).unwrap_or_default());
        std::iter::once(name.clone()).chain(cells).collect()
    };
    let header: Vec<&str> = std::iter::once("Keys").chain(columns.iter().map(|name| name.as_str())).collect();
    session.world.out(&output::headed(&header, names.iter().map(row).collect()));
    Ok(0)
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
