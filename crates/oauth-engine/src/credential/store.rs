//! Where credentials, their intents and their index entries lie, and how they change together.
//!
//! ```text
//! cred/<sealed name>                        the record; the sealed name in hex is the credential's id
//! intent/<credential id>/<generation>       refreshes begun and not ended
//! due/<server id>/<instant>/<credential id>      when it is looked at next
//! parked/<server id>/<instant>/<credential id>   waits for its server to be rewritten
//! orphan/<instant>/<random>                 tokens that no credential holds, the newest of them
//! ```
//!
//! Invariants: a record and its index entry change in one batch; the record holds the entry's instant. Knows nothing of
//! why anything changes.

use std::sync::Arc;

use vestal_logical::{DueEntry, DueIndex, Timestamp};
use vestal_storage::{Changes, Child, Cursor, Page, Place, SegmentId, Stamped, StorageError, View};

use super::intent::{Intent, Orphan};
use super::record::Credential;
use super::state::State;
use crate::server::Servers;

/// Token sets without a credential that are kept.
const ORPHANS: usize = 1000;

/// The stored credentials of one mount.
pub(crate) struct Credentials {
    view: View,
    pub(crate) due: DueIndex,
    pub(crate) parked: DueIndex,
    servers: Arc<Servers>,
}

/// An intent and whose it is.
pub(crate) struct Found {
    /// The credential's id.
    pub(crate) id: String,
    pub(crate) intent: Stamped<Intent>,
}

impl Credentials {
    pub(crate) fn new(view: &View, servers: Arc<Servers>) -> Self {
        let index = |word: &str| DueIndex::new(view.sub(&Place::root().plain(word)));
        Self { view: view.clone(), due: index("due"), parked: index("parked"), servers }
    }

    /// The credential of that name.
    pub(crate) async fn by_name(&self, name: &str) -> Result<Option<Stamped<Credential>>, StorageError> {
        self.view.get(&named(name)).await
    }

    /// The credential with that id.
    pub(crate) async fn by_id(&self, id: &str) -> Result<Option<Stamped<Credential>>, StorageError> {
        self.view.get(&place(id)?).await
    }

    /// The id that goes with a name, whether there is such a credential or not.
    pub(crate) fn id(&self, name: &str) -> Result<String, StorageError> {
        self.view.id(&named(name)).map(|id| id.to_string())
    }

    /// All names, sorted by bytes, slashes and all.
    pub(crate) async fn names(&self) -> Result<Vec<String>, StorageError> {
        let children = self.view.list(&Place::root().plain("cred")).await?;
        Ok(children.iter().map(Child::shown).collect())
    }

    /// Some credentials, in stored order.
    pub(crate) async fn page(
        &self,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<Credential>, StorageError> {
        self.view.page(&Place::root().plain("cred"), after, limit).await
    }

    pub(crate) async fn intent(
        &self,
        id: &str,
        generation: u64,
    ) -> Result<Option<Stamped<Intent>>, StorageError> {
        self.view.get(&intent_place(id, generation)).await
    }

    /// Some intents, in stored order.
    pub(crate) async fn intents(
        &self,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<(Vec<Found>, Option<Cursor>), StorageError> {
        let page = self.view.page::<Intent>(&Place::root().plain("intent"), after, limit).await?;
        let mut found = Vec::with_capacity(page.items.len());
        for item in page.items {
            let id = item.place.word(1).ok_or_else(|| {
                StorageError::Corrupt("an intent lies at a place of another shape".to_owned())
            })?;
            let intent = Stamped { value: item.value, stamp: item.stamp };
            found.push(Found { id: id.to_owned(), intent });
        }
        Ok((found, page.next))
    }

    /// Replaces a credential, or makes or deletes it, and moves its index entry. Fails with a conflict when it is not
    /// (any more) what `old` says.
    pub(crate) fn replace(
        &self,
        changes: &mut Changes,
        id: &str,
        old: Option<&Stamped<Credential>>,
        new: Option<&Credential>,
    ) -> Result<(), StorageError> {
        let at = place(id)?;
        match old {
            Some(old) => changes.expect(&self.view, &at, old.stamp)?,
            None => changes.expect_absent(&self.view, &at)?,
        };
        let before = old.map(|old| self.entry(id, old)).transpose()?.flatten();
        let after = new.map(|new| self.entry(id, new)).transpose()?.flatten();
        if before != after {
            if let Some((parked, entry)) = &before {
                self.index(*parked).remove(changes, entry)?;
            }
            if let Some((parked, entry)) = &after {
                self.index(*parked).add(changes, entry)?;
            }
        }
        match new {
            Some(new) => changes.put(&self.view, &at, new)?,
            None => changes.delete(&self.view, &at)?,
        };
        Ok(())
    }

    /// Fails the batch when the credential is not what it was.
    pub(crate) fn expect(
        &self,
        changes: &mut Changes,
        id: &str,
        seen: Option<&Stamped<Credential>>,
    ) -> Result<(), StorageError> {
        match seen {
            Some(seen) => changes.expect(&self.view, &place(id)?, seen.stamp)?,
            None => changes.expect_absent(&self.view, &place(id)?)?,
        };
        Ok(())
    }

    /// Stores an intent where `seen` (or nothing) is now.
    pub(crate) fn put_intent(
        &self,
        changes: &mut Changes,
        id: &str,
        seen: Option<&Stamped<Intent>>,
        intent: &Intent,
    ) -> Result<(), StorageError> {
        let at = intent_place(id, intent.generation);
        match seen {
            Some(seen) => changes.expect(&self.view, &at, seen.stamp)?,
            None => changes.expect_absent(&self.view, &at)?,
        };
        changes.put(&self.view, &at, intent).map(drop)
    }

    /// Removes an intent that is still what `seen` says.
    pub(crate) fn end_intent(
        &self,
        changes: &mut Changes,
        id: &str,
        seen: &Stamped<Intent>,
    ) -> Result<(), StorageError> {
        let at = intent_place(id, seen.generation);
        changes.expect(&self.view, &at, seen.stamp)?.delete(&self.view, &at).map(drop)
    }

    /// Removes whatever intent a generation has.
    pub(crate) fn drop_intent(
        &self,
        changes: &mut Changes,
        id: &str,
        generation: u64,
    ) -> Result<(), StorageError> {
        changes.delete(&self.view, &intent_place(id, generation)).map(drop)
    }

    /// Keeps tokens that no credential holds. There is an end to them: each refused request can bring one.
    pub(crate) async fn put_orphan(
        &self,
        changes: &mut Changes,
        nonce: u64,
        orphan: &Orphan,
    ) -> Result<(), StorageError> {
        let all = Place::root().plain("orphan");
        let kept = self.view.keys(&all, None, ORPHANS).await?.items;
        if let Some(oldest) = kept.first().filter(|_| kept.len() == ORPHANS) {
            tracing::warn!("more than {ORPHANS} token sets wait to be revoked, the oldest is dropped");
            changes.delete(&self.view, &oldest.place)?;
        }
        let at = all.plain(format!("{:016x}", orphan.at.millis())).plain(format!("{nonce:016x}"));
        changes.put(&self.view, &at, orphan).map(drop)
    }

    /// Drops a due entry that its record does not know.
    pub(crate) fn drop_entry(&self, changes: &mut Changes, entry: &DueEntry) -> Result<(), StorageError> {
        self.due.remove(changes, entry)
    }

    pub(crate) async fn commit(&self, changes: Changes) -> Result<vestal_storage::Seq, StorageError> {
        self.view.commit(changes).await
    }

    /// The epoch that this node writes as.
    pub(crate) fn epoch(&self) -> u64 {
        self.view.barrier().epoch().0
    }

    /// A word that stands for `parts` and tells nothing of them.
    pub(crate) fn mac(&self, domain: &str, parts: &[&str]) -> Result<String, StorageError> {
        let mut input = zeroize::Zeroizing::new(Vec::new());
        for part in parts {
            input.extend_from_slice(&(part.len() as u64).to_be_bytes());
            input.extend_from_slice(part.as_bytes());
        }
        self.view.barrier().id(domain, &input)
    }

    /// The index entry that goes with a record; `true` for the index of those that are parked.
    fn entry(&self, id: &str, record: &Credential) -> Result<Option<(bool, DueEntry)>, StorageError> {
        let Some(at) = record.due else { return Ok(None) };
        let group = self.servers.id(&record.server)?;
        let parked = matches!(record.state, State::Parked(_));
        Ok(Some((parked, DueEntry { group, at, id: id.to_owned() })))
    }

    fn index(&self, parked: bool) -> &DueIndex {
        if parked { &self.parked } else { &self.due }
    }
}

/// The instant as index entries hold it.
pub(crate) fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_millis(at.millis().max(0))
}

fn named(name: &str) -> Place {
    Place::root().plain("cred").leaf(name)
}

fn place(id: &str) -> Result<Place, StorageError> {
    let id = SegmentId::parse(id)
        .ok_or_else(|| StorageError::Corrupt("the id of a credential is not hexadecimal".to_owned()))?;
    Ok(Place::root().plain("cred").id(&id))
}

fn intent_place(id: &str, generation: u64) -> Place {
    Place::root().plain("intent").plain(id).plain(format!("{generation:016x}"))
}
