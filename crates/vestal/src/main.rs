//! Vestal: keeps secrets, and keeps OAuth credentials fresh for ever.

mod cli;
mod demo;
mod registry;
mod say;
mod server;

fn main() -> std::process::ExitCode {
    cli::main()
}
