//! The commit log: everything acknowledged since the base export, in frames, one fdatasync each.
//!
//! Invariants: frames are numbered without gaps and chained by digest; a torn tail is dropped only when nothing
//! whole follows it and nobody is known to have relied on it, every other bad frame is an error that names file and
//! offset; after a failed write or fdatasync a segment is never written again, and the next one says which of its frames
//! do not count. Knows nothing of sled.

pub(crate) mod disk;
#[cfg(test)]
pub(crate) mod faulty;
pub(crate) mod frame;
pub(crate) mod manifest;
mod scan;
pub(crate) mod segment;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use disk::{Disk, LogFile, cannot};
use frame::{Change, Frame};
use manifest::Position;
pub(crate) use scan::{Bounds, Scan};
use segment::{Start, StoreId};

use crate::StorageError;

/// A segment is closed when it has grown beyond this.
const SEGMENT_BYTES: u64 = 32 << 20;

/// What is known of one segment.
#[derive(Debug, Clone)]
pub(crate) struct SegmentFacts {
    pub(crate) index: u64,
    pub(crate) path: PathBuf,
    /// The last frame that counts; below the first one's number when there is none.
    pub(crate) last: u64,
    pub(crate) bytes: u64,
}

/// The log, open for appending.
pub(crate) struct Log {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    store: StoreId,
    end: Position,
    segments: Vec<SegmentFacts>,
    active: Option<Box<dyn LogFile>>,
    next_index: u64,
    segment_bytes: u64,
}

/// Why a frame could not be appended.
#[derive(Debug)]
pub(crate) struct AppendError {
    /// Whether the frame may be found in the log after a crash all the same.
    pub(crate) uncertain: bool,
    /// What went wrong.
    pub(crate) error: StorageError,
    /// What was to be written.
    pub(crate) batches: Vec<Vec<Change>>,
}

/// One try that failed.
struct Failed {
    uncertain: bool,
    error: StorageError,
}

impl Log {
    /// The log in `directory` behind what `scan` found. Nothing is written before the first append, which begins a new
    /// segment.
    pub(crate) fn open(disk: Arc<dyn Disk>, directory: &Path, store: StoreId, scan: Scan) -> Self {
        let next_index = scan.segments.last().map_or(1, |last| last.index + 1);
        Self {
            disk,
            directory: directory.to_owned(),
            store,
            end: scan.end,
            segments: scan.segments,
            active: None,
            next_index,
            segment_bytes: SEGMENT_BYTES,
        }
    }

    /// Where the log ends.
    pub(crate) fn end(&self) -> Position {
        self.end
    }

    /// Segments, oldest first.
    pub(crate) fn segments(&self) -> &[SegmentFacts] {
        &self.segments
    }

    /// Bytes of all segments.
    pub(crate) fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// Segments of another size, for tests.
    #[cfg(test)]
    pub(crate) fn set_segment_bytes(&mut self, bytes: u64) {
        self.segment_bytes = bytes;
    }

    /// Appends one frame and makes it durable; tries once more in a new segment when that fails.
    pub(crate) fn append(&mut self, batches: Vec<Vec<Change>>, epoch: u64) -> Result<Frame, AppendError> {
        let frame = Frame { number: self.end.frame + 1, first: self.end.seq + 1, epoch, batches };
        let (bytes, digest) = frame.encode(&self.end.digest);
        let first = self.try_append(&bytes, frame.number);
        if let Err(failed) = first {
            self.active = None;
            tracing::warn!(error = %failed.error, "the log's segment is closed after a failed write; trying a new one");
            if let Err(again) = self.try_append(&bytes, frame.number) {
                self.active = None;
                let uncertain = failed.uncertain || again.uncertain;
                return Err(AppendError { uncertain, error: again.error, batches: frame.batches });
            }
        }
        let seq = self.end.seq + frame.batches.len() as u64;
        self.end = Position { frame: frame.number, seq, epoch, digest };
        if self.segments.last().is_some_and(|segment| segment.bytes >= self.segment_bytes) {
            self.active = None;
        }
        Ok(frame)
    }

    fn try_append(&mut self, bytes: &[u8], number: u64) -> Result<(), Failed> {
        let fresh = self.active.is_none();
        if fresh {
            self.begin_segment(number)?;
        }
        let (Some(file), Some(facts)) = (self.active.as_mut(), self.segments.last_mut()) else {
            let error = StorageError::Unavailable("the log has no open segment".to_owned());
            return Err(Failed { uncertain: false, error });
        };
        let path = facts.path.clone();
        let failed = |uncertain: bool, error: &io::Error| Failed {
            uncertain,
            error: cannot("write to", &path, error),
        };
        if let Err(error) = file.append(bytes) {
            if fresh {
                // Nothing in it counts: without this, each try on a full disk would leave a file behind.
                self.forget_segment(&path);
            }
            return Err(failed(false, &error));
        }
        facts.bytes += bytes.len() as u64;
        file.sync().map_err(|error| failed(true, &error))?;
        if fresh {
            self.disk.sync_directory(&self.directory).map_err(|error| failed(true, &error))?;
        }
        facts.last = number;
        Ok(())
    }

    fn begin_segment(&mut self, number: u64) -> Result<(), Failed> {
        let index = self.next_index;
        self.next_index += 1;
        let path = segment::path(&self.directory, index);
        let start = Start { first: number, previous: self.end.digest };
        match segment::create(&*self.disk, &path, &self.store, &start) {
            Ok(file) => {
                self.active = Some(file);
                let bytes = segment::HEADER as u64;
                self.segments.push(SegmentFacts { index, path, last: number - 1, bytes });
                Ok(())
            }
            Err(error) => {
                // A header cut short is taken for a torn one; the name need not stay. A file that was there is not ours.
                if error.kind() != io::ErrorKind::AlreadyExists {
                    let _ = std::fs::remove_file(&path);
                }
                Err(Failed { uncertain: false, error: cannot("create", &path, &error) })
            }
        }
    }

    fn forget_segment(&mut self, path: &Path) {
        self.active = None;
        if std::fs::remove_file(path).is_ok() {
            self.segments.pop();
        }
    }

    /// Removes the segments that hold nothing behind `base`.
    pub(crate) fn retire(&mut self, base: &Position) -> Result<(), StorageError> {
        let count = self.segments.len();
        let mut kept = Vec::with_capacity(count);
        for (at, segment) in std::mem::take(&mut self.segments).into_iter().enumerate() {
            let active = self.active.is_some() && at + 1 == count;
            if active || segment.last > base.frame {
                kept.push(segment);
                continue;
            }
            if let Err(error) = std::fs::remove_file(&segment.path) {
                tracing::warn!(%error, "cannot remove a segment of the log that is no longer needed");
            }
        }
        self.segments = kept;
        self.disk.sync_directory(&self.directory).map_err(|error| cannot("sync", &self.directory, &error))
    }
}

#[cfg(test)]
mod tests;
