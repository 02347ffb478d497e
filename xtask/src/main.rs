//! The workshop: every check runs here, locally and in CI, by the same name.
//!
//! - [`testenv`]: what the tests need that is no part of the workspace, below `target/testenv`.
//! - [`mod@test`]: the one test command.
//! - [`kill`]: the kill loop with the program as it ships.
//! - [`mod@bench`]: speed and memory next to OpenBao's, with the program as it ships.
//! - [`cut`]: the power-cut loop on the store.
//! - [`tidy`]: what neither rustc nor clippy looks at: directions, sizes, words, dependencies.
//! - [`ci`]: all checks, one after the other.
//!
//! Invariants: a missing thing is a failure that says how to get it, never a skip. Knows nothing of what the product does.

mod bench;
mod ci;
mod cut;
mod kill;
mod run;
mod test;
mod testenv;
mod tidy;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Every check, and the environment of every test")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Set up what the tests need, below target/testenv
    Setup,
    /// Set that up, then run every test
    Test {
        /// What to hand to `cargo test` in place of `--workspace`, for example `--package vestal-crypto`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "CARGO TEST ARGUMENTS")]
        selection: Vec<String>,
    },
    /// Kill the server at random moments, and look whether anything acknowledged is missing
    Kill {
        /// What to hand to the loop: --rounds N, --seed N, --credentials N, --answer-delay MILLISECONDS
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "FLAGS")]
        flags: Vec<String>,
    },
    /// Measure speed and memory next to OpenBao's, on this machine
    Bench {
        /// What to hand to the measurement: --passes N, --seconds N, --only WORD
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "FLAGS")]
        flags: Vec<String>,
    },
    /// Cut the power under a store in use, and look whether anything acknowledged is missing (needs root, loop devices,
    /// mkfs.ext4, mount, fsfreeze)
    Cut(cut::Flags),
    /// Check directions, sizes, words and dependencies
    Tidy,
    /// Run every check: format, clippy, deny, advisories, tidy, documents, tests
    ///
    /// Advisories come from where cargo-audit gets them. Where no network reaches that, `VESTAL_ADVISORIES` names a folder
    /// with a copy of the database (github.com/rustsec/advisory-db), which is used as it is.
    Ci,
}

fn main() -> ExitCode {
    match run_task(Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run_task(task: Task) -> Result<()> {
    let workspace = Workspace::find()?;
    match task {
        Task::Setup => testenv::prepare(&workspace).map(drop),
        Task::Test { selection } => test::run(&workspace, &selection),
        Task::Kill { flags } => kill::run(&workspace, &flags),
        Task::Bench { flags } => bench::run(&workspace, &flags),
        Task::Cut(flags) => cut::run(&workspace, &flags),
        Task::Tidy => tidy::run(&workspace),
        Task::Ci => ci::run(&workspace),
    }
}
