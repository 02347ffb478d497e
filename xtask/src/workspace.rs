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
}

impl Workspace {
    /// The workspace this program was built from.
    pub(crate) fn find() -> Result<Self> {
        let own = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = own.parent().context("xtask has no folder above it")?.to_path_buf();
        Ok(Self { root })
    }

    pub(crate) fn target(&self) -> PathBuf {
        self.root.join("target")
    }

    /// `cargo` at the root of the workspace.
    pub(crate) fn cargo(&self) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(&self.root);
        cargo
    }

    /// The workspace's own packages, as `cargo metadata` tells them.
    pub(crate) fn packages(&self) -> Result<Vec<Value>> {
        let text =
            run::output(self.cargo().args(["metadata", "--no-deps", "--format-version=1", "--offline"]))?;
        let metadata: Value = serde_json::from_str(&text).context("cargo metadata answered no JSON")?;
        let packages =
            metadata.get("packages").and_then(Value::as_array).context("cargo metadata names no packages")?;
        Ok(packages.clone())
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
