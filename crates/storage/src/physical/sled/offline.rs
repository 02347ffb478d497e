//! What is done to a store that no server uses: compacting it, and making one from a backup.
//!
//! Invariants: the store that is there is replaced only by one that is whole and durable.

use std::path::Path;

use super::open;
use super::repair::bounds;
use super::start::{self, Found};
use super::{Exported, SledOptions};
use crate::export;
use crate::log::disk::{cannot, private_directory};
use crate::log::manifest::{self, Manifest};
use crate::rebuild::{Rebuilt, rebuild};
use crate::{Seq, StorageError};

/// Rewrites the store so that it takes no more room than its records: a base export now, and sled made anew from it.
/// Works on a closed store only; blocks.
pub async fn compact(options: &SledOptions) -> Result<Rebuilt, StorageError> {
    let store = super::SledStore::open(options)?;
    store.export().await?;
    crate::Physical::close(&store).await?;
    drop(store);
    let Found { lock, home, mut manifest, .. } = start::find(options)?;
    let (index, rebuilt, _) = rebuild(&home, &manifest, &bounds(&manifest, 0), "asked for")?;
    drop(index);
    // Nothing was wrong with the old one: it is not kept.
    crate::rebuild::drop_damaged(&home)?;
    manifest.closed = open::prints(&home.sled()).ok();
    manifest.write(&*home.disk, &home.directory)?;
    drop(lock);
    Ok(rebuilt)
}

/// Makes a store in the empty directory of `options` from the export or backup at `file`.
pub fn restore(options: &SledOptions, file: &Path) -> Result<Exported, StorageError> {
    let directory = &options.directory;
    let contents = export::read(file, |_| Ok(()))?;
    private_directory(directory).map_err(|error| cannot("use the directory", directory, &error))?;
    let occupied = std::fs::read_dir(directory)
        .map_err(|error| cannot("list", directory, &error))?
        .flatten()
        .any(|entry| entry.file_name() != "lock" && !start::is_of_the_file_system(&entry.file_name()));
    if occupied {
        return Err(StorageError::Unavailable(format!("`{}` is not empty", directory.display())));
    }
    let _lock = open::lock(directory)?;
    let (wal, exports) = (directory.join("wal"), directory.join("export"));
    for part in [&wal, &exports] {
        private_directory(part).map_err(|error| cannot("create", part, &error))?;
    }
    let name = export::name(&contents.end);
    let path = exports.join(&name);
    let mut writer = export::Writer::create(&*options.disk, &path, &contents.store)?;
    export::read(file, |change| writer.push(&change))?;
    writer.finish(&contents.end)?;
    for part in [&exports, directory] {
        options.disk.sync_directory(part).map_err(|error| cannot("sync", part, &error))?;
    }
    let made = Manifest {
        format: manifest::FORMAT,
        store: contents.store,
        checkpoint: contents.end,
        base: contents.end,
        export: name,
        closed: None,
    };
    made.write(&*options.disk, directory)?;
    Ok(Exported { seq: Seq(contents.end.seq), entries: contents.entries, bytes: contents.bytes })
}
