//! Knows where the workspace lies and what is in it.
//!
//! Invariants: every path handed out below the root is relative to it. Knows nothing of what a check looks for.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::run;

pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    target: PathBuf,
    packages: Vec<Value>,
}

impl Workspace {
    /// The workspace this program was built from.
    pub(crate) fn find() -> Result<Self> {
        let own = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = own.parent().context("xtask has no folder above it")?.to_path_buf();
        Self::described(root, &[])
    }

    /// What `cargo metadata` tells, with more in its environment.
    fn described(root: PathBuf, environment: &[(&str, &str)]) -> Result<Self> {
        let mut cargo = cargo_in(&root);
        cargo.args(["metadata", "--no-deps", "--format-version=1", "--offline"]);
        let text = run::output(cargo.envs(environment.iter().copied()))?;
        let metadata: Value = serde_json::from_str(&text).context("cargo metadata answered no JSON")?;
        let packages =
            metadata.get("packages").and_then(Value::as_array).context("cargo metadata names no packages")?;
        let target = metadata.get("target_directory").and_then(Value::as_str);
        let target = target.context("cargo metadata names no target directory")?.into();
        Ok(Self { packages: packages.clone(), target, root })
    }

    /// Where cargo builds: `target` at the root, unless `CARGO_TARGET_DIR` or a configuration says otherwise.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// `cargo` at the root of the workspace.
    pub(crate) fn cargo(&self) -> Command {
        cargo_in(&self.root)
    }

    /// The workspace's own packages, as `cargo metadata` tells them.
    pub(crate) fn packages(&self) -> &[Value] {
        &self.packages
    }

    pub(crate) fn read(&self, relative: &str) -> Result<String> {
        let path = self.root.join(relative);
        std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    }

    /// Every file below `folder` whose name ends in `.rs`, sorted, relative to the root; nothing when there is no such folder.
    pub(crate) fn rust_files(&self, folder: &str) -> Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        let mut open = vec![self.root.join(folder)];
        while let Some(folder) = open.pop() {
            let Ok(entries) = std::fs::read_dir(&folder) else { continue };
            for entry in entries {
                let path = entry.with_context(|| format!("cannot list {}", folder.display()))?.path();
                if path.is_dir() && !path.ends_with("target") {
                    open.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    found.push(path.strip_prefix(&self.root)?.to_path_buf());
                }
            }
        }
        found.sort();
        Ok(found)
    }
}

fn cargo_in(root: &Path) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root);
    cargo
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_built_is_looked_for_where_cargo_builds() {
        let root = Workspace::find().unwrap().root;
        let elsewhere = [("CARGO_TARGET_DIR", "/elsewhere/built")];
        assert_eq!(Workspace::described(root, &elsewhere).unwrap().target(), Path::new("/elsewhere/built"));
    }
}
