//! `vestal operator compact`: works on a store that no server uses, so it asks no server.

use std::path::PathBuf;

use clap::Args;
use vestal_storage::SledOptions;

use crate::cli::commands::Run;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::session::Session;

/// Rewrite a store that no server uses, so that it takes no more room than its records.
#[derive(Args, Debug)]
pub(crate) struct Compact {
    /// The store's directory, as the configuration's `storage "sled"` names it.
    #[arg(value_name = "PATH")]
    path: PathBuf,
}

impl Run for Compact {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        if !self.path.join("manifest").is_file() {
            let text = format!("`{}` is no store: it has no manifest", self.path.display());
            return Err(
                Failure::local(text).then("Name the directory of `storage \"sled\"` in the configuration")
            );
        }
        let before = size(&self.path);
        let compacted = vestal_storage::compact(&SledOptions::new(&self.path)).await;
        compacted.map_err(|error| Failure::local(format!("Error compacting: {error}")))?;
        let after = size(&self.path);
        session.world.out(&format!(
            "Success! Compacted: {} MiB before, {} MiB now.",
            before >> 20,
            after >> 20
        ));
        Ok(0)
    }
}

/// Bytes of all files below a directory; what cannot be read counts as nothing.
fn size(directory: &std::path::Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    sizes.sum()
}
