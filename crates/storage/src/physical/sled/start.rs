//! From a directory to a running store.
//!
//! Invariants: a directory that is not ours is refused untouched but for the lock; the manifest is the first file of a new
//! store that matters, so a crash while making one leaves nothing that looks like one.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use tokio::sync::watch;
use vestal_crypto::{Entropy as _, OsEntropy};

use super::SledOptions;
use super::committer::Committer;
use super::keeper;
use super::open::{self, Home, Lock, stopwatch};
use super::repair::{self, Ready};
use super::shared::{Door, Shared};
use super::space::{self, Space};
use crate::log::Log;
use crate::log::disk::{cannot, private_directory};
use crate::log::manifest::{self, Manifest, Position};
use crate::log::segment;
use crate::{Epoch, StorageError, export};

/// What a directory may hold before its manifest is written.
const UNFINISHED: [&str; 4] = ["lock", "manifest.tmp", "wal", "export"];

/// The lock, the places, and what the manifest says.
pub(crate) struct Found {
    pub(crate) lock: Lock,
    pub(crate) home: Home,
    pub(crate) manifest: Manifest,
    /// Whether the store was made just now.
    pub(crate) new: bool,
}

/// Takes the directory; makes a store in it when it is empty.
pub(crate) fn find(options: &SledOptions) -> Result<Found, StorageError> {
    refuse_foreign(options)?;
    let lock = open::lock(&options.directory)?;
    let home = Home {
        directory: options.directory.clone(),
        disk: Arc::clone(&options.disk),
        cache_bytes: options.cache_bytes,
    };
    let found = Manifest::read(&home.directory)?;
    let new = found.is_none();
    if !new && !home.wal().is_dir() {
        return Err(StorageError::Corrupt(format!("`{}` is missing", home.wal().display())));
    }
    for directory in [home.wal(), home.exports()] {
        private_directory(&directory).map_err(|error| cannot("use the directory", &directory, &error))?;
    }
    let manifest = match found {
        Some(manifest) => manifest,
        None => make(&home)?,
    };
    open::tidy(&home)?;
    Ok(Found { lock, home, manifest, new })
}

/// A directory with other people's files, or with a store whose manifest is gone, is not touched.
fn refuse_foreign(options: &SledOptions) -> Result<(), StorageError> {
    let directory = &options.directory;
    if !directory.exists() || manifest::path(directory).exists() {
        return Ok(());
    }
    let entries = std::fs::read_dir(directory).map_err(|error| cannot("list", directory, &error))?;
    let names: BTreeSet<String> = entries
        .flatten()
        .map(|entry| entry.file_name())
        .filter(|name| !is_of_the_file_system(name))
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    let log = segment::list(&directory.join("wal")).is_ok_and(|segments| !segments.is_empty());
    if names.contains("sled") || log {
        return Err(StorageError::Corrupt(format!("`{}` is missing", manifest::path(directory).display())));
    }
    match names.iter().find(|name| !UNFINISHED.contains(&name.as_str())) {
        Some(_) => Err(StorageError::Unavailable(format!(
            "`{}` holds other files and no store; name an empty directory",
            directory.display()
        ))),
        None => Ok(()),
    }
}

/// What a file system keeps at its own root, where a store may lie as well.
pub(crate) fn is_of_the_file_system(name: &OsStr) -> bool {
    name == "lost+found" || name.as_encoded_bytes().starts_with(b".")
}

/// A new store: an empty base export and a manifest.
fn make(home: &Home) -> Result<Manifest, StorageError> {
    let mut store = [0; 16];
    OsEntropy.fill(&mut store);
    let base = Position::default();
    let name = export::name(&base);
    let path = home.exports().join(&name);
    let _ = std::fs::remove_file(&path);
    export::Writer::create(&*home.disk, &path, &store)?.finish(&base)?;
    home.sync(&home.exports())?;
    home.disk.reached("a new store has its empty export");
    let manifest =
        Manifest { format: manifest::FORMAT, store, checkpoint: base, base, export: name, closed: None };
    manifest.write(&*home.disk, &home.directory)?;
    match home.directory.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => home.sync(parent)?,
        _ => {}
    }
    Ok(manifest)
}

/// Opens the store and starts its two threads; the committer's ends when the store is closed.
pub(crate) fn start(options: &SledOptions) -> Result<(Arc<Shared>, JoinHandle<()>), StorageError> {
    match try_start(options) {
        // What was set aside for bad days is enough to read everything and to write what must not fail.
        Err(StorageError::Full(why)) if space::drop_reserve(&options.directory) => {
            tracing::warn!(why, "the disk is full: the reserve is given back to open the store");
            try_start(options)
        }
        started => started,
    }
}

fn try_start(options: &SledOptions) -> Result<(Arc<Shared>, JoinHandle<()>), StorageError> {
    let began = stopwatch();
    let Found { lock, home, mut manifest, new } = find(options)?;
    let Ready { index, scan, rebuilt } = repair::ready(&home, &manifest, 0)?;
    open::drop_superseded(&home, &manifest);
    let export = export::glance(&home.exports().join(&manifest.export), &manifest.store, &manifest.base);
    if manifest.closed.take().is_some() {
        // From now on sled's files change.
        manifest.write(&*home.disk, &home.directory)?;
    }
    let end = scan.end;
    if scan.torn {
        tracing::info!("the log ends with a torn write that was never acknowledged");
    }
    let log = Log::open(Arc::clone(&home.disk), &home.wal(), manifest.store, scan);
    let space = Space::new(Arc::clone(&home.disk), &home.directory, options.soft_limit, options.reserve);
    space.restock();
    let (committer, queue) = mpsc::channel();
    let (keeper, tasks) = mpsc::channel();
    let shared = Arc::new(Shared {
        home,
        door: watch::Sender::new(Door::Open(0, Arc::new(index))),
        applied: AtomicU64::new(end.seq),
        watchers: Mutex::default(),
        log: Mutex::new(log),
        manifest: Mutex::new(manifest),
        visible: Mutex::new(end),
        space,
        committer,
        keeper: Mutex::new(keeper),
        keeper_thread: Mutex::default(),
        generation: AtomicU64::new(0),
        stopping: AtomicBool::new(false),
        checkpoint_asked: AtomicBool::new(false),
        export_asked: AtomicBool::new(false),
        export_after: options.export_after,
        opened_in: began.elapsed(),
        rebuilt: Mutex::new(rebuilt.filter(|_| !new)),
    });
    let thread = {
        let shared = Arc::clone(&shared);
        spawn("storage-keeper", move || keeper::run(&shared, &tasks))?
    };
    *super::shared::held(&shared.keeper_thread) = Some(thread);
    if let Err(error) = export {
        tracing::error!(%error, "the base export is lost, sled is the only whole copy; a new export is made");
        shared.ask_export();
    }
    let thread = {
        let shared = Arc::clone(&shared);
        spawn("storage-commit", move || {
            Committer::new(shared, queue, Epoch(end.epoch)).run();
            drop(lock);
        })?
    };
    Ok((shared, thread))
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StorageError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map_err(|error| StorageError::Unavailable(format!("cannot start a thread: {error}")))
}
