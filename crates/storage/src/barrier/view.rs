//! The part of a barrier that its holder may see: a prefix, typed records below it, names opened.
//!
//! Invariants: a view reaches nothing outside its prefix; pages come in the order of the stored keys, which for sealed
//! names is no order anyone knows. Knows nothing of who holds it.

use std::fmt;
use std::sync::Arc;

use super::record::{Record, Stamped};
use super::slot::id_of;
use super::{Barrier, Changes, Place, SegmentId};
use crate::{Key, Seek, Seq, Stamp, StorageError};

/// All that an engine ever holds of the store.
#[derive(Clone)]
pub struct View {
    barrier: Barrier,
    /// An error here means that the barrier was empty before the view was made; it is told at use.
    prefix: Arc<Result<Key, StorageError>>,
}

/// Where a page ended. Opaque: the order of sealed names is not that of the names.
#[derive(Clone, PartialEq, Eq)]
pub struct Cursor(pub(super) Key);

/// Records in a row, and where the next row begins.
#[derive(Debug)]
pub struct Page<R> {
    /// The records, in stored order.
    pub items: Vec<Item<R>>,
    /// Where to go on; `None` when nothing is left. A page may hold fewer records than asked for, or none, and still
    /// have a next.
    pub next: Option<Cursor>,
}

/// One record of a page. Pages of keys alone have `()` for a value.
#[derive(Debug)]
pub struct Item<R> {
    /// Where it lies, relative to the view, with names opened.
    pub place: Place,
    /// The id of its last part, when that is a sealed leaf.
    pub id: Option<SegmentId>,
    /// The record.
    pub value: R,
    /// The commit of its last logical change; 0 in pages of keys alone.
    pub stamp: Stamp,
}

impl View {
    pub(super) fn new(barrier: Barrier, prefix: &Result<Key, StorageError>, place: &Place) -> Self {
        let prefix = prefix.clone().and_then(|prefix| barrier.slot().key(&prefix, place));
        Self { barrier, prefix: Arc::new(prefix) }
    }

    /// The part of this view below `place`.
    #[must_use]
    pub fn sub(&self, place: &Place) -> Self {
        Self::new(self.barrier.clone(), &self.prefix, place)
    }

    /// The record at `place`.
    pub async fn get<R: Record>(&self, place: &Place) -> Result<Option<Stamped<R>>, StorageError> {
        let key = self.key(place)?;
        let Some(stored) = self.barrier.physical().get(&key).await? else {
            return self.barrier.with_keyring(|_| None);
        };
        let value = self.barrier.slot().open(&key, &stored.sealed)?;
        Ok(Some(Stamped { value, stamp: stored.stamp }))
    }

    /// The stamp of the record at `place`, or `None` when there is none. The record is not opened.
    pub async fn stamp(&self, place: &Place) -> Result<Option<Stamp>, StorageError> {
        let stored = self.barrier.physical().get(&self.key(place)?).await?;
        self.barrier.with_keyring(|_| stored.map(|stored| stored.stamp))
    }

    /// Whether there is a record at `place`.
    pub async fn exists(&self, place: &Place) -> Result<bool, StorageError> {
        Ok(self.stamp(place).await?.is_some())
    }

    /// Up to `limit` records below `prefix`, itself included, behind `after`.
    pub async fn page<R: Record>(
        &self,
        prefix: &Place,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<R>, StorageError> {
        let stored = self.barrier.physical().page(&self.key(prefix)?, seek(after), limit).await?;
        let (stored, next) = cut(stored, |(key, _)| key, None);
        let mut items = Vec::with_capacity(stored.len());
        for (key, stored) in stored {
            let value = self.barrier.slot().open(&key, &stored.sealed)?;
            items.push(self.item(&key, value, stored.stamp)?);
        }
        Ok(Page { items, next })
    }

    /// As [`page`](Self::page), without reading the records.
    pub async fn keys(
        &self,
        prefix: &Place,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<()>, StorageError> {
        self.places(prefix, None, after, limit).await
    }

    /// As [`keys`](Self::keys), but only where the part next to `prefix` is a structural word before `up_to`. With
    /// zero-padded hex instants for words: everything due before an instant.
    pub async fn keys_up_to(
        &self,
        prefix: &Place,
        up_to: &str,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<()>, StorageError> {
        self.places(prefix, Some(up_to), after, limit).await
    }

    /// The place of the first record below `prefix`, or `None` when there is none.
    pub async fn first(&self, prefix: &Place) -> Result<Option<Place>, StorageError> {
        Ok(self.keys(prefix, None, 1).await?.items.pop().map(|item| item.place))
    }

    /// The id of the leaf that `place` ends in; an error when it ends otherwise.
    pub fn id(&self, place: &Place) -> Result<SegmentId, StorageError> {
        id_of(&self.key(place)?).ok_or_else(|| StorageError::Corrupt("only a leaf has an id".to_owned()))
    }

    /// `place` with ids turned back into the names they seal.
    pub fn opened(&self, place: &Place) -> Result<Place, StorageError> {
        self.barrier.slot().place(self.prefix()?, &self.key(place)?)
    }

    /// The key at which `place` is stored: what a [`Watcher`](crate::Watcher) will hear of.
    pub fn key(&self, place: &Place) -> Result<Key, StorageError> {
        self.barrier.slot().key(self.prefix()?, place)
    }

    /// Commits, as [`Barrier::commit`] does.
    pub async fn commit(&self, changes: Changes) -> Result<Seq, StorageError> {
        self.barrier.commit(changes).await
    }

    /// The barrier that this is a view of.
    pub fn barrier(&self) -> &Barrier {
        &self.barrier
    }

    pub(super) fn prefix(&self) -> Result<&Key, StorageError> {
        self.prefix.as_ref().as_ref().map_err(Clone::clone)
    }

    async fn places(
        &self,
        prefix: &Place,
        up_to: Option<&str>,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<()>, StorageError> {
        let below = self.key(prefix)?;
        let keys = self.barrier.physical().keys(&below, seek(after), limit).await?;
        let end = up_to.map(|word| below.plain(word));
        let (keys, next) = cut(keys, |key| key, end.as_ref());
        let items = keys.iter().map(|key| self.item(key, (), Stamp::default()));
        Ok(Page { items: items.collect::<Result<_, _>>()?, next })
    }

    fn item<R>(&self, key: &Key, value: R, stamp: Stamp) -> Result<Item<R>, StorageError> {
        let place = self.barrier.slot().place(self.prefix()?, key)?;
        Ok(Item { place, id: id_of(key), value, stamp })
    }
}

fn seek(after: Option<&Cursor>) -> Seek<'_> {
    after.map_or(Seek::Start, |Cursor(key)| Seek::After(key))
}

/// What lies before `end`, and where to go on.
fn cut<T>(mut found: Vec<T>, key: impl Fn(&T) -> &Key, end: Option<&Key>) -> (Vec<T>, Option<Cursor>) {
    let whole = found.len();
    if let Some(end) = end {
        found.truncate(found.partition_point(|item| key(item) < end));
    }
    let next = if found.len() == whole { found.last().map(|item| Cursor(key(item).clone())) } else { None };
    (found, next)
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("View").field(&self.prefix).finish()
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cursor")
    }
}
