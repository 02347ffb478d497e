//! The authorization server of the end-to-end tests, with the packages that its lock file names.
//!
//! Invariants: nothing is installed that the lock file does not name, and no package runs a script of its own while it is
//! installed. Knows nothing of OAuth.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::stamped;
use crate::run;

const LISTS: [&str; 2] = ["package.json", "package-lock.json"];
const PROGRAM: &str = "server.mjs";

pub(crate) fn prepare(source: &Path, folder: &Path) -> Result<()> {
    let mut inputs = run::output(Command::new("node").arg("--version"))?;
    for list in LISTS {
        let path = source.join(list);
        inputs.push_str(
            &std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?,
        );
    }
    stamped(folder, &inputs, || {
        for list in LISTS {
            std::fs::copy(source.join(list), folder.join(list))?;
        }
        run::run(Command::new("npm").current_dir(folder).args([
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
        ]))
        .context("cannot install npm's oidc-provider: is the npm registry reachable?")
    })?;
    // Node looks for packages beside the program itself, so the program moves in with them.
    std::fs::copy(source.join(PROGRAM), folder.join(PROGRAM))
        .with_context(|| format!("cannot copy {PROGRAM}"))?;
    Ok(())
}
