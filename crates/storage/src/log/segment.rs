//! One file of the log: a header and the frames behind it.
//!
//! The header says which frame comes first and what the frame before it digests to, so a reader knows where a segment
//! takes over from the one before, and what of that one's tail never counted.
//!
//! Invariants: nothing is ever written behind a tear or a failed write; a damaged frame is named by file and offset.
//! Knows nothing of other segments.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::disk::{Disk, LogFile, cannot, damaged};
use super::frame::{self, Digest, Found, Reader};
use crate::StorageError;

const MAGIC: [u8; 8] = *b"vestalwl";
const FORMAT: u32 = 1;
/// Bytes before the first frame.
pub(crate) const HEADER: usize = 8 + 4 + 16 + 8 + 32 + 8;

/// Names a store, so that files of another one are recognised.
pub(crate) type StoreId = [u8; 16];

/// Where a segment takes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Start {
    /// The number of its first frame.
    pub(crate) first: u64,
    /// The digest of the frame before that.
    pub(crate) previous: Digest,
}

/// The path of the segment numbered `index` in `directory`.
pub(crate) fn path(directory: &Path, index: u64) -> PathBuf {
    directory.join(format!("{index:012}.log"))
}

/// The segments in `directory`, oldest first.
pub(crate) fn list(directory: &Path) -> Result<Vec<(u64, PathBuf)>, StorageError> {
    let entries = std::fs::read_dir(directory).map_err(|error| cannot("list", directory, &error))?;
    let mut segments = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| cannot("list", directory, &error))?;
        let name = entry.file_name();
        let index =
            name.to_str().and_then(|name| name.strip_suffix(".log")).and_then(|stem| stem.parse().ok());
        // What has another name is not ours: a file system's, or left by whoever looked.
        if let Some(index) = index {
            segments.push((index, entry.path()));
        }
    }
    segments.sort_unstable();
    Ok(segments)
}

/// Makes a new segment with its header; not yet durable.
pub(crate) fn create(
    disk: &dyn Disk,
    path: &Path,
    store: &StoreId,
    start: &Start,
) -> std::io::Result<Box<dyn LogFile>> {
    let mut file = disk.create(path)?;
    file.append(&header(store, start))?;
    Ok(file)
}

fn header(store: &StoreId, start: &Start) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&FORMAT.to_be_bytes());
    bytes.extend_from_slice(store);
    bytes.extend_from_slice(&start.first.to_be_bytes());
    bytes.extend_from_slice(&start.previous);
    let check: [u8; 32] = Sha256::digest(&bytes).into();
    bytes.extend(check.iter().take(8));
    bytes
}

/// A segment read whole.
pub(crate) struct Segment {
    path: PathBuf,
    bytes: Vec<u8>,
    /// `None` when the header is damaged or was never finished.
    pub(crate) start: Option<Start>,
    at: usize,
}

impl Segment {
    /// Reads the segment at `path`, which must be of `store`.
    pub(crate) fn read(path: &Path, store: &StoreId) -> Result<Self, StorageError> {
        Self::parse(path, std::fs::read(path).map_err(|error| cannot("read", path, &error))?, store)
    }

    /// The segment in `bytes`, which were read from `path`.
    pub(crate) fn parse(path: &Path, bytes: Vec<u8>, store: &StoreId) -> Result<Self, StorageError> {
        let start = read_header(path, &bytes, store)?;
        Ok(Self { path: path.to_owned(), bytes, start, at: HEADER })
    }

    /// The header alone.
    pub(crate) fn peek(path: &Path, store: &StoreId) -> Result<Option<Start>, StorageError> {
        use std::io::Read as _;
        let mut bytes = Vec::with_capacity(HEADER);
        std::fs::File::open(path)
            .and_then(|file| file.take(HEADER as u64).read_to_end(&mut bytes))
            .map_err(|error| cannot("read", path, &error))?;
        read_header(path, &bytes, store)
    }

    /// The frame at the present offset; `None` at the end of the file. A bad frame is `Err` with the reason, and the
    /// offset stays.
    pub(crate) fn next(&mut self) -> Option<Result<Found, &'static str>> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if rest.is_empty() {
            return None;
        }
        let found = frame::decode(rest);
        if let Ok(found) = &found {
            self.at += found.length;
        }
        Some(found)
    }

    /// The present offset.
    pub(crate) fn offset(&self) -> u64 {
        self.at as u64
    }

    /// Steps back over a frame just read.
    pub(crate) fn step_back(&mut self, length: usize) {
        self.at = self.at.saturating_sub(length);
    }

    /// Whether a whole frame numbered `number` or later begins anywhere from the present offset on.
    pub(crate) fn has_successor(&self, number: u64) -> bool {
        let from = if self.start.is_some() { self.at } else { 0 };
        frame::search(self.bytes.get(from..).unwrap_or_default(), number).is_some()
    }

    /// Damage at the present offset.
    pub(crate) fn damage(&self, why: &str) -> StorageError {
        damaged(&self.path, if self.start.is_some() { self.offset() } else { 0 }, why)
    }
}

fn read_header(path: &Path, bytes: &[u8], store: &StoreId) -> Result<Option<Start>, StorageError> {
    let mut reader = Reader(bytes);
    let parsed = (|| {
        let covered = bytes.get(..HEADER - 8)?;
        let magic: [u8; 8] = reader.array()?;
        let format = reader.u32()?;
        let owner: StoreId = reader.array()?;
        let start = Start { first: reader.u64()?, previous: reader.array()? };
        let check: [u8; 8] = reader.array()?;
        let actual: [u8; 32] = Sha256::digest(covered).into();
        (magic == MAGIC && actual.starts_with(&check)).then_some((format, owner, start))
    })();
    match parsed {
        None => Ok(None),
        Some((format, ..)) if format > FORMAT => Err(StorageError::Unavailable(format!(
            "`{}` was written by a newer version (format {format}; this one reads {FORMAT})",
            path.display()
        ))),
        Some((_, owner, _)) if owner != *store => Err(damaged(path, 12, "the segment is of another store")),
        Some((_, _, start)) => Ok(Some(start)),
    }
}
