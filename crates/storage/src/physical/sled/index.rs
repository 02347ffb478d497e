//! The records in sled: reading, pages, applying batches, checking the whole.
//!
//! Invariants: one batch is applied with its number or not at all; what is read fits its checksum. All writing is done by
//! one thread. Knows nothing of the log, of durability, or of who waits.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::guard::{Trouble, guarded};
use super::record::{Head, MARK, Mark, PART, PartsId, Sum, part_key, record_key};
use crate::log::frame::{Change, Content, Frame};
use crate::log::segment::StoreId;

/// No page carries more sealed bytes than this, except when its first record alone does.
const PAGE_BYTES: usize = 4 << 20;
/// How often a record is read again whose parts were replaced meanwhile.
const RETRIES: usize = 1000;

/// One open sled.
pub(crate) struct Index {
    db: sled::Db,
    directory: PathBuf,
    mark: Mutex<Mark>,
}

fn broken(why: &str) -> Trouble {
    Trouble::Broken(why.to_owned())
}

impl Index {
    /// What an opened `db` stands for; an empty one becomes the index of `store`, before its first commit.
    pub(crate) fn new(db: sled::Db, directory: &Path, store: &StoreId) -> Result<Self, Trouble> {
        let mark = match guarded(|| db.get(MARK))? {
            Some(value) => Mark::parse(&value).ok_or_else(|| broken("the applied number cannot be read"))?,
            None => Mark { store: *store, seq: 0, frame: 0, sum: Sum::default() },
        };
        if mark.store != *store {
            return Err(broken("sled holds another store"));
        }
        Ok(Self { db, directory: directory.to_owned(), mark: Mutex::new(mark) })
    }

    /// What it holds.
    pub(crate) fn mark(&self) -> Mark {
        *self.mark.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The head of the record at `key`.
    pub(crate) fn head(&self, key: &[u8]) -> Result<Option<Head>, Trouble> {
        match guarded(|| self.db.get(record_key(key)))? {
            Some(value) => Ok(Some(parse(&value)?.0)),
            None => Ok(None),
        }
    }

    /// The record at `key`.
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Content>, Trouble> {
        let at = record_key(key);
        match guarded(|| self.db.get(&at))? {
            Some(value) => self.whole(&at, value),
            None => Ok(None),
        }
    }

    /// The record whose value was read at `at`; read again when its parts were replaced meanwhile.
    fn whole(&self, at: &[u8], mut value: sled::IVec) -> Result<Option<Content>, Trouble> {
        for _ in 0..RETRIES {
            let (head, inline) = parse(&value)?;
            let bytes = match head.parts {
                None => Some(inline.to_vec()),
                Some(id) => self.parts(&head, id)?,
            };
            if let Some(bytes) = bytes {
                if !head.fits(&bytes) {
                    return Err(broken("a record in sled does not fit its checksum"));
                }
                return Ok(Some(Content { stamp: head.stamp, bytes }));
            }
            match guarded(|| self.db.get(at))? {
                None => return Ok(None),
                Some(now) if now == value => return Err(broken("a part of a record is missing in sled")),
                Some(now) => value = now,
            }
        }
        Err(Trouble::Io("a record changes faster than it can be read".to_owned()))
    }

    fn parts(&self, head: &Head, id: PartsId) -> Result<Option<Vec<u8>>, Trouble> {
        let mut bytes = Vec::with_capacity((head.length as usize).min(2 << 20));
        for number in 0..head.part_count() {
            match guarded(|| self.db.get(part_key(id, number)))? {
                Some(part) => bytes.extend_from_slice(&part),
                None => return Ok(None),
            }
        }
        Ok(Some(bytes))
    }

    /// Up to `limit` records with keys in `from..to` (to the end without `to`), bounded in bytes too.
    pub(crate) fn page(
        &self,
        from: &[u8],
        to: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Content)>, Trouble> {
        let mut page = Vec::new();
        let mut carried = 0_usize;
        self.visit(from, to, |key, at, value| {
            if page.len() >= limit {
                return Ok(false);
            }
            let size = parse(&value)?.0.length as usize;
            if carried.saturating_add(size) > PAGE_BYTES && !page.is_empty() {
                return Ok(false);
            }
            if let Some(content) = self.whole(at, value)? {
                carried = carried.saturating_add(content.bytes.len());
                page.push((key.to_vec(), content));
            }
            Ok(page.len() < limit)
        })?;
        Ok(page)
    }

    /// As [`page`](Self::page), keys only.
    pub(crate) fn keys(&self, from: &[u8], to: Option<&[u8]>, limit: usize) -> Result<Vec<Vec<u8>>, Trouble> {
        let mut keys = Vec::new();
        let mut carried = 0_usize;
        self.visit(from, to, |key, _, _| {
            if keys.len() >= limit || (carried.saturating_add(key.len()) > PAGE_BYTES && !keys.is_empty()) {
                return Ok(false);
            }
            carried = carried.saturating_add(key.len());
            keys.push(key.to_vec());
            Ok(keys.len() < limit)
        })?;
        Ok(keys)
    }

    /// Visits records in order until told to stop.
    fn visit(
        &self,
        from: &[u8],
        to: Option<&[u8]>,
        mut visit: impl FnMut(&[u8], &[u8], sled::IVec) -> Result<bool, Trouble>,
    ) -> Result<(), Trouble> {
        let start = record_key(from);
        let end = to.map_or_else(|| b"s".to_vec(), record_key);
        if start >= end {
            return Ok(());
        }
        let mut range = guarded(|| Ok(self.db.range(start..end)))?;
        while let Some(entry) = guarded(|| range.next().transpose())? {
            let (at, value) = entry;
            let key = at.strip_prefix(b"r").ok_or_else(|| broken("sled answered outside the range"))?;
            if !visit(key, &at, value)? {
                break;
            }
        }
        Ok(())
    }

    /// Applies one batch and its number, atomically; nothing is flushed.
    pub(crate) fn apply(&self, changes: &[Change], seq: u64, frame: u64) -> Result<(), Trouble> {
        let mut mark = self.mark();
        let batch = self.stage(changes, seq, &mut mark.sum)?;
        (mark.seq, mark.frame) = (seq.max(mark.seq), frame.max(mark.frame));
        self.write(batch, mark)
    }

    /// Takes over some entries of an export, the `chunk`th of them; whose commits they were is not known.
    pub(crate) fn load(&self, changes: &[Change], chunk: u64) -> Result<(), Trouble> {
        let mut mark = self.mark();
        // No commit will ever have such a number, so parts keep apart.
        let batch = self.stage(changes, chunk | 1 << 63, &mut mark.sum)?;
        self.write(batch, mark)
    }

    fn stage(&self, changes: &[Change], writer: u64, sum: &mut Sum) -> Result<sled::Batch, Trouble> {
        let mut batch = sled::Batch::default();
        let last: BTreeMap<&[u8], (usize, &Change)> =
            changes.iter().enumerate().map(|(op, change)| (change.key.as_slice(), (op, change))).collect();
        for (key, (op, change)) in last {
            let id = PartsId { writer, op: u32::try_from(op).unwrap_or(u32::MAX) };
            if let Some(old) = self.head(key)? {
                sum.remove(key, &old);
                if let Some(old_id) = old.parts {
                    (0..old.part_count()).for_each(|number| batch.remove(part_key(old_id, number)));
                }
            }
            let Some(content) = &change.value else {
                batch.remove(record_key(key));
                continue;
            };
            let head = Head::of(content, id);
            sum.add(key, &head);
            batch.insert(record_key(key), head.value(&content.bytes));
            if head.parts.is_some() {
                for (number, part) in (0..).zip(content.bytes.chunks(PART)) {
                    batch.insert(part_key(id, number), part);
                }
            }
        }
        Ok(batch)
    }

    /// Notes that everything up to this commit and frame is here.
    pub(crate) fn reached(&self, seq: u64, frame: u64) -> Result<(), Trouble> {
        let mark = Mark { seq, frame, ..self.mark() };
        self.write(sled::Batch::default(), mark)
    }

    fn write(&self, mut batch: sled::Batch, mark: Mark) -> Result<(), Trouble> {
        batch.insert(MARK, mark.value());
        guarded(|| self.db.apply_batch(batch))?;
        *self.mark.lock().unwrap_or_else(PoisonError::into_inner) = mark;
        Ok(())
    }

    /// Reads every record, and compares the whole with the sum.
    pub(crate) fn verify(&self) -> Result<(), Trouble> {
        let mut sum = Sum::default();
        self.visit(&[], None, |key, _, value| {
            let (head, inline) = parse(&value)?;
            let fits = match head.parts {
                None => head.fits(inline),
                Some(id) => self.parts(&head, id)?.is_some_and(|bytes| head.fits(&bytes)),
            };
            if !fits {
                return Err(broken("a record in sled does not fit its checksum"));
            }
            sum.add(key, &head);
            Ok(true)
        })?;
        if sum == self.mark().sum { Ok(()) } else { Err(broken("sled lost or resurrected records")) }
    }

    /// The same sled under another name: its directory was renamed.
    pub(crate) fn moved(self, directory: &Path) -> Self {
        Self { directory: directory.to_owned(), ..self }
    }

    /// Makes durable what was applied.
    pub(crate) fn flush(&self) -> Result<(), Trouble> {
        guarded(|| self.db.flush().map(|_| ()))?;
        // sled's own flush does not commit the file's size and extents.
        std::fs::File::open(self.directory.join("db"))
            .and_then(|file| file.sync_all())
            .map_err(|error| Trouble::Io(format!("cannot sync sled's file: {error}")))
    }

    /// sled itself, for tests that tamper with it.
    #[cfg(test)]
    pub(crate) fn raw(&self) -> &sled::Db {
        &self.db
    }

    /// Whether sled has put something into its `blobs` directory, which it never syncs.
    pub(crate) fn has_blobs(&self) -> bool {
        std::fs::read_dir(self.directory.join("blobs")).is_ok_and(|mut blobs| blobs.next().is_some())
    }
}

/// Applies what is read from the log, many commits at a time: nobody looks at what is between.
pub(crate) struct Replay<'a> {
    index: &'a Index,
    changes: Vec<Change>,
    bytes: usize,
    seq: u64,
    frame: u64,
}

impl<'a> Replay<'a> {
    /// Collects before it applies so many bytes.
    const CHUNK: usize = 1 << 20;

    pub(crate) fn new(index: &'a Index) -> Self {
        let mark = index.mark();
        Self { index, changes: Vec::new(), bytes: 0, seq: mark.seq, frame: mark.frame }
    }

    /// Takes the commits of `frame` that the index does not have.
    pub(crate) fn frame(&mut self, frame: Frame) -> Result<(), Trouble> {
        for (seq, batch) in (frame.first..).zip(frame.batches) {
            if seq > self.seq {
                self.bytes += Frame::weight(&batch);
                self.changes.extend(batch);
                (self.seq, self.frame) = (seq, frame.number);
            }
        }
        if self.bytes >= Self::CHUNK { self.apply() } else { Ok(()) }
    }

    fn apply(&mut self) -> Result<(), Trouble> {
        self.bytes = 0;
        self.index.apply(&std::mem::take(&mut self.changes), self.seq, self.frame)
    }

    /// Applies the rest, and notes that the log ends here.
    pub(crate) fn finish(mut self, seq: u64, frame: u64) -> Result<(), Trouble> {
        self.apply()?;
        self.index.reached(seq, frame)
    }
}

fn parse(value: &sled::IVec) -> Result<(Head, &[u8]), Trouble> {
    Head::parse(value).ok_or_else(|| broken("a record in sled cannot be read"))
}
