//! Vestal: keeps secrets, and keeps OAuth credentials fresh for ever.
//!
//! One binary: the server, its command line, and a demonstration. Start reading at [`registry`] for what can be mounted,
//! at [`server`] for how it all is put together.

mod cli;
mod config;
mod demo;
mod registry;
mod server;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
