//! Opens the directory: lock, manifest, log, and sled under guard; sled is rebuilt when it cannot be trusted.
//!
//! Invariants: one process at a time; sled is believed only when it was closed cleanly and its files are as they were left,
//! or when every record in it fits the sum. Knows nothing of commits.

use std::fs::{File, OpenOptions, Permissions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::guard::{Trouble, guarded};
use super::index::Index;
use crate::log::disk::{Disk, cannot, private_directory};
use crate::log::manifest::{Manifest, Print};
use crate::log::segment::StoreId;
use crate::{StorageError, export};

/// How long the end of an earlier process is waited for.
const LOCK_WAIT: Duration = Duration::from_secs(2);
const SLED_LOCK_WAIT: Duration = Duration::from_secs(5);
const LOCK_PAUSE: Duration = Duration::from_millis(20);
/// Opening and checking may take this long, and as much again for each GiB; then sled counts as hung.
const OPEN_LIMIT: Duration = Duration::from_secs(60);
/// Stored by sled for good; pages smaller than a quarter of it never go to unsynced files.
const SLED_SEGMENT: usize = 8 << 20;

/// The places of one store.
#[derive(Clone)]
pub(crate) struct Home {
    pub(crate) directory: PathBuf,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) cache_bytes: u64,
}

impl Home {
    pub(crate) fn wal(&self) -> PathBuf {
        self.directory.join("wal")
    }

    pub(crate) fn exports(&self) -> PathBuf {
        self.directory.join("export")
    }

    pub(crate) fn sled(&self) -> PathBuf {
        self.directory.join("sled")
    }

    pub(crate) fn sled_new(&self) -> PathBuf {
        self.directory.join("sled.new")
    }

    pub(crate) fn sync(&self, directory: &Path) -> Result<(), StorageError> {
        self.disk.sync_directory(directory).map_err(|error| cannot("sync", directory, &error))
    }
}

/// The time now, for durations only.
#[expect(
    clippy::disallowed_methods,
    reason = "measures how long opening takes and paces retries; decides nothing"
)]
pub(crate) fn stopwatch() -> Instant {
    Instant::now()
}

/// Waits a moment for another thread or process.
pub(crate) fn pause(duration: Duration) {
    let (_never, ends) = mpsc::channel::<()>();
    let _ = ends.recv_timeout(duration);
}

/// Holds a directory for one process. The file alone would not do: whoever removes it makes room for another process. The
/// directory alone would not either: some file systems lock only files.
pub(crate) struct Lock {
    _directory: File,
    _file: File,
}

/// Makes the directory private and takes its lock.
pub(crate) fn lock(directory: &Path) -> Result<Lock, StorageError> {
    if let Some(parent) = directory.parent()
        && !directory.exists()
    {
        std::fs::create_dir_all(parent).map_err(|error| cannot("create", parent, &error))?;
    }
    private_directory(directory).map_err(|error| cannot("use the directory", directory, &error))?;
    let path = directory.join("lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .and_then(|file| file.set_permissions(Permissions::from_mode(0o600)).map(|()| file))
        .map_err(|error| cannot("open", &path, &error))?;
    let whole = File::open(directory).map_err(|error| cannot("open", directory, &error))?;
    let began = stopwatch();
    let used = || in_use(directory);
    take(&file, began, used)?.map_err(|error| cannot("lock", &path, &error))?;
    if let Err(error) = take(&whole, began, used)? {
        tracing::debug!(%error, "this file system locks no directories, the lock file has to do");
    }
    Ok(Lock { _directory: whole, _file: file })
}

/// Takes one lock; the outer error is that somebody holds it and goes on holding it.
fn take(
    file: &File,
    began: Instant,
    used: impl Fn() -> StorageError,
) -> Result<std::io::Result<()>, StorageError> {
    loop {
        match rustix::fs::flock(file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) if began.elapsed() < LOCK_WAIT => pause(LOCK_PAUSE),
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(used()),
            taken => return Ok(taken.map_err(std::io::Error::from)),
        }
    }
}

/// What whoever comes second hears.
pub(crate) fn in_use(directory: &Path) -> StorageError {
    StorageError::Unavailable(format!(
        "another process uses `{}`; two servers cannot share a store",
        directory.display()
    ))
}

/// Removes what a crash left half made.
pub(crate) fn tidy(home: &Home) -> Result<(), StorageError> {
    remove_tree(&home.sled_new())?;
    let unfinished = home.exports().join(export::UNFINISHED);
    match std::fs::remove_file(&unfinished) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(cannot("remove", &unfinished, &error))
        }
        _ => Ok(()),
    }
}

/// Removes base exports that a later one replaced. Only for a store that is open: until then nobody knows whether the
/// manifest is the right one. Files of other names are not ours.
pub(crate) fn drop_superseded(home: &Home, manifest: &Manifest) {
    let Ok(entries) = std::fs::read_dir(home.exports()) else { return };
    for entry in entries.flatten() {
        let frame = entry.file_name().to_str().and_then(export::frame_of);
        if frame.is_some_and(|frame| frame < manifest.base.frame)
            && let Err(error) = std::fs::remove_file(entry.path())
        {
            tracing::warn!(%error, "cannot remove an export that is no longer needed");
        }
    }
}

/// Removes a directory and what is in it; none there is fine.
pub(crate) fn remove_tree(path: &Path) -> Result<(), StorageError> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(cannot("remove", path, &error)),
        _ => Ok(()),
    }
}

/// Opens sled in `directory` as the index of `store`, and reads all of it when `verify` says so.
///
/// In a thread of its own with a time limit: sled may hang as well as panic.
pub(crate) fn index(
    directory: &Path,
    cache_bytes: u64,
    store: StoreId,
    verify: bool,
) -> Result<Index, Trouble> {
    let (answer, answered) = mpsc::channel();
    let place = directory.to_owned();
    let work = move || {
        if verify {
            read_ahead(&place.join("db"));
        }
        let opened = start(&place, cache_bytes).and_then(|db| Index::new(db, &place, &store));
        let checked =
            opened.and_then(|index| if verify { index.verify().map(|()| index) } else { Ok(index) });
        let _ = answer.send(checked);
    };
    let size = std::fs::metadata(directory.join("db")).map_or(0, |file| file.len());
    let limit = OPEN_LIMIT.saturating_mul(u32::try_from(1 + (size >> 30)).unwrap_or(u32::MAX));
    std::thread::Builder::new()
        .name("sled-open".to_owned())
        .spawn(work)
        .map_err(|error| Trouble::Io(format!("cannot start a thread: {error}")))?;
    match answered.recv_timeout(limit) {
        Ok(opened) => opened,
        Err(RecvTimeoutError::Timeout) => Err(Trouble::Broken("sled did not open in time".to_owned())),
        Err(RecvTimeoutError::Disconnected) => Err(Trouble::Broken("sled panicked at opening".to_owned())),
    }
}

/// Reads a file from end to end, so that it is in memory when its pages are asked for in any order: a million records
/// took two minutes to check from a cold disk, and seconds from memory.
fn read_ahead(path: &Path) {
    if let Ok(mut file) = File::open(path) {
        let _ = std::io::copy(&mut file, &mut std::io::sink());
    }
}

fn start(directory: &Path, cache_bytes: u64) -> Result<sled::Db, Trouble> {
    let io = |error: std::io::Error| Trouble::Io(error.to_string());
    private_directory(directory).map_err(io)?;
    private_directory(&directory.join("blobs")).map_err(io)?;
    set_bad_snapshots_aside(directory).map_err(io)?;
    let config = sled::Config::new()
        .path(directory)
        .cache_capacity(cache_bytes)
        .segment_size(SLED_SEGMENT)
        .use_compression(false)
        .flush_every_ms(Some(500));
    let began = stopwatch();
    let db = loop {
        match guarded(|| config.open()) {
            // The old process, or an old thread of this one, may be a moment from letting go.
            Err(_) if is_locked(&directory.join("db")) => {
                if began.elapsed() > SLED_LOCK_WAIT {
                    return Err(Trouble::Held);
                }
                pause(LOCK_PAUSE);
            }
            opened => break opened?,
        }
    };
    make_private(directory).map_err(io)?;
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(io)?;
    Ok(db)
}

fn is_locked(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive)
        == Err(rustix::io::Errno::WOULDBLOCK)
}

/// sled makes its files with the process's umask.
fn make_private(directory: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let mode = if entry.file_type()?.is_dir() { 0o700 } else { 0o600 };
        std::fs::set_permissions(entry.path(), Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// sled does not open beside a snapshot that was not finished, though its log alone would do.
fn set_bad_snapshots_aside(directory: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !name.starts_with("snap.") {
            continue;
        }
        if name.ends_with(".generating") {
            std::fs::remove_file(&path)?;
        } else if !snapshot_is_whole(&std::fs::read(&path)?) {
            tracing::warn!("a snapshot of sled's is damaged and set aside");
            std::fs::rename(&path, directory.join(format!("damaged-{name}")))?;
        }
    }
    Ok(())
}

/// sled ends a snapshot with its length (8 bytes) and the CRC-32 of what comes before these twelve.
fn snapshot_is_whole(bytes: &[u8]) -> bool {
    let Some((body, tail)) = bytes.len().checked_sub(12).and_then(|at| bytes.split_at_checked(at)) else {
        return false;
    };
    !body.is_empty() && tail.ends_with(&crc32fast::hash(body).to_le_bytes())
}

/// Makes durable whatever sled wrote last: it may have gone on behind the last checkpoint.
pub(crate) fn sync_files(directory: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_file() {
            File::open(path)?.sync_all()?;
        }
    }
    File::open(directory)?.sync_all()
}

/// How sled's files look from outside.
pub(crate) fn prints(directory: &Path) -> std::io::Result<Vec<Print>> {
    let mut prints = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if metadata.is_file() {
            prints.push(Print {
                name: entry.file_name().to_string_lossy().into_owned(),
                length: metadata.len(),
                seconds: metadata.mtime(),
                nanoseconds: metadata.mtime_nsec(),
            });
        }
    }
    prints.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(prints)
}
