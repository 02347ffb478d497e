//! A durable ordered index of what happens when: leases' and tokens' ends, credentials' refreshes.
//!
//! An entry lies at `<group>/<instant>/<id>` below the index's view, with an empty sealed value: reading what is due
//! costs one bounded range, however many entries wait. The record that an entry belongs to holds the same instant, so a
//! stale entry is recognised by its owner and dropped. Knows nothing of what its entries mean.

use vestal_storage::barrier::{Changes, Place, View};
use vestal_storage::{Empty, StorageError};

use crate::Timestamp;

/// One entry that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueEntry {
    /// Whose queue it stands in.
    pub group: String,
    /// When it is due, in whole milliseconds.
    pub at: Timestamp,
    /// What is due.
    pub id: String,
}

/// The index. Groups and ids are plain words: HMACs or sealed segments in hex, never names.
#[derive(Clone, Debug)]
pub struct DueIndex {
    view: View,
}

impl DueIndex {
    /// An index that has `view` to itself.
    #[must_use]
    pub fn new(view: View) -> Self {
        Self { view }
    }

    /// Adds an entry to a batch.
    pub fn add(&self, changes: &mut Changes, entry: &DueEntry) -> Result<(), StorageError> {
        changes.put(&self.view, &place(entry), &Empty).map(drop)
    }

    /// Removes an entry in a batch; one that is not there is fine.
    pub fn remove(&self, changes: &mut Changes, entry: &DueEntry) -> Result<(), StorageError> {
        changes.delete(&self.view, &place(entry)).map(drop)
    }

    /// Up to `limit` entries of one group that are due at or before `until`, earliest first.
    pub async fn due(
        &self,
        group: &str,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueEntry>, StorageError> {
        let queue = Place::root().plain(group);
        let end = Timestamp::from_millis(until.millis().saturating_add(1)).index_word();
        let page = self.view.keys_up_to(&queue, &end, None, limit).await?;
        page.items.iter().map(|item| read(&item.place)).collect()
    }

    /// The earliest entry of one group.
    pub async fn first(&self, group: &str) -> Result<Option<DueEntry>, StorageError> {
        let first = self.view.first(&Place::root().plain(group)).await?;
        first.as_ref().map(read).transpose()
    }

    /// The groups that have an entry.
    pub async fn groups(&self) -> Result<Vec<String>, StorageError> {
        self.view.list_plain(&Place::root()).await
    }
}

fn place(entry: &DueEntry) -> Place {
    Place::root().plain(&entry.group).plain(entry.at.index_word()).plain(&entry.id)
}

fn read(place: &Place) -> Result<DueEntry, StorageError> {
    let entry = match (place.word(0), place.word(1).and_then(Timestamp::from_index_word), place.word(2)) {
        (Some(group), Some(at), Some(id)) => {
            Some(DueEntry { group: group.to_owned(), at, id: id.to_owned() })
        }
        _ => None,
    };
    entry.ok_or_else(|| StorageError::Corrupt("a due entry has another shape".to_owned()))
}
