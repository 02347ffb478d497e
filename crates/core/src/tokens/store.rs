//! Where tokens lie, and how one is found.

use std::sync::atomic::{AtomicBool, AtomicI64};
use std::sync::{Arc, Weak};

use tokio::sync::{Mutex, Notify};
use vestal_crypto::{Entropy, SecretString};
use vestal_logical::{Clock, DueIndex, Error, Timestamp};
use vestal_storage::{Barrier, Changes, Cursor, Place, Stamp, StorageError, View, Watcher};

use super::cache::EntryCache;
use super::crowd::Crowd;
use super::entry::{AccessorRecord, TokenEntry};
use crate::cubbyhole::Cubbyholes;

/// How often a change is decided anew because somebody else changed the token meanwhile.
pub(super) const TRIES: usize = 64;
/// How many tokens with limited uses share a lock while a use is spent.
const SPENDERS: usize = 64;
/// Records read at a time when all are wanted.
const PAGE: usize = 512;

/// A token as it was read, with the stamp to expect when it is changed.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) entry: Arc<TokenEntry>,
    pub(crate) stamp: Stamp,
}

/// All tokens.
pub(crate) struct TokenStore {
    pub(super) barrier: Barrier,
    pub(super) view: View,
    pub(super) due: DueIndex,
    pub(super) cubbyholes: Cubbyholes,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    cache: Arc<EntryCache>,
    /// Spending queues up instead of colliding: a crowd on one token would else decide anew again and again.
    pub(super) spenders: Vec<Mutex<()>>,
    /// The calls that use a token with limited uses.
    pub(super) crowd: Arc<Crowd>,
    /// Wakes the reaper.
    pub(super) nudge: Notify,
    /// The instant until which the reaper sleeps, in milliseconds; the greatest number while it works.
    pub(super) armed: AtomicI64,
    /// A revocation could not be finished; the reaper tries again.
    pub(super) unfinished: AtomicBool,
}

impl TokenStore {
    /// Opens the records and finishes the revocations that an earlier process began.
    pub(crate) async fn open(
        barrier: &Barrier,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Arc<Self>, Error> {
        let view = barrier.view(&Place::root().plain("sys").plain("token"));
        let cache = EntryCache::new(view.key(&Place::root().plain("id"))?);
        let watcher: Weak<dyn Watcher> = Arc::downgrade(&cache) as Weak<dyn Watcher>;
        barrier.watch(watcher);
        let store = Arc::new(Self {
            barrier: barrier.clone(),
            due: DueIndex::new(view.sub(&Place::root().plain("due"))),
            view,
            cubbyholes: Cubbyholes::new(barrier),
            clock,
            entropy,
            cache,
            spenders: (0..SPENDERS).map(|_| Mutex::default()).collect(),
            crowd: Arc::default(),
            nudge: Notify::new(),
            armed: AtomicI64::new(i64::MAX),
            unfinished: AtomicBool::new(false),
        });
        store.resume_revocations().await?;
        Ok(store)
    }

    /// The id under which a token is stored.
    pub(crate) fn id_of(&self, token: &SecretString) -> Result<String, Error> {
        Ok(self.barrier.id("token", token.expose().as_bytes())?)
    }

    pub(super) fn accessor_id(&self, accessor: &str) -> Result<String, StorageError> {
        self.barrier.id("token accessor", accessor.as_bytes())
    }

    /// The token of that id, from memory if it is there; dead ones too.
    pub(crate) async fn find(&self, id: &str) -> Result<Option<Found>, Error> {
        match self.cache.get(id) {
            Some(found) => Ok(Some(found)),
            None => self.read(id).await,
        }
    }

    /// As [`find`](Self::find), but from the store: for whoever is about to change it.
    pub(crate) async fn read(&self, id: &str) -> Result<Option<Found>, Error> {
        let read_at = self.barrier.applied();
        let stored = self.view.get::<TokenEntry>(&id_place(id)).await?;
        let found = stored.map(|stored| Found { entry: Arc::new(stored.value), stamp: stored.stamp });
        if let Some(found) = &found {
            self.cache.fill(id, read_at, found.clone());
        }
        Ok(found)
    }

    /// The living token, if this is one. Spends nothing.
    pub(crate) async fn peek(
        &self,
        token: &SecretString,
        now: Timestamp,
    ) -> Result<Option<Arc<TokenEntry>>, Error> {
        self.living(&self.id_of(token)?, now).await
    }

    /// The living token of that id.
    pub(crate) async fn living(&self, id: &str, now: Timestamp) -> Result<Option<Arc<TokenEntry>>, Error> {
        let Some(found) = self.find(id).await?.filter(|found| found.entry.alive(now)) else {
            return Ok(None);
        };
        Ok(if self.outlived(&found.entry, now).await? { None } else { Some(found.entry) })
    }

    /// Whether a token above it is over: then it is too, though the reaper has not come by.
    pub(super) async fn outlived(&self, entry: &TokenEntry, now: Timestamp) -> Result<bool, Error> {
        let mut above = match &entry.parent {
            Some(id) => self.find(id).await?,
            None => None,
        };
        while let Some(found) = above {
            if found.entry.expired(now) || found.entry.spent {
                return Ok(true);
            }
            above = match &found.entry.parent {
                Some(id) => self.find(id).await?,
                None => None,
            };
        }
        Ok(false)
    }

    /// The living token of that accessor.
    pub(crate) async fn by_accessor(
        &self,
        accessor: &str,
        now: Timestamp,
    ) -> Result<Option<Arc<TokenEntry>>, Error> {
        let place = accessor_place(&self.accessor_id(accessor)?);
        match self.view.get::<AccessorRecord>(&place).await? {
            Some(record) => self.living(&record.id, now).await,
            None => Ok(None),
        }
    }

    /// Has a batch fail unless the token is as it was found. One whose last use this is gets a new stamp as well: it is
    /// already being revoked, and whoever removes it then looks again.
    pub(crate) fn hold(&self, changes: &mut Changes, found: &Found) -> Result<(), StorageError> {
        let place = id_place(&found.entry.id);
        changes.expect(&self.view, &place, found.stamp)?;
        if found.entry.spent {
            changes.put(&self.view, &place, found.entry.as_ref())?;
        }
        Ok(())
    }

    /// The accessors of all stored tokens, in no order.
    pub(crate) async fn accessors(&self) -> Result<Vec<String>, Error> {
        let all = Place::root().plain("accessor");
        let (mut accessors, mut after): (Vec<String>, Option<Cursor>) = (Vec::new(), None);
        loop {
            let page = self.view.page::<AccessorRecord>(&all, after.as_ref(), PAGE).await?;
            accessors.extend(page.items.into_iter().map(|item| item.value.accessor));
            after = page.next;
            if after.is_none() {
                return Ok(accessors);
            }
        }
    }
}

pub(super) fn id_place(id: &str) -> Place {
    Place::root().plain("id").plain(id)
}

pub(super) fn accessor_place(accessor_id: &str) -> Place {
    Place::root().plain("accessor").plain(accessor_id)
}

pub(super) fn children_place(parent: &str) -> Place {
    Place::root().plain("parent").plain(parent)
}

pub(super) fn child_place(parent: &str, child: &str) -> Place {
    children_place(parent).plain(child)
}

pub(super) fn revocations_place() -> Place {
    Place::root().plain("revoking")
}

/// What a lost race over and over comes to.
pub(super) fn too_much_traffic() -> Error {
    Error::internal("a token was changed by others each time it was about to be changed")
}
