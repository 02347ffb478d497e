//! Makes sled anew from the base export and the log, which together hold everything that was ever acknowledged.
//!
//! The new one grows in `sled.new` and takes its name when it is whole and durable; a crash before that starts over. The
//! old one is kept as `sled.damaged-N`, one at most. Knows nothing of why.

use std::path::PathBuf;
use std::time::Duration;

use crate::StorageError;
use crate::export;
use crate::log::disk::{cannot, damaged};
use crate::log::frame::Change;
use crate::log::manifest::Manifest;
use crate::log::segment;
use crate::log::{Bounds, Scan};
use crate::physical::sled::guard::Trouble;
use crate::physical::sled::index::{Index, Replay};
use crate::physical::sled::open::{self, Home};

/// Entries of an export are taken over in pieces of this many bytes.
const CHUNK: usize = 1 << 20;
/// Progress is told each time so many bytes were read.
const STEP: u64 = 128 << 20;

/// What a rebuild did.
#[derive(Debug, Clone)]
pub struct Rebuilt {
    /// Why it was needed.
    pub reason: String,
    /// Bytes of export and log that were read.
    pub bytes: u64,
    /// Records there are now.
    pub records: u64,
    /// How long it took.
    pub took: Duration,
}

impl Rebuilt {
    /// Seconds for each GB read.
    pub fn seconds_per_gb(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let gigabytes = self.bytes.max(1) as f64 / 1e9;
        self.took.as_secs_f64() / gigabytes
    }
}

struct Progress {
    done: u64,
    told: u64,
    total: u64,
}

impl Progress {
    fn add(&mut self, bytes: u64) {
        self.done += bytes;
        if self.done >= self.told + STEP {
            self.told = self.done;
            tracing::info!(done_mb = self.done >> 20, total_mb = self.total >> 20, "rebuilding the store");
        }
    }
}

/// Builds sled from export and log, and puts it in its place; gives it back open. A failed one leaves nothing behind.
pub(crate) fn rebuild(
    home: &Home,
    manifest: &Manifest,
    bounds: &Bounds,
    reason: &str,
) -> Result<(Index, Rebuilt, Scan), StorageError> {
    let built = build(home, manifest, bounds, reason);
    if built.is_err() {
        // What is half built would take the room that the next attempt needs.
        let _ = open::remove_tree(&home.sled_new());
    }
    built
}

fn build(
    home: &Home,
    manifest: &Manifest,
    bounds: &Bounds,
    reason: &str,
) -> Result<(Index, Rebuilt, Scan), StorageError> {
    let began = open::stopwatch();
    let segments = segment::list(&home.wal())?;
    let export = home.exports().join(&manifest.export);
    let size = |path: &PathBuf| std::fs::metadata(path).map_or(0, |file| file.len());
    let total = size(&export) + segments.iter().map(|(_, path)| size(path)).sum::<u64>();
    if total > STEP {
        tracing::warn!(reason, total_mb = total >> 20, "the store is rebuilt from export and log");
    }
    let directory = home.sled_new();
    open::remove_tree(&directory)?;
    let index = open::index(&directory, home.cache_bytes, manifest.store, false).map_err(failed)?;
    let mut progress = Progress { done: 0, told: 0, total };
    load_export(&index, &export, manifest, &mut progress)?;
    home.disk.reached("the export is loaded");
    let mut replay = Replay::new(&index);
    let scan = Scan::run(&segments, &manifest.store, bounds, |frame| {
        progress.add(frame.batches.iter().flatten().map(weight).sum());
        replay.frame(frame).map_err(failed)
    })?;
    replay.finish(scan.end.seq, scan.end.frame).map_err(failed)?;
    index.flush().map_err(failed)?;
    home.sync(&directory)?;
    home.disk.reached("the new sled is durable");
    put_in_place(home)?;
    let done = Rebuilt {
        reason: reason.to_owned(),
        bytes: progress.done,
        records: index.mark().sum.records,
        took: began.elapsed(),
    };
    if progress.done > STEP {
        tracing::warn!(records = done.records, seconds = done.took.as_secs_f64(), "the store is rebuilt");
    }
    Ok((index.moved(&home.sled()), done, scan))
}

fn load_export(
    index: &Index,
    path: &std::path::Path,
    manifest: &Manifest,
    progress: &mut Progress,
) -> Result<(), StorageError> {
    let mut chunk = Vec::new();
    let (mut held, mut chunks) = (0, 0);
    let contents = export::read(path, |change| {
        held += weight(&change);
        chunk.push(change);
        if held < CHUNK as u64 {
            return Ok(());
        }
        progress.add(std::mem::take(&mut held));
        chunks += 1;
        index.load(&std::mem::take(&mut chunk), chunks).map_err(failed)
    })?;
    progress.add(held);
    index.load(&chunk, chunks + 1).map_err(failed)?;
    if contents.store != manifest.store || contents.end != manifest.base {
        return Err(damaged(path, 0, "the export is not the one that the manifest names"));
    }
    index.reached(contents.end.seq, contents.end.frame).map_err(failed)
}

fn weight(change: &Change) -> u64 {
    (change.key.len() + change.value.as_ref().map_or(0, |value| value.bytes.len())) as u64
}

fn put_in_place(home: &Home) -> Result<(), StorageError> {
    let (sled, new) = (home.sled(), home.sled_new());
    if sled.exists() {
        let number = damaged_ones(home)?.last().map_or(0, |(number, _)| *number) + 1;
        let kept = home.directory.join(format!("sled.damaged-{number}"));
        std::fs::rename(&sled, &kept).map_err(|error| cannot("set aside", &sled, &error))?;
        home.disk.reached("the old sled is set aside");
    }
    std::fs::rename(&new, &sled).map_err(|error| cannot("rename", &new, &error))?;
    home.sync(&home.directory)?;
    home.disk.reached("the new sled is in place");
    let mut aside = damaged_ones(home)?;
    aside.pop();
    for (_, old) in aside {
        open::remove_tree(&old)?;
    }
    Ok(())
}

/// Removes what rebuilds have set aside.
pub(crate) fn drop_damaged(home: &Home) -> Result<(), StorageError> {
    damaged_ones(home)?.iter().try_for_each(|(_, old)| open::remove_tree(old))
}

/// What earlier rebuilds have set aside, oldest first.
fn damaged_ones(home: &Home) -> Result<Vec<(u64, PathBuf)>, StorageError> {
    let entries =
        std::fs::read_dir(&home.directory).map_err(|error| cannot("list", &home.directory, &error))?;
    let mut found: Vec<(u64, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let number = name.to_str()?.strip_prefix("sled.damaged-")?.parse().ok()?;
            Some((number, entry.path()))
        })
        .collect();
    found.sort_unstable();
    Ok(found)
}

fn failed(trouble: Trouble) -> StorageError {
    StorageError::Unavailable(format!("the store cannot be rebuilt: {trouble}"))
}
