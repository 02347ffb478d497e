//! Moves credentials in the index when what they wait for changed: the floor of the lead, or a server's settings.
//!
//! Both go in pages with a pause between, so that neither a changed floor nor a popular server fills the store's queue.
//!
//! Invariants: a credential is moved only if it is still what was read; what is being refreshed meanwhile takes the new
//! rules by itself. The floor that the whole index goes by is remembered, so a crash in between starts the move anew.
//! Knows nothing of providers.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use vestal_logical::{DueEntry, Error, Kind};
use vestal_storage::{Changes, Place, Record, Stamped, StorageError, View};

use super::backoff::STORE;
use super::lead::Floor;
use super::refresher::Refresher;
use super::settle::unavailable;
use crate::credential::record::Credential;
use crate::credential::state::{Event, ParkedBy, State, step};
use crate::credential::store::whole;
use crate::server::{Server, ServerProblem};

/// Credentials looked at in one go.
const PAGE: usize = 200;
const PAUSE: Duration = Duration::from_millis(20);
/// How often one is looked at that changes under our eyes.
const LOOKS: u32 = 8;

/// The floor by which the whole index was last laid out.
#[derive(Serialize, Deserialize)]
struct LaidOut {
    floor_seconds: u64,
}

impl Record for LaidOut {
    const VERSION: u8 = 1;
}

fn mark() -> Place {
    Place::root().plain("laid-out")
}

/// Lays the index out by the present floor whenever that is not what it was laid out by.
pub(crate) async fn follow_floor(refresher: &Arc<Refresher>, view: &View, changed: &tokio::sync::Notify) {
    loop {
        let mut failures = 0;
        while let Err(failure) = lay_out(refresher, view).await {
            failures += 1;
            tracing::warn!(%failure, "the index of due credentials could not be laid out, it is tried again");
            refresher.clock.sleep_until(refresher.clock.now().plus(STORE.after(failures, "floor"))).await;
        }
        changed.notified().await;
    }
}

async fn lay_out(refresher: &Arc<Refresher>, view: &View) -> Result<(), Error> {
    let floor = refresher.floor().await?;
    let laid_out = view.get::<LaidOut>(&mark()).await?;
    if laid_out.is_some_and(|laid_out| laid_out.floor_seconds == floor.seconds()) {
        return Ok(());
    }
    let mut after = None;
    let mut moved = 0_usize;
    loop {
        let page = refresher.store.page(after.as_ref(), PAGE).await?;
        for item in page.items {
            let Some(id) = item.id.map(|id| id.to_string()) else { continue };
            let record = Stamped { value: item.value, stamp: item.stamp };
            moved += usize::from(move_one(refresher, &id, record, floor).await?);
        }
        after = match page.next {
            Some(next) => Some(next),
            None => break,
        };
        refresher.clock.sleep_until(refresher.clock.now().plus(PAUSE)).await;
    }
    let mut changes = Changes::new();
    changes.put(view, &mark(), &LaidOut { floor_seconds: floor.seconds() })?;
    view.commit(changes).await?;
    if moved > 0 {
        tracing::info!(moved, "the index of due credentials follows the new check interval");
    }
    Ok(())
}

async fn move_one(
    refresher: &Refresher,
    id: &str,
    old: Stamped<Credential>,
    floor: Floor,
) -> Result<bool, Error> {
    let due = match old.state {
        State::Live if old.trouble.attempts == 0 || old.due.is_none() => floor.due(id, &old),
        State::Live | State::InDoubt if floor.reads_only() => None,
        State::InDoubt if old.due.is_none() => floor.or_never(refresher.clock.now()),
        State::Live | State::InDoubt | State::Idle | State::Parked(_) | State::Broken(_) => return Ok(false),
    };
    if due == old.due {
        return Ok(false);
    }
    let new = Credential { due, ..old.value.clone() };
    let mut changes = Changes::new();
    refresher.store.replace(&mut changes, id, Some(&old), Some(&new))?;
    let moved = refresher.store.commit(changes).await;
    if let Some(at) = due {
        // Also when it is unknown whether it moved: a ring too many costs a look.
        refresher.bell.due(refresher.servers.id(&old.server)?, at);
    }
    match moved {
        Ok(_) => Ok(true),
        // It is being refreshed or replaced, and takes the new floor by itself.
        Err(StorageError::Conflict) => Ok(false),
        Err(failure) => Err(failure.into()),
    }
}

/// Looks at all credentials that wait for a server, in a task of its own.
pub(crate) fn wake(refresher: &Arc<Refresher>, group: &str) {
    let (refresher, group) = (Arc::clone(refresher), group.to_owned());
    tokio::spawn(async move {
        let mut failures = 0;
        while let Err(failure) = wake_all(&refresher, &group).await {
            if matches!(failure.kind(), Kind::Sealed | Kind::Standby) {
                return;
            }
            failures += 1;
            tracing::warn!(server = group, %failure, "waiting credentials could not be looked at, it is tried again");
            refresher.clock.sleep_until(refresher.clock.now().plus(STORE.after(failures, &group))).await;
        }
    });
}

async fn wake_all(refresher: &Refresher, group: &str) -> Result<(), Error> {
    let mut last: Option<DueEntry> = None;
    let mut waiting = 0;
    loop {
        // Those that go on waiting stay in front of what was not seen yet; doubling keeps the whole walk linear.
        let limit = PAGE + 2 * waiting;
        let mut entries = refresher.store.parked.due(group, super::scheduler::FAR, limit).await?;
        if let Some(last) = &last {
            entries.retain(|entry| (entry.at, &entry.id) > (last.at, &last.id));
        }
        let Some(end) = entries.last().cloned() else { return Ok(()) };
        for entry in &entries {
            let woken = match wake_one(refresher, entry).await {
                // One damaged record is no reason to let the others wait.
                Err(StorageError::Corrupt(what)) => {
                    tracing::error!(credential = entry.id, what, "a waiting credential can not be read");
                    false
                }
                woken => woken?,
            };
            waiting += usize::from(!woken);
        }
        last = Some(end);
        refresher.clock.sleep_until(refresher.clock.now().plus(PAUSE)).await;
    }
}

/// Whether it no longer waits.
async fn wake_one(refresher: &Refresher, entry: &DueEntry) -> Result<bool, StorageError> {
    for _ in 1..LOOKS {
        match try_wake(refresher, entry).await {
            // A reader noted something beside it: it still waits, and nobody else would wake it.
            Err(StorageError::Conflict) => {}
            woken => return woken,
        }
    }
    try_wake(refresher, entry).await
}

async fn try_wake(refresher: &Refresher, entry: &DueEntry) -> Result<bool, StorageError> {
    let Some(old) = refresher.store.by_id(&entry.id).await? else { return Ok(false) };
    let State::Parked(by) = old.state else { return Ok(false) };
    let server = match refresher.servers.get(&old.server).await {
        Ok(server) => server,
        Err(ServerProblem::Storage(failure)) => return Err(failure),
        Err(ServerProblem::Missing | ServerProblem::Unusable(_)) => return Ok(false),
    };
    if !serves_again(by, &old, &server) {
        return Ok(false);
    }
    let doubtful = refresher.store.intent(&entry.id, old.generation).await?.is_some();
    let (event, state) =
        if doubtful { (Event::WokenInDoubt, State::InDoubt) } else { (Event::Woken, State::Live) };
    step(old.state.phase(), event).map_err(|illegal| StorageError::Corrupt(illegal.to_string()))?;
    let now = refresher.clock.now();
    let due = refresher.floor().await.map_err(unavailable)?.or_never(now);
    let mut new = Credential { state, due, ..old.value.clone() };
    new.forgive_other_than(server.revision);
    let mut changes = Changes::new();
    refresher.store.replace(&mut changes, &entry.id, Some(&old), Some(&new))?;
    changes.reserved();
    let woken = refresher.store.commit(changes).await;
    // Also when it is unknown whether it woke: a ring too many costs a look.
    refresher.bell.due(entry.group.clone(), whole(now));
    woken.map(|_| true)
}

fn serves_again(by: ParkedBy, record: &Credential, server: &Server) -> bool {
    let home = server.provider.origin() == record.origin;
    match by {
        ParkedBy::Origin => home,
        ParkedBy::Settings(revision) => home && server.revision != revision,
    }
}
