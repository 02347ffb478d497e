//! The manifest: what the store is, and the two marks that say where replay and rebuild begin.
//!
//! One line of JSON and one line with its SHA-256, replaced as a whole. Invariants: a manifest that reads back is the
//! one that was written last; only it lets log segments go. Knows nothing of the log's content.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::disk::{Disk, cannot, damaged, replace};
use super::frame::Digest;
use super::segment::StoreId;
use crate::StorageError;

/// The format this version writes, and the newest it reads.
pub(crate) const FORMAT: u32 = 1;

/// A place in the log: behind this frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Position {
    /// The number of the frame; 0 before the first.
    pub(crate) frame: u64,
    /// The number of the newest commit in it or before it.
    pub(crate) seq: u64,
    /// The newest epoch granted.
    pub(crate) epoch: u64,
    /// The digest of the frame.
    #[serde(with = "hex::serde")]
    pub(crate) digest: Digest,
}

/// A file of sled's as it was left when the store was closed: name, length, and time of its last change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Print {
    pub(crate) name: String,
    pub(crate) length: u64,
    pub(crate) seconds: i64,
    pub(crate) nanoseconds: i64,
}

/// What the manifest says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// Version of the directory's layout.
    pub(crate) format: u32,
    /// Names the store.
    #[serde(with = "hex::serde")]
    pub(crate) store: StoreId,
    /// *Replay from*: sled holds at least everything up to here, durably; the log at least this much.
    pub(crate) checkpoint: Position,
    /// *Base export*: complete up to here. The log behind it is kept.
    pub(crate) base: Position,
    /// The base export's file name.
    pub(crate) export: String,
    /// How sled's files were left by a clean end; `None` while the store is open.
    pub(crate) closed: Option<Vec<Print>>,
}

#[derive(Deserialize)]
struct FormatOnly {
    format: u32,
}

/// Where the manifest of the store in `directory` lies.
pub(crate) fn path(directory: &Path) -> PathBuf {
    directory.join("manifest")
}

impl Manifest {
    /// The manifest in `directory`, or `None` when there is none.
    pub(crate) fn read(directory: &Path) -> Result<Option<Self>, StorageError> {
        let path = path(directory);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(cannot("read", &path, &error)),
        };
        Self::parse(&path, &bytes).map(Some)
    }

    /// The manifest in `bytes`, which were read from `path`.
    pub(crate) fn parse(path: &Path, bytes: &[u8]) -> Result<Self, StorageError> {
        let torn = || damaged(path, 0, "the manifest's checksum does not fit");
        let text = std::str::from_utf8(bytes).map_err(|_| torn())?;
        let (line, check) = text.split_once('\n').ok_or_else(torn)?;
        if check.trim_end() != hex::encode(Sha256::digest(line)) {
            return Err(torn());
        }
        let found: FormatOnly = serde_json::from_str(line).map_err(|_| torn())?;
        if found.format > FORMAT {
            return Err(StorageError::Unavailable(format!(
                "`{}` was written by a newer version (format {}; this one reads {FORMAT})",
                path.display(),
                found.format
            )));
        }
        serde_json::from_str(line)
            .map_err(|error| damaged(path, error.column() as u64, "the manifest cannot be read"))
    }

    /// Replaces the manifest in `directory`, durably.
    pub(crate) fn write(&self, disk: &dyn Disk, directory: &Path) -> Result<(), StorageError> {
        let path = path(directory);
        let line = serde_json::to_string(self)
            .map_err(|error| StorageError::Unavailable(format!("cannot encode the manifest: {error}")))?;
        let text = format!("{line}\n{}\n", hex::encode(Sha256::digest(&line)));
        replace(disk, &path, text.as_bytes()).map_err(|error| cannot("replace", &path, &error))
    }
}
