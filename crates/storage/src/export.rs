//! Exports: every record in one file, sealed as it was, complete up to one place in the log.
//!
//! Layout: magic, format (u32), store (16), then entries as frames keep changes (length-prefixed: put or delete), then an
//! end entry with the position reached, the number of entries and the SHA-256 of all before. Entries are read in order
//! and later ones win: first come the pages of a walk over the live store, then what was committed during the walk.
//!
//! Invariants: an export has its name only after it was read back. It is the backup, the source of a rebuild, the
//! compaction and the way to another kind of store. Knows nothing of sled.

use std::fs::File;
use std::io::{BufReader, Read};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::StorageError;
use crate::log::disk::{Disk, LogFile, cannot, damaged};
use crate::log::frame::{Change, Content, MAX_PAYLOAD, encode_change};
use crate::log::manifest::Position;
use crate::log::segment::StoreId;

const MAGIC: [u8; 8] = *b"vestalex";
const FORMAT: u32 = 1;
const PUT: u8 = 1;
const DELETE: u8 = 2;
const END: u8 = 0;
/// Written in pieces of about this size.
const BUFFER: usize = 1 << 20;

/// What an export holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Contents {
    pub(crate) store: StoreId,
    /// Everything up to here is in it.
    pub(crate) end: Position,
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
}

/// What an export is called until it is whole.
pub(crate) const UNFINISHED: &str = "new.tmp";

/// The frame that an export of this name reaches; `None` when the name is none of ours.
pub(crate) fn frame_of(name: &str) -> Option<u64> {
    name.strip_suffix(".export").filter(|stem| stem.len() == 16)?.parse().ok()
}

/// The file name of the export that reaches `end`.
pub(crate) fn name(end: &Position) -> String {
    format!("{:016}.export", end.frame)
}

/// An export being written.
pub(crate) struct Writer {
    path: PathBuf,
    file: Box<dyn LogFile>,
    digest: Sha256,
    buffer: Vec<u8>,
    store: StoreId,
    entries: u64,
    bytes: u64,
}

impl Writer {
    /// Begins a new file at `path`.
    pub(crate) fn create(disk: &dyn Disk, path: &Path, store: &StoreId) -> Result<Self, StorageError> {
        let file = disk.create(path).map_err(|error| cannot("create", path, &error))?;
        let mut buffer = Vec::with_capacity(BUFFER + 4096);
        buffer.extend_from_slice(&MAGIC);
        buffer.extend_from_slice(&FORMAT.to_be_bytes());
        buffer.extend_from_slice(store);
        let digest = Sha256::new();
        Ok(Self { path: path.to_owned(), file, digest, buffer, store: *store, entries: 0, bytes: 0 })
    }

    /// Appends one entry.
    pub(crate) fn push(&mut self, change: &Change) -> Result<(), StorageError> {
        encode_change(change, &mut self.buffer);
        self.entries += 1;
        if self.buffer.len() >= BUFFER { self.drain() } else { Ok(()) }
    }

    fn drain(&mut self) -> Result<(), StorageError> {
        self.digest.update(&self.buffer);
        self.bytes += self.buffer.len() as u64;
        self.file.append(&self.buffer).map_err(|error| cannot("write to", &self.path, &error))?;
        self.buffer.clear();
        Ok(())
    }

    /// Writes the end, makes the file durable, and reads it back.
    pub(crate) fn finish(mut self, end: &Position) -> Result<Contents, StorageError> {
        self.buffer.push(END);
        for number in [end.frame, end.seq, end.epoch] {
            self.buffer.extend_from_slice(&number.to_be_bytes());
        }
        self.buffer.extend_from_slice(&end.digest);
        self.buffer.extend_from_slice(&self.entries.to_be_bytes());
        self.drain()?;
        let digest = self.digest.finalize();
        self.file
            .append(&digest)
            .and_then(|()| self.file.sync())
            .map_err(|error| cannot("write to", &self.path, &error))?;
        let written = Contents {
            store: self.store,
            end: *end,
            entries: self.entries,
            bytes: self.bytes + digest.len() as u64,
        };
        let found = read(&self.path, |_| Ok(()))?;
        if found == written {
            Ok(written)
        } else {
            Err(damaged(&self.path, 0, "the export does not read back as it was written"))
        }
    }
}

struct Source<'a, R> {
    path: &'a Path,
    file: BufReader<R>,
    digest: Sha256,
    at: u64,
}

impl<'a, R: Read> Source<'a, R> {
    fn new(path: &'a Path, file: R) -> Self {
        Self { path, file: BufReader::with_capacity(BUFFER, file), digest: Sha256::new(), at: 0 }
    }

    fn bytes(&mut self, length: usize) -> Result<Vec<u8>, StorageError> {
        let mut bytes = Vec::with_capacity(length.min(2 << 20));
        let mut part = (&mut self.file).take(length as u64);
        part.read_to_end(&mut bytes).map_err(|error| cannot("read", self.path, &error))?;
        if bytes.len() != length {
            return Err(damaged(self.path, self.at + bytes.len() as u64, "the export is cut short"));
        }
        self.digest.update(&bytes);
        self.at += length as u64;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], StorageError> {
        let at = self.at;
        let bytes = self.bytes(N)?;
        bytes.try_into().map_err(|_| damaged(self.path, at, "the export is cut short"))
    }

    fn number(&mut self) -> Result<u64, StorageError> {
        self.array().map(u64::from_be_bytes)
    }

    fn small(&mut self) -> Result<u32, StorageError> {
        self.array().map(u32::from_be_bytes)
    }

    fn position(&mut self) -> Result<Position, StorageError> {
        let (frame, seq, epoch) = (self.number()?, self.number()?, self.number()?);
        Ok(Position { frame, seq, epoch, digest: self.array()? })
    }

    fn length(&mut self) -> Result<usize, StorageError> {
        let at = self.at;
        let length = self.small()? as usize;
        if length > MAX_PAYLOAD {
            return Err(damaged(self.path, at, "an entry's length is impossible"));
        }
        Ok(length)
    }
}

/// The end entry and the checksum behind it.
const TAIL: usize = 1 + 3 * 8 + 32 + 8 + 32;

/// Looks, at both ends alone, whether the file at `path` is the export of `store` that reaches `end`.
pub(crate) fn glance(path: &Path, store: &StoreId, end: &Position) -> Result<(), StorageError> {
    let (mut head, mut tail) = ([0; 8 + 4 + 16], [0; TAIL]);
    let file = File::open(path).map_err(|error| cannot("read", path, &error))?;
    let length = file.metadata().map_err(|error| cannot("read", path, &error))?.len();
    file.read_exact_at(&mut head, 0)
        .and_then(|()| file.read_exact_at(&mut tail, length.saturating_sub(TAIL as u64)))
        .map_err(|_| damaged(path, length, "the export is cut short"))?;
    let mut source = Source::new(path, &head[..]);
    let (magic, _format, owner) = (source.array()?, source.small()?, source.array()?);
    let mut source = Source::new(path, &tail[..]);
    let mark = source.array()?;
    let found = source.position()?;
    if (magic, owner, mark, found) == (MAGIC, *store, [END], *end) {
        return Ok(());
    }
    Err(damaged(path, 0, "the export is not the one that the manifest names"))
}

/// Reads the export at `path`, handing over each entry in order. Only `Ok` says that what was handed over is whole.
pub(crate) fn read(
    path: &Path,
    visit: impl FnMut(Change) -> Result<(), StorageError>,
) -> Result<Contents, StorageError> {
    let file = File::open(path).map_err(|error| cannot("read", path, &error))?;
    read_from(path, file, visit)
}

/// Reads the export in `file`, whose path is `path`.
pub(crate) fn read_from(
    path: &Path,
    file: impl Read,
    mut visit: impl FnMut(Change) -> Result<(), StorageError>,
) -> Result<Contents, StorageError> {
    let mut source = Source::new(path, file);
    if source.array()? != MAGIC {
        return Err(damaged(path, 0, "this is no export"));
    }
    let format = source.small()?;
    if format > FORMAT {
        return Err(StorageError::Unavailable(format!(
            "`{}` was written by a newer version (format {format}; this one reads {FORMAT})",
            path.display()
        )));
    }
    let store = source.array()?;
    let mut entries = 0;
    loop {
        let at = source.at;
        match source.array()? {
            [END] => break,
            [PUT] => {
                let (key, value) = (source.length()?, source.length()?);
                let stamp = source.number()?;
                let (key, bytes) = (source.bytes(key)?, source.bytes(value)?);
                visit(Change { key, value: Some(Content { stamp, bytes }) })?;
            }
            [DELETE] => {
                let key = source.length()?;
                visit(Change { key: source.bytes(key)?, value: None })?;
            }
            _ => return Err(damaged(path, at, "an entry cannot be read")),
        }
        entries += 1;
    }
    end(source, store, entries)
}

fn end<R: Read>(mut source: Source<'_, R>, store: StoreId, entries: u64) -> Result<Contents, StorageError> {
    let position = source.position()?;
    let counted = source.number()?;
    let actual: [u8; 32] = source.digest.clone().finalize().into();
    let (path, at) = (source.path, source.at);
    let expected: [u8; 32] = source.array()?;
    let mut rest = [0];
    let trailing = source.file.read(&mut rest).map_err(|error| cannot("read", path, &error))?;
    if actual != expected || counted != entries || trailing != 0 {
        return Err(damaged(path, at, "the export's checksum does not fit"));
    }
    Ok(Contents { store, end: position, entries, bytes: source.at })
}
