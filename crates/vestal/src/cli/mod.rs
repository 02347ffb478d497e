//! The command line: reads arguments, runs one command, writes its answer, gives its exit code.
//!
//! Commands, flags, output and exit codes are those of Vault's command line, so that scripts keep working; what
//! is ours is that flags may stand anywhere and that errors say what to do next. Exit codes: 0 done, 1 wrong use
//! or something on this machine, 2 the server refused, could not be reached, or (for `status`) is sealed, 127 no
//! such command at the top.

mod arguments;
mod commands;
mod duration;
pub(crate) mod environment;
mod failure;
mod flags;
mod output;
mod pairs;
mod policy_layout;
mod session;
#[cfg(test)]
mod tests;
pub(crate) mod token_file;
mod world;

use std::process::ExitCode;

use clap::error::{ContextKind, ErrorKind};
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use commands::{
    Run, audit, delete, kv, lease, list, login, operator, path_help, policy, print, read, secrets, status,
    token, unwrap, write,
};
use failure::{Failure, Outcome};
use flags::HttpFlags;
use session::Session;
use world::World;

use crate::demo::{self, DemoArgs};
use crate::server::{self, ServerArgs};

const WRONG_USE: u8 = 1;
const NO_SUCH_COMMAND: u8 = 127;

/// Keeps secrets, and keeps OAuth credentials fresh for ever.
#[derive(Parser, Debug)]
#[command(
    name = "vestal",
    version,
    disable_help_subcommand = true,
    disable_version_flag = true,
    args_override_self = true,
    after_help = environment::help(),
)]
struct CommandLine {
    /// Print the version.
    #[arg(long, short)]
    version: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run a server.
    Server(ServerArgs),
    /// See it work: a server, an authorization server, a token kept fresh.
    Demo(DemoArgs),
    /// Read a secret, a credential or configuration.
    Read(With<read::Read>),
    /// Write data: configuration, credentials, secrets.
    Write(With<write::Write>),
    /// Change only the fields that are named.
    Patch(With<write::Patch>),
    /// Delete a secret, a credential or configuration.
    Delete(With<delete::Delete>),
    /// List names below a path.
    List(With<list::List>),
    /// Log in, and keep the token for the next commands.
    Login(With<login::Login>),
    /// Show whether the server is sealed. Exit code 0: unsealed, 1: error, 2: sealed.
    Status(With<status::Status>),
    /// Open a wrapped answer; without a token, the one the current token wraps.
    Unwrap(With<unwrap::Unwrap>),
    /// Key/value secrets.
    Kv(Group<kv::Kv>),
    /// Secrets engines: enable, list, tune, move, disable.
    Secrets(Group<secrets::Secrets>),
    /// Tokens: create, look up, renew, revoke.
    Token(Group<token::Token>),
    /// Policies: what tokens may do.
    Policy(Group<policy::Policy>),
    /// Leases: what was handed out for a time.
    Lease(Group<lease::Lease>),
    /// Audit devices: where every request is recorded.
    Audit(Group<audit::Audit>),
    /// The server's own life: initialise, unseal, seal.
    Operator(Group<operator::Operator>),
    /// Show what a path of the API does.
    PathHelp(With<path_help::PathHelp>),
    /// Print settings in use.
    Print(Group<print::Print>),
    /// Print the version.
    Version,
}

/// A command with the flags that say how the server is reached.
#[derive(Args, Debug)]
struct With<T: Args> {
    #[command(flatten)]
    command: T,
    #[command(flatten)]
    http: HttpFlags,
}

/// Commands under one name, likewise.
#[derive(Args, Debug)]
struct Group<T: Subcommand> {
    #[command(flatten)]
    http: HttpFlags,
    #[command(subcommand)]
    command: T,
}

/// Runs the process's command.
pub(crate) fn main() -> ExitCode {
    let mut world = World::of_process();
    let given: Result<Vec<String>, _> = std::env::args_os().map(std::ffi::OsString::into_string).collect();
    let Ok(given) = given else {
        world.err("an argument is not UTF-8 text");
        return ExitCode::from(1);
    };
    ExitCode::from(run(given, &mut world))
}

/// Runs a command in a world; gives the exit code.
fn run(given: Vec<String>, world: &mut World) -> u8 {
    let line = match read_line(given) {
        Ok(line) => line,
        Err(Refusal::Help(text)) => {
            world.out(text.trim_end());
            return 0;
        }
        Err(Refusal::Wrong { code, text }) => {
            world.err(text.trim_end());
            return code;
        }
    };
    match execute(line, world) {
        Ok(code) => code,
        Err(Failure { code, text, next }) => {
            world.err(&text);
            if let Some(next) = next {
                world.err(&next);
            }
            code
        }
    }
}

fn execute(line: CommandLine, world: &mut World) -> Outcome {
    let command = match line.command {
        Some(command) if !line.version => command,
        _ => Command::Version,
    };
    let mut builder = match command {
        Command::Server(_) | Command::Demo(_) => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime =
        builder.enable_all().build().map_err(|error| Failure::local(format!("cannot start: {error}")))?;
    runtime.block_on(dispatch(command, world))
}

/// What ends a server or the demonstration, causes included, on one line.
fn ended(outcome: anyhow::Result<()>) -> Outcome {
    outcome.map(|()| 0).map_err(|error| Failure::local(format!("{error:#}")))
}

async fn dispatch(command: Command, world: &mut World) -> Outcome {
    match command {
        Command::Server(given) => ended(server::run(given).await),
        Command::Demo(given) => ended(demo::run(given).await),
        Command::Read(given) => given.run(world).await,
        Command::Write(given) => given.run(world).await,
        Command::Patch(given) => given.run(world).await,
        Command::Delete(given) => given.run(world).await,
        Command::List(given) => given.run(world).await,
        Command::Login(given) => given.run(world).await,
        Command::Status(given) => given.run(world).await,
        Command::Unwrap(given) => given.run(world).await,
        Command::Kv(given) => given.run(world).await,
        Command::Secrets(given) => given.run(world).await,
        Command::Token(given) => given.run(world).await,
        Command::Policy(given) => given.run(world).await,
        Command::Lease(given) => given.run(world).await,
        Command::Audit(given) => given.run(world).await,
        Command::Operator(given) => given.run(world).await,
        Command::PathHelp(given) => given.run(world).await,
        Command::Print(given) => given.run(world).await,
        Command::Version => {
            world.out(concat!("Vestal v", env!("CARGO_PKG_VERSION")));
            Ok(0)
        }
    }
}

impl<T: Args + Run> With<T> {
    async fn run(self, world: &mut World) -> Outcome {
        in_session(world, self.http, self.command).await
    }
}

impl<T: Subcommand + Run> Group<T> {
    async fn run(self, world: &mut World) -> Outcome {
        in_session(world, self.http, self.command).await
    }
}

/// Runs, unless the request was only to be shown.
async fn in_session(world: &mut World, http: HttpFlags, command: impl Run) -> Outcome {
    let mut session = Session::new(world, http);
    let outcome = command.run(&mut session).await;
    match session.take_shown_request() {
        Some(curl) => {
            session.world.out(&curl);
            Ok(0)
        }
        None => outcome,
    }
}

/// Why arguments are no command.
enum Refusal {
    Help(String),
    Wrong { code: u8, text: String },
}

fn read_line(given: Vec<String>) -> Result<CommandLine, Refusal> {
    let mut declared = CommandLine::command();
    declared.build();
    let arguments =
        arguments::normalise(given, &declared).map_err(|text| Refusal::Wrong { code: WRONG_USE, text })?;
    if arguments.len() < 2 {
        return Err(Refusal::Wrong { code: NO_SUCH_COMMAND, text: declared.render_help().to_string() });
    }
    // Below a group that there is, as without a command in it, it is wrong use like any other.
    let known = arguments.get(1).is_some_and(|first| declared.find_subcommand(first).is_some());
    let unknown_command = if known { WRONG_USE } else { NO_SUCH_COMMAND };
    let refused = |error| refusal(error, unknown_command);
    let matches = CommandLine::command().try_get_matches_from(&arguments).map_err(refused)?;
    CommandLine::from_arg_matches(&matches).map_err(refused)
}

fn refusal(error: clap::Error, unknown_command: u8) -> Refusal {
    match error.kind() {
        ErrorKind::DisplayHelp => Refusal::Help(error.render().to_string()),
        ErrorKind::InvalidSubcommand
        | ErrorKind::MissingSubcommand
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            Refusal::Wrong { code: unknown_command, text: error.render().to_string() }
        }
        // The parser would quote the value, which may be a secret.
        ErrorKind::ValueValidation | ErrorKind::InvalidValue => {
            let flag = error.get(ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
            let reason =
                std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
            Refusal::Wrong { code: WRONG_USE, text: format!("invalid value for {flag}{reason}") }
        }
        ErrorKind::UnknownArgument => {
            Refusal::Wrong { code: WRONG_USE, text: format!("Too many arguments\n\n{}", usage(&error)) }
        }
        _ => Refusal::Wrong { code: WRONG_USE, text: error.render().to_string() },
    }
}

fn usage(error: &clap::Error) -> String {
    error.get(ContextKind::Usage).map(ToString::to_string).unwrap_or_default()
}
