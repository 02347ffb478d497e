//! The clean end: sled durable and let go, its files noted in the manifest, so that the next opening may believe them.

use std::time::Duration;

use super::keeper;
use super::open;
use super::repair::let_go;
use super::shared::{Door, Shared, Task, held};
use crate::StorageError;

/// A checkpoint or the end of an export takes no longer, unless sled hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// Closes everything; `whole` says that sled holds all of the log.
pub(crate) fn close(shared: &Shared, whole: bool) -> Result<(), StorageError> {
    shared.stopping.store(true, std::sync::atomic::Ordering::Release);
    shared.ask(Task::Stop);
    let whole = keeper_ended(shared) && whole;
    let flushed = if whole { keeper::checkpoint(shared) } else { Ok(()) };
    let old = shared.door.send_replace(Door::Shut("the store is closed".to_owned()));
    if let_go(old) && whole && flushed.is_ok() {
        let mut manifest = held(&shared.manifest);
        let sled = shared.home.sled();
        manifest.closed = open::sync_files(&sled).and_then(|()| open::prints(&sled)).ok();
        manifest.write(&*shared.home.disk, &shared.home.directory)?;
    }
    // What was acknowledged is in the log; sled unflushed costs a replay, so it is no failure of closing.
    if let Err(error) = flushed {
        tracing::warn!(%error, "sled was not flushed at closing");
    }
    Ok(())
}

/// Waits for the keeper to end; a sled that hangs must not keep the process from ending.
fn keeper_ended(shared: &Shared) -> bool {
    let Some(thread) = held(&shared.keeper_thread).take() else { return true };
    let began = open::stopwatch();
    while !thread.is_finished() {
        if began.elapsed() > PATIENCE {
            tracing::error!("sled hangs; the store is closed without it, and replayed at the next start");
            return false;
        }
        open::pause(Duration::from_millis(2));
    }
    thread.join().is_ok()
}
