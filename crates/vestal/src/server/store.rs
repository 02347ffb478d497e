//! Opens the storage that the configuration names.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use anyhow::Context as _;
use vestal::config::Storage;
use vestal_core::SealSettings;
use vestal_storage::{MemoryStore, Physical, SledOptions, SledStore};

/// Blocks for as long as a rebuild takes, so it runs beside the async workers.
pub(super) async fn open(storage: &Storage) -> anyhow::Result<Arc<dyn Physical>> {
    match storage {
        Storage::Memory => Ok(Arc::new(MemoryStore::new())),
        Storage::Sled { path, cache, soft_limit } => {
            let mut options = SledOptions::new(path);
            if let Some(cache) = cache {
                options.cache_bytes = *cache;
            }
            options.soft_limit = soft_limit.or(options.soft_limit);
            let shown = path.display().to_string();
            let store = tokio::task::spawn_blocking(move || SledStore::open(&options)).await?;
            let store = store.with_context(|| format!("cannot open the store at `{shown}`"))?;
            let facts = store.facts();
            tracing::info!(records = facts.records, opened_in = ?facts.opened_in, rebuilt = facts.rebuilt.is_some(), "store is open");
            Ok(Arc::new(store))
        }
    }
}

/// Tells of a key file that others than its owner can read: whoever reads it can open a copy of the store.
pub(super) fn warn_of_open_key(seal: &SealSettings) {
    let SealSettings::File { path } = seal else { return };
    let mode = std::fs::metadata(path).map_or(0, |found| found.permissions().mode());
    if mode & 0o077 != 0 {
        tracing::warn!(file = %path.display(), "the seal's key file is open to others than its owner; chmod 600 closes it");
    }
}
