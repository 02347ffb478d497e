//! The one test command: the environment, the program as it ships, then every test of the workspace.
//!
//! Invariants: the end-to-end tests meet the program built for itself, without the features that other crates' tests switch on,
//! because its copy is taken before the tests are built. Knows nothing of what the tests do.

use std::path::Path;

use anyhow::{Context, Result};

use crate::workspace::Workspace;
use crate::{run, testenv};

pub(crate) fn run(workspace: &Workspace, selection: &[String]) -> Result<()> {
    let environment = testenv::prepare(workspace)?;
    run::run(workspace.cargo().args(["build", "--package", "vestal"]))?;
    keep_program(&workspace.target().join("debug/vestal"), &environment.join("bin"))?;

    let mut tests = workspace.cargo();
    tests.arg("test").env("VESTAL_TESTENV", &environment);
    if selection.is_empty() {
        tests.args(["--workspace", "--no-fail-fast"]);
    } else {
        tests.args(selection);
    }
    run::run(&mut tests)
}

fn keep_program(built: &Path, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let kept = folder.join("vestal");
    // A server of an earlier run may still execute the old copy: replace the name, never the bytes.
    let fresh = folder.join("vestal.new");
    std::fs::copy(built, &fresh).with_context(|| format!("cannot copy {}", built.display()))?;
    std::fs::rename(&fresh, &kept).with_context(|| format!("cannot replace {}", kept.display()))
}
