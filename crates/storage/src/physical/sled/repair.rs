//! Gets a trustworthy index: at opening, and again when sled fails at run time.
//!
//! Invariants: an index that is handed out holds everything in the log. Knows nothing of who waits for it.

use std::sync::Arc;
use std::time::Duration;

use super::guard::Trouble;
use super::index::{Index, Replay};
use super::open::{self, Home, pause, stopwatch};
use super::shared::{Door, Shared, held};
use crate::StorageError;
use crate::log::manifest::Manifest;
use crate::log::{Bounds, Scan, segment};
use crate::rebuild::{Rebuilt, rebuild};

/// Readers let go of an index within this time, or it stays open beside the new one.
const LET_GO: Duration = Duration::from_secs(5);
/// Below this no attempt is made: sled alone takes segments of 8 MiB.
const ROOM: u64 = 10 << 20;

/// An index that holds all of the log, what the log holds, and the rebuild if there was one.
pub(crate) struct Ready {
    pub(crate) index: Index,
    pub(crate) scan: Scan,
    pub(crate) rebuilt: Option<Rebuilt>,
}

/// Opens sled as it is left, or rebuilds it. The log is known to reach frame `known`.
pub(crate) fn ready(home: &Home, manifest: &Manifest, known: u64) -> Result<Ready, StorageError> {
    match as_left(home, manifest) {
        Ok(found) => replayed(home, manifest, known, found),
        Err(Trouble::Held) => Err(open::in_use(&home.directory)),
        // sled needs room to open; a rebuild would need more.
        Err(Trouble::Io(why) | Trouble::Stuck(why))
            if home.disk.space(&home.directory).is_ok_and(|space| space.free < ROOM) =>
        {
            Err(StorageError::Full(format!("there is no room to open the store: {why}")))
        }
        Err(trouble) => anew(home, manifest, known, &trouble),
    }
}

/// sled as the last process left it, if that can be believed.
fn as_left(home: &Home, manifest: &Manifest) -> Result<Index, Trouble> {
    let directory = home.sled();
    if !directory.is_dir() {
        return Err(Trouble::Broken("sled's directory is missing".to_owned()));
    }
    let untouched = manifest
        .closed
        .as_ref()
        .is_some_and(|left| open::prints(&directory).is_ok_and(|found| found == *left));
    let index = open::index(&directory, home.cache_bytes, manifest.store, !untouched)?;
    // The log before the base export need not be there, so it cannot bring sled any further.
    if index.mark().seq < manifest.checkpoint.seq.max(manifest.base.seq) {
        return Err(Trouble::Broken("sled is behind its last checkpoint".to_owned()));
    }
    Ok(index)
}

/// What of the log must be there, beside what `known` says.
pub(crate) fn bounds(manifest: &Manifest, known: u64) -> Bounds {
    Bounds { base: manifest.base, known: manifest.checkpoint.frame.max(known) }
}

/// Applies what of the log sled does not have yet.
fn replayed(home: &Home, manifest: &Manifest, known: u64, index: Index) -> Result<Ready, StorageError> {
    let mark = index.mark();
    let mut replay = Replay::new(&index);
    let mut failed = None;
    let segments = segment::list(&home.wal())?;
    let scan = Scan::run(&segments, &manifest.store, &bounds(manifest, known.max(mark.frame)), |frame| {
        if failed.is_none() {
            failed = replay.frame(frame).err();
        }
        Ok(())
    })?;
    let failed = match failed {
        // A cut may have come between two batches of one frame, so the frame alone says nothing.
        None if (scan.end.seq, scan.end.frame) != (mark.seq, mark.frame) => {
            replay.finish(scan.end.seq, scan.end.frame).err()
        }
        failed => failed,
    };
    match failed {
        None => Ok(Ready { index, scan, rebuilt: None }),
        Some(trouble) => {
            drop(index);
            anew(home, manifest, known, &trouble)
        }
    }
}

fn anew(home: &Home, manifest: &Manifest, known: u64, trouble: &Trouble) -> Result<Ready, StorageError> {
    let (index, rebuilt, scan) = rebuild(home, manifest, &bounds(manifest, known), &trouble.to_string())?;
    Ok(Ready { index, scan, rebuilt: Some(rebuilt) })
}

/// Replaces the index that failed with `trouble`, keeping readers waiting.
pub(crate) fn repair(shared: &Shared, trouble: &Trouble) -> Result<(), Trouble> {
    // Without room sled would not open again, and then nothing could be read either.
    let room = || shared.space.give_back() || shared.space.left().is_none_or(|left| left >= ROOM);
    let refused = matches!(trouble, Trouble::Io(_) | Trouble::Stuck(_));
    if refused && !room() {
        return Err(trouble.clone());
    }
    let generation = shared.next_generation();
    let old = shared.door.send_replace(Door::Repairing);
    // No new base may come while the old one is read.
    let manifest = held(&shared.manifest);
    let known = held(&shared.visible).frame;
    // The system refused, sled's files may be well: they are opened again, once nobody uses them.
    let opened = if refused && let_go(old) {
        ready(&shared.home, &manifest, known)
    } else {
        anew(&shared.home, &manifest, known, trouble)
    };
    match opened {
        Ok(ready) => {
            if ready.rebuilt.is_some() {
                *held(&shared.rebuilt) = ready.rebuilt;
            }
            shared.door.send_replace(Door::Open(generation, Arc::new(ready.index)));
            Ok(())
        }
        Err(error) => {
            tracing::error!(%error, "the store could not be rebuilt");
            shared.door.send_replace(Door::Shut(error.to_string()));
            Err(Trouble::Broken(error.to_string()))
        }
    }
}

/// Waits until nobody uses what was behind the door.
pub(crate) fn let_go(old: Door) -> bool {
    let Door::Open(_, index) = old else { return true };
    let used = Arc::downgrade(&index);
    drop(index);
    let began = stopwatch();
    while used.strong_count() > 0 {
        if began.elapsed() > LET_GO {
            return false;
        }
        pause(Duration::from_millis(1));
    }
    true
}
