//! Sets up what the tests need that is no part of the workspace, below `testenv` in cargo's target directory:
//!
//! - `python-newest/`: the newest hvac and the stock `bao` program;
//! - `python-oldest/`: hvac 0.11.2 and Flask;
//! - `oidc-provider/`: the certified authorization server of npm;
//! - and, from the system's packages, a browser with its driver, `curl`, and what makes and freezes a disk.
//!
//! Invariants: every part is stamped with the lists it was made from, so a second run does nothing; a part without its stamp
//! is made anew; what cannot be had is an error that says how to get it. Knows nothing of the tests that use it.

mod node;
mod programs;
mod python;

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::workspace::Workspace;

/// Where the environment lies, or will lie.
pub(crate) fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target().join("testenv")
}

/// Prepares everything and answers the environment's folder.
pub(crate) fn prepare(workspace: &Workspace) -> Result<PathBuf> {
    let environment = folder(workspace);
    std::fs::create_dir_all(&environment)
        .with_context(|| format!("cannot create {}", environment.display()))?;
    let lock = File::create(environment.join("lock"))?;
    lock.lock().context("cannot lock the test environment")?;

    programs::require()?;
    for (name, list) in [
        ("python-newest", "tests/requirements-newest.txt"),
        ("python-oldest", "tests/requirements-oldest.txt"),
    ] {
        python::prepare(&workspace.root.join(list), &environment.join(name))?;
    }
    node::prepare(&workspace.root.join("tests/oidc-provider"), &environment.join("oidc-provider"))?;
    println!("test environment: {}", environment.display());
    Ok(environment)
}

/// Makes a folder by `build`, unless it was already made from the same `inputs`.
fn stamped(folder: &Path, inputs: &str, build: impl FnOnce() -> Result<()>) -> Result<()> {
    let stamp = folder.join("made-from");
    if std::fs::read_to_string(&stamp).is_ok_and(|made_from| made_from == inputs) {
        return Ok(());
    }
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    build()?;
    std::fs::write(&stamp, inputs).with_context(|| format!("cannot write {}", stamp.display()))
}

#[cfg(test)]
mod tests;
