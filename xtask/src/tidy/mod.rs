//! Checks what neither rustc nor clippy looks at.
//!
//! - [`directions`]: who may use whom, and the one home of each outside crate that has one;
//! - [`sizes`]: files and functions that have grown too large;
//! - [`words`]: unfinished work, names that name nothing, calls that have few places;
//! - [`dependencies`]: every outside crate is used, and explained in `docs/dependencies.md`;
//! - [`endpoints`]: the walk over every endpoint reaches all there are.
//!
//! Invariants: a check only reads; it names the place and what to do. Another check is a module with one function beside these
//! and a line in `CHECKS`. That every endpoint denies and is recorded is no check of text: `tests/tests/endpoints.rs` walks the
//! list that the running program declares.

mod dependencies;
mod directions;
mod endpoints;
mod sizes;
mod source;
mod words;

use anyhow::{Result, bail};

use crate::workspace::Workspace;

/// What the checks found: failures must be mended, notes should be read.
#[derive(Default)]
struct Findings {
    failures: Vec<String>,
    notes: Vec<String>,
}

impl Findings {
    fn fail(&mut self, text: impl Into<String>) {
        self.failures.push(text.into());
    }

    fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }
}

type Check = fn(&Workspace, &mut Findings) -> Result<()>;

const CHECKS: &[Check] =
    &[directions::check, sizes::check, words::check, dependencies::check, endpoints::check];

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let mut findings = Findings::default();
    for check in CHECKS {
        check(workspace, &mut findings)?;
    }
    for note in &findings.notes {
        println!("note: {note}");
    }
    for failure in &findings.failures {
        println!("untidy: {failure}");
    }
    match findings.failures.len() {
        0 => {
            println!("tidy: nothing to mend, {} to note", findings.notes.len());
            Ok(())
        }
        count => bail!("tidy: {count} to mend"),
    }
}
