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
    keep_programs(workspace, &environment, Profile::Debug)?;

    let mut tests = workspace.cargo();
    tests.arg("test").env("VESTAL_TESTENV", &environment);
    if selection.is_empty() {
        tests.args(["--workspace", "--no-fail-fast"]);
    } else {
        tests.args(selection);
    }
    run::run(&mut tests)
}

/// What is built for whom: tests want it soon, measurements want it fast.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    Debug,
    Release,
}

/// Builds the server and the authorization server, and keeps copies where the end-to-end tests look.
pub(crate) fn keep_programs(workspace: &Workspace, environment: &Path, profile: Profile) -> Result<()> {
    let packages = ["--package", "vestal", "--package", "vestal-demo-provider"];
    let mut build = workspace.cargo();
    build.arg("build").args(packages);
    let folder = match profile {
        Profile::Debug => "debug",
        Profile::Release => {
            build.arg("--release");
            "release"
        }
    };
    run::run(&mut build)?;
    for program in ["vestal", "vestal-demo-provider"] {
        keep_program(&workspace.target().join(folder).join(program), &environment.join("bin"))?;
    }
    Ok(())
}

fn keep_program(built: &Path, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let name = built.file_name().context("a program has a name")?;
    let kept = folder.join(name);
    // A server of an earlier run may still execute the old copy: replace the name, never the bytes.
    let fresh = kept.with_extension("new");
    std::fs::copy(built, &fresh).with_context(|| format!("cannot copy {}", built.display()))?;
    std::fs::rename(&fresh, &kept).with_context(|| format!("cannot replace {}", kept.display()))
}
