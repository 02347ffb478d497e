//! The thread that keeps the log short: checkpoints, base exports, backups.
//!
//! A checkpoint makes sled durable and moves *replay from*; only a new base export lets segments of the log go. An export
//! is a paged walk of the live store, followed by what was committed meanwhile, so it is complete by itself.
//!
//! Invariants: nothing old is dropped before the new was read back and named by the manifest. Knows nothing of commits.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;

use super::guard::Trouble;
use super::shared::{Shared, Task, held, shut};
use crate::StorageError;
use crate::export::{self, Contents};
use crate::log::disk::cannot;
use crate::log::frame::Change;
use crate::log::manifest::Position;
use crate::log::{Bounds, Scan};

/// Records of one page of the walk.
const PAGE: usize = 512;

/// Works until told to stop.
pub(crate) fn run(shared: &Arc<Shared>, tasks: &Receiver<Task>) {
    while let Ok(task) = tasks.recv() {
        match task {
            Task::Checkpoint => {
                if let Err(error) = checkpoint(shared) {
                    tracing::warn!(%error, "no checkpoint was made");
                }
                shared.checkpoint_asked.store(false, Ordering::Release);
            }
            Task::Export(None) => {
                if let Err(error) = automatic_export(shared) {
                    tracing::warn!(%error, "no export was made; the log keeps growing");
                }
                shared.export_asked.store(false, Ordering::Release);
            }
            Task::Export(Some(answer)) => {
                let _ = answer.send(new_base(shared));
            }
            Task::Backup(path, answer) => {
                let _ = answer.send(write(shared, &path));
            }
            Task::Stop => return,
        }
    }
}

/// Makes sled durable up to what is visible, and notes it.
pub(crate) fn checkpoint(shared: &Shared) -> Result<(), StorageError> {
    let (generation, index) = shared.index().ok_or_else(|| shut("the store is being rebuilt"))?;
    let reached = *held(&shared.visible);
    index.flush().map_err(|trouble| broke(shared, generation, trouble))?;
    if index.has_blobs() {
        tracing::error!(
            "sled has put records into `blobs`, which it never syncs; run `vestal operator compact`"
        );
    }
    shared.home.disk.reached("sled is flushed");
    let mut manifest = held(&shared.manifest);
    if reached.frame > manifest.checkpoint.frame {
        manifest.checkpoint = reached;
        manifest.write(&*shared.home.disk, &shared.home.directory)?;
    }
    Ok(())
}

fn broke(shared: &Shared, generation: u64, trouble: Trouble) -> StorageError {
    let error = StorageError::Unavailable(trouble.to_string());
    if let Trouble::Broken(_) | Trouble::Stuck(_) = trouble {
        shared.report_broken(generation, trouble);
    }
    error
}

fn automatic_export(shared: &Shared) -> Result<(), StorageError> {
    let live = shared.index().map_or(0, |(_, index)| index.mark().sum.bytes);
    if !shared.space.fits(live + live / 4) {
        return Err(StorageError::Full("there is no room for an export".to_owned()));
    }
    new_base(shared).map(|_| ())
}

/// Writes a new base export and lets the log before it go.
pub(crate) fn new_base(shared: &Shared) -> Result<Contents, StorageError> {
    let exports = shared.home.exports();
    let written = exports.join(export::UNFINISHED);
    let contents = write(shared, &written)?;
    shared.home.disk.reached("an export is written");
    let name = export::name(&contents.end);
    let path = exports.join(&name);
    std::fs::rename(&written, &path).map_err(|error| cannot("rename", &written, &error))?;
    shared.home.sync(&exports)?;
    shared.home.disk.reached("an export has its name");
    // Else a crash would find sled behind the new base, and rebuild it.
    checkpoint(shared)?;
    let mut manifest = held(&shared.manifest);
    let old = exports.join(&manifest.export);
    manifest.base = contents.end;
    manifest.export = name;
    manifest.write(&*shared.home.disk, &shared.home.directory)?;
    shared.home.disk.reached("an export is the base");
    if old != path {
        if let Err(error) = std::fs::remove_file(&old) {
            tracing::warn!(%error, "cannot remove the export that was replaced");
        }
        shared.home.disk.reached("the old export is gone");
    }
    held(&shared.log).retire(&contents.end)?;
    shared.home.disk.reached("segments are retired");
    Ok(contents)
}

/// Writes everything that is visible into a new file at `path`, durable and read back; a failed one is removed.
pub(crate) fn write(shared: &Shared, path: &Path) -> Result<Contents, StorageError> {
    // What an earlier attempt left; a file somebody else keeps under this name is not ours to remove.
    if path.starts_with(shared.home.exports()) {
        let _ = std::fs::remove_file(path);
    } else if path.exists() {
        return Err(shut("there is a file of that name already"));
    }
    let written = walk(shared, path);
    if written.is_err() {
        let _ = std::fs::remove_file(path);
    }
    written
}

fn walk(shared: &Shared, path: &Path) -> Result<Contents, StorageError> {
    let (generation, index) = shared.index().ok_or_else(|| shut("the store is being rebuilt"))?;
    let start = *held(&shared.visible);
    let (store, base) = {
        let manifest = held(&shared.manifest);
        (manifest.store, manifest.base)
    };
    let mut writer = export::Writer::create(&*shared.home.disk, path, &store)?;
    let mut from = Vec::new();
    loop {
        if shared.stopping.load(Ordering::Acquire) {
            return Err(shut("the store is closing"));
        }
        let page = index.page(&from, None, PAGE).map_err(|trouble| broke(shared, generation, trouble))?;
        let Some((last, _)) = page.last() else { break };
        // The first key behind the last one.
        from = [last.as_slice(), &[0]].concat();
        for (key, content) in page {
            writer.push(&Change { key, value: Some(content) })?;
        }
    }
    shared.home.disk.reached("an export has walked the store");
    let end = *held(&shared.visible);
    append_log(shared, &mut writer, base, (start, end))?;
    writer.finish(&end)
}

/// What was committed between the two positions: the pages may have it or not.
fn append_log(
    shared: &Shared,
    writer: &mut export::Writer,
    base: Position,
    (start, end): (Position, Position),
) -> Result<(), StorageError> {
    if start == end {
        return Ok(());
    }
    let (segments, store) = {
        let log = held(&shared.log);
        let segments: Vec<_> =
            log.segments().iter().map(|segment| (segment.index, segment.path.clone())).collect();
        (segments, held(&shared.manifest).store)
    };
    // A frame being appended right now looks torn, and is behind `end` anyway.
    let scan = Scan::run(&segments, &store, &Bounds { base, known: end.frame }, |frame| {
        if frame.number > start.frame && frame.number <= end.frame {
            for change in frame.batches.iter().flatten() {
                writer.push(change)?;
            }
        }
        Ok(())
    })?;
    if scan.end.frame < end.frame {
        return Err(shut("the log is shorter than what was committed"));
    }
    Ok(())
}
