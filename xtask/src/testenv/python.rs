//! A Python environment from one frozen list of packages.
//!
//! Invariants: exactly the listed versions, from wheels only, so nothing is compiled. Knows nothing of what the packages are for.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::stamped;
use crate::run;

pub(crate) fn prepare(list: &Path, folder: &Path) -> Result<()> {
    let wanted = std::fs::read_to_string(list).with_context(|| format!("cannot read {}", list.display()))?;
    let version = run::output(Command::new("python3").arg("--version"))?;
    // The scripts of an environment hold its absolute path, so a moved work tree needs a new one.
    let inputs = format!("{version}{}\n{wanted}", folder.display());
    stamped(folder, &inputs, || {
        run::run(Command::new("python3").args(["-m", "venv"]).arg(folder))
            .context("cannot make a Python environment; on Debian: apt-get install python3-venv")?;
        run::run(
            Command::new(folder.join("bin/python"))
                .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
                .args(["--no-input", "--no-deps", "--only-binary=:all:", "--requirement"])
                .arg(list),
        )
        .with_context(|| format!("cannot install the packages of {}: is PyPI reachable?", list.display()))
    })
}
