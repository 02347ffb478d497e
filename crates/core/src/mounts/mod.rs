//! The mount tables: what is served where, kept as one record each, and the immutable snapshot that requests meet.
//!
//! A change is made under one lock: decide, open the engine, commit the table, publish the snapshot. So a mount is
//! served from the moment its creation is acknowledged, and not from the moment its removal is.

mod changes;
mod entry;
mod kinds;
mod lifecycle;
mod purge;
mod router;
#[cfg(test)]
mod tests;
mod tune;

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;
use vestal_logical::{EngineKind, Error, MountContext, Timestamp};
use vestal_storage::{Barrier, Place, Stamp, View};

pub(crate) use entry::{Class, MountConfig, MountEntry};
pub(crate) use kinds::kind_and_options;
pub(crate) use lifecycle::{NewMount, canonical};
pub(crate) use router::{Route, Target};
pub(crate) use tune::{Tuning, checked_visibility};

use crate::active::Parts;
use crate::background::Background;
use entry::Tables;
use router::{MountedAt, Snapshot};

/// All mounts of one unsealed kernel.
pub(crate) struct Mounts {
    parts: Arc<Parts>,
    background: Arc<Background>,
    barrier: Barrier,
    /// `core/`: the tables and the list of what is still to be purged.
    view: View,
    snapshot: ArcSwap<Snapshot>,
    /// The tables as last stored, for those who only look: a change can take as long as calls inside a mount do.
    shown: ArcSwap<Tables>,
    /// Held through every change.
    tables: Mutex<Kept>,
    /// Moves done since unsealing, by id: from where to where. Bounded; the oldest are forgotten.
    moves: std::sync::Mutex<VecDeque<Move>>,
}

struct Move {
    id: String,
    from: String,
    to: String,
}

/// How many moves are remembered for those who ask about them.
const MOVES: usize = 256;

/// What an engine has at least for settling: a provider that has answered is never cut off because others were slow.
const SETTLING: Duration = Duration::from_secs(10);

/// The stored tables and the commit they were read at.
struct Kept {
    tables: Tables,
    stamp: Option<Stamp>,
}

impl Mounts {
    /// Reads the tables (or makes those of a new vault), opens every engine, starts its tasks, and goes on purging what
    /// an earlier process began to purge.
    pub(crate) async fn open(
        parts: &Arc<Parts>,
        barrier: &Barrier,
        background: &Arc<Background>,
    ) -> Result<Arc<Self>, Error> {
        let view = barrier.view(&Place::root().plain("core"));
        let mounts = Self {
            parts: Arc::clone(parts),
            background: Arc::clone(background),
            barrier: barrier.clone(),
            view,
            snapshot: ArcSwap::from_pointee(Snapshot::default()),
            shown: ArcSwap::default(),
            tables: Mutex::new(Kept { tables: Tables::default(), stamp: None }),
            moves: std::sync::Mutex::default(),
        };
        mounts.load().await?;
        mounts.purge_leftovers().await?;
        let mounts = Arc::new(mounts);
        for mounted in mounts.snapshot.load().all() {
            if let Target::Engine(engine) = &mounted.target {
                background.start(&mounted.point.uuid, engine.tasks());
            }
        }
        Ok(mounts)
    }

    async fn load(&self) -> Result<(), Error> {
        let mut kept = self.tables.lock().await;
        match self.view.get::<Tables>(&tables_place()).await? {
            Some(stored) => {
                self.shown.store(Arc::new(stored.value.clone()));
                *kept = Kept { tables: stored.value, stamp: Some(stored.stamp) };
            }
            None => {
                let tables = Tables::of_a_new_vault(self.parts.entropy.as_ref());
                self.store(&mut kept, tables).await?;
            }
        }
        let mut all = Vec::new();
        for entry in kept.tables.all() {
            all.push(Arc::new(self.mount(entry).await?));
        }
        self.snapshot.store(Arc::new(Snapshot::of(all)));
        Ok(())
    }

    /// The mount that serves a path.
    pub(crate) fn route(&self, path: &str) -> Option<Route> {
        self.snapshot.load().route(path)
    }

    /// The entries of one table, by path.
    pub(crate) fn entries(&self, class: Class) -> Vec<MountEntry> {
        self.shown.load().of(class).to_vec()
    }

    /// The entry at exactly this path (with its trailing slash).
    pub(crate) fn entry(&self, class: Class, path: &str) -> Option<MountEntry> {
        self.shown.load().of(class).iter().find(|entry| entry.path == path).cloned()
    }

    /// The entry at this path, or else the one whose mount the path lies in.
    pub(crate) fn entry_around(&self, class: Class, path: &str) -> Option<MountEntry> {
        // No mount lies below another, so there is at most one.
        self.shown.load().of(class).iter().find(|entry| path.starts_with(&entry.path)).cloned()
    }

    /// Effective lease times of an entry, in seconds: default and maximum. The server's default gives way to a mount's
    /// smaller maximum.
    pub(crate) fn lease_times(&self, entry: &MountEntry) -> (u64, u64) {
        let own = |seconds: u64| (seconds > 0).then_some(seconds);
        let settings = &self.parts.settings;
        let longest = own(entry.config.max_lease_ttl).unwrap_or(settings.max_lease.as_secs());
        let usual =
            own(entry.config.default_lease_ttl).unwrap_or(settings.default_lease.as_secs().min(longest));
        (usual, longest)
    }

    /// Opens what an entry describes.
    async fn mount(&self, entry: &MountEntry) -> Result<MountedAt, Error> {
        let (default_lease, max_lease) = self.lease_times(entry);
        let point = Arc::new(entry.point(default_lease, max_lease));
        let target = match Target::of_kernel(&entry.kind) {
            Some(target) => target,
            None => {
                let context = MountContext {
                    view: self.barrier.view(&entry.place()),
                    clock: Arc::clone(&self.parts.clock),
                    entropy: Arc::clone(&self.parts.entropy),
                    http: Arc::clone(&self.parts.http),
                    mount: Arc::clone(&point),
                };
                Target::Engine(self.kind(entry)?.open(context).await?)
            }
        };
        Ok(MountedAt::new(point, target, entry, Arc::clone(&self.parts.clock)))
    }

    fn kind(&self, entry: &MountEntry) -> Result<&EngineKind, Error> {
        kinds::find(&self.parts.kinds, &entry.kind, &entry.options.clone().unwrap_or_default())
    }

    /// Keeps a move for `sys/remount/status`.
    pub(crate) fn remember_move(&self, id: &str, from: &str, to: &str) {
        let mut moves = self.moves.lock().unwrap_or_else(PoisonError::into_inner);
        if moves.len() == MOVES {
            moves.pop_front();
        }
        moves.push_back(Move { id: id.to_owned(), from: canonical(from), to: canonical(to) });
    }

    /// From where to where a move went.
    pub(crate) fn remembered_move(&self, id: &str) -> Option<(String, String)> {
        let moves = self.moves.lock().unwrap_or_else(PoisonError::into_inner);
        moves.iter().find(|done| done.id == id).map(|done| (done.from.clone(), done.to.clone()))
    }

    /// The deadline of an engine for settling what must not be lost: it has time of its own, though calls inside have
    /// used up theirs.
    fn settling_until(&self, deadline: Timestamp) -> Timestamp {
        deadline.max(self.parts.clock.now().plus(SETTLING))
    }

    /// Lets every engine settle what must not be lost.
    pub(crate) async fn close(&self, deadline: Timestamp) {
        let deadline = self.settling_until(deadline);
        let snapshot = self.snapshot.load_full();
        let closing = snapshot.all().filter_map(|mounted| match &mounted.target {
            Target::Engine(engine) => Some(engine.close(deadline)),
            _ => None,
        });
        futures::future::join_all(closing).await;
        self.snapshot.store(Arc::default());
    }
}

fn tables_place() -> Place {
    Place::root().plain("mounts")
}
