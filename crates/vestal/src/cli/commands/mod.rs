//! The commands that talk to a server, one file each.
//!
//! A command knows the requests it sends and the lines it prints; settings, output and errors are the
//! session's.

pub(crate) mod audit;
pub(crate) mod delete;
pub(crate) mod kv;
pub(crate) mod lease;
pub(crate) mod list;
pub(crate) mod login;
pub(crate) mod operator;
pub(crate) mod path_help;
pub(crate) mod policy;
pub(crate) mod print;
pub(crate) mod read;
pub(crate) mod secrets;
pub(crate) mod status;
pub(crate) mod token;
pub(crate) mod unwrap;
pub(crate) mod write;

use vestal_crypto::SecretString;

use super::failure::{Failure, Outcome};
use super::pairs;
use super::session::Session;

/// What a command does once its arguments are known.
pub(crate) trait Run {
    async fn run(self, session: &mut Session<'_>) -> Outcome;
}

/// A path as given, without the slashes and blanks around it.
pub(crate) fn tidy(path: &str) -> String {
    path.trim().trim_matches('/').to_owned()
}

/// A secret given as an argument; `-` is standard input, because arguments can be seen by others.
pub(crate) fn given(session: &mut Session<'_>, argument: SecretString) -> Result<SecretString, Failure> {
    if argument.expose() != "-" {
        return Ok(argument);
    }
    let text = session.world.read_stdin().map(SecretString::from);
    let text = text.map_err(|error| Failure::local(format!("Cannot read standard input: {error}")))?;
    let secret = SecretString::from(text.expose().trim());
    if secret.is_empty() { Err(Failure::local("Standard input is empty")) } else { Ok(secret) }
}

/// The same, where there may be none.
pub(crate) fn given_or_none(
    session: &mut Session<'_>,
    argument: Option<SecretString>,
) -> Result<Option<SecretString>, Failure> {
    argument.filter(|argument| !argument.is_empty()).map(|argument| given(session, argument)).transpose()
}

/// Data arguments as a JSON object.
pub(crate) fn data(
    session: &mut Session<'_>,
    arguments: &[String],
) -> Result<serde_json::Map<String, serde_json::Value>, Failure> {
    let world = &mut *session.world;
    pairs::parse(arguments, &world.directory, &mut world.stdin).map_err(|error| unreadable(&error))
}

/// Data arguments as a query.
pub(crate) fn query(
    session: &mut Session<'_>,
    arguments: &[String],
) -> Result<Vec<(String, String)>, Failure> {
    let world = &mut *session.world;
    pairs::parse_query(arguments, &world.directory, &mut world.stdin).map_err(|error| unreadable(&error))
}

fn unreadable(error: &str) -> Failure {
    Failure::local(format!("Failed to parse K=V data: {error}"))
        .then("Write data as key=value, key=@file, key=- (standard input), - or @file (a JSON object)")
}
