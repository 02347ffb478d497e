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
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            // A page is bounded in bytes too, so it may end before there is enough.
            let page = self.view.keys_up_to(&queue, &end, after.as_ref(), limit - found.len()).await?;
            for item in &page.items {
                found.push(read(&item.place)?);
            }
            match page.next {
                Some(next) if found.len() < limit => after = Some(next),
                _ => return Ok(found),
            }
        }
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use proptest::prelude::*;
    use vestal_crypto::{Entropy, Keyring, SeededEntropy};
    use vestal_storage::{Barrier, MemoryStore, Physical};

    use super::*;

    async fn index() -> DueIndex {
        let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(3));
        let store: Arc<dyn Physical> = Arc::new(MemoryStore::new());
        let epoch = store.leadership().acquire().await.unwrap();
        let keyring = Keyring::generate(entropy.as_ref(), 0);
        DueIndex::new(Barrier::open(store, keyring, epoch, entropy).view(&Place::root().plain("due")))
    }

    fn entry(group: u8, millis: i64, id: &str) -> DueEntry {
        DueEntry { group: format!("g{group}"), at: Timestamp::from_millis(millis), id: id.to_owned() }
    }

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
    }

    proptest! {
        #[test]
        fn it_answers_as_a_sorted_set_does(
            steps in proptest::collection::vec((any::<bool>(), 0..3_u8, 0..20_i64, 0..4_u8), 1..60),
            until in 0..22_i64,
            limit in 0..12_usize,
        ) {
            run(async {
                let index = index().await;
                let mut naive = BTreeSet::new();
                for (add, group, at, id) in steps {
                    let entry = entry(group, at, &format!("{id}"));
                    let mut changes = Changes::new();
                    if add {
                        index.add(&mut changes, &entry).unwrap();
                        naive.insert((group, at, entry.id));
                    } else {
                        index.remove(&mut changes, &entry).unwrap();
                        naive.remove(&(group, at, entry.id));
                    }
                    index.view.commit(changes).await.unwrap();
                }
                for group in 0..3 {
                    let own = naive.iter().filter(|one| one.0 == group);
                    let expected: Vec<_> = own.clone().filter(|one| one.1 <= until).take(limit).collect();
                    let found = index.due(&format!("g{group}"), Timestamp::from_millis(until), limit).await.unwrap();
                    let expected: Vec<_> = expected.into_iter().map(|(group, at, id)| entry(*group, *at, id)).collect();
                    assert_eq!(found, expected);
                    let first = index.first(&format!("g{group}")).await.unwrap();
                    assert_eq!(first, own.clone().next().map(|(group, at, id)| entry(*group, *at, id)));
                }
                let groups: BTreeSet<_> = naive.iter().map(|one| format!("g{}", one.0)).collect();
                assert_eq!(index.groups().await.unwrap().into_iter().collect::<BTreeSet<_>>(), groups);
            });
        }
    }

    /// A page of keys ends at four mebibytes.
    #[test]
    fn a_limit_is_reached_over_pages_that_end_early() {
        run(async {
            let index = index().await;
            let long = "f".repeat(16_000);
            for millis in 0..400 {
                let mut changes = Changes::new();
                index.add(&mut changes, &entry(0, millis, &long)).unwrap();
                index.view.commit(changes).await.unwrap();
            }
            let all = index.due("g0", Timestamp::from_millis(1_000), 1_000).await.unwrap();
            assert_eq!(all.len(), 400);
            assert_eq!(index.due("g0", Timestamp::from_millis(1_000), 300).await.unwrap(), all[..300]);
        });
    }
}
