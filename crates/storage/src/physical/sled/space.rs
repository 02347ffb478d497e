//! How full the disk may become: a soft limit for what can be refused, and a reserve file for what must not fail.
//!
//! Below the soft limit new writes and intents are refused. What claims the reserve goes on; when the disk runs out the
//! reserve file is given back for it, and made again when there is room.
//!
//! Invariants: giving the reserve back never lets ordinary writes in. Knows nothing of what is written.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::log::disk::{Disk, DiskSpace, create_private};
use crate::{Claim, StorageError};

/// Five percent of the disk, within these: sled takes 8 MiB at a time, and some of it just to open.
const SOFT_LIMIT: std::ops::RangeInclusive<u64> = 48 << 20..=1 << 30;
/// Two percent of the disk, within these.
const RESERVE: std::ops::RangeInclusive<u64> = 24 << 20..=64 << 20;

/// The watch over the disk's free space.
pub(crate) struct Space {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    soft_limit: u64,
    reserve: u64,
    held: AtomicBool,
}

impl Space {
    /// Watches the file system of `directory`; limits not given follow from its size.
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        directory: &Path,
        soft_limit: Option<u64>,
        size: Option<u64>,
    ) -> Self {
        let total = disk.space(directory).map_or(u64::MAX, |space| space.total);
        let soft_limit = soft_limit.unwrap_or_else(|| within(&SOFT_LIMIT, total / 20).min(total / 2));
        let size = size.unwrap_or_else(|| within(&RESERVE, total / 50)).min(soft_limit / 2);
        let held = std::fs::metadata(reserve(directory)).is_ok_and(|file| file.len() > 0);
        Self { disk, directory: directory.to_owned(), soft_limit, reserve: size, held: AtomicBool::new(held) }
    }

    fn free(&self) -> Option<DiskSpace> {
        // A file system that does not tell is not held against the writer: the write itself will say.
        self.disk.space(&self.directory).ok()
    }

    /// Bytes free, if the file system tells.
    pub(crate) fn left(&self) -> Option<u64> {
        self.free().map(|space| space.free)
    }

    /// Whether what makes this claim may be written now.
    pub(crate) fn admit(&self, claim: Claim) -> Result<(), StorageError> {
        let Some(space) = self.free() else { return Ok(()) };
        match claim {
            Claim::Ordinary if space.free < self.soft_limit => Err(StorageError::Full(format!(
                "{} MiB are free, new writes need {} MiB; free some space, or lower the soft limit",
                space.free >> 20,
                self.soft_limit >> 20
            ))),
            Claim::Ordinary => Ok(()),
            Claim::Reserved => {
                if space.free < self.reserve / 2 {
                    self.give_back();
                }
                Ok(())
            }
        }
    }

    /// Whether `bytes` more fit without coming near the soft limit.
    pub(crate) fn fits(&self, bytes: u64) -> bool {
        self.free().is_none_or(|space| space.free > self.soft_limit.saturating_add(bytes))
    }

    /// Gives the reserve back to the disk; `false` when it was gone already.
    pub(crate) fn give_back(&self) -> bool {
        if !self.held.swap(false, Ordering::AcqRel) {
            return false;
        }
        let given = drop_reserve(&self.directory);
        if given {
            tracing::warn!("the disk is full: the reserve is given back for what must not fail");
        }
        given
    }

    /// Makes the reserve again when there is room for it.
    pub(crate) fn restock(&self) {
        if self.held.load(Ordering::Acquire) || self.reserve == 0 || !self.fits(self.reserve) {
            return;
        }
        let path = reserve(&self.directory);
        let _ = std::fs::remove_file(&path);
        let made = create_private(&path).and_then(|file| {
            // Allocated, not merely sized: a hole would reserve nothing.
            rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, self.reserve)?;
            file.sync_all()
        });
        match made {
            Ok(()) => self.held.store(true, Ordering::Release),
            Err(error) => {
                let _ = std::fs::remove_file(&path);
                tracing::warn!(%error, "cannot set space aside for what must not fail on a full disk");
            }
        }
    }
}

fn within(range: &std::ops::RangeInclusive<u64>, bytes: u64) -> u64 {
    bytes.clamp(*range.start(), *range.end())
}

fn reserve(directory: &Path) -> PathBuf {
    directory.join("reserve")
}

/// Removes the reserve of the store in `directory`; `false` when there was none.
pub(crate) fn drop_reserve(directory: &Path) -> bool {
    std::fs::remove_file(reserve(directory)).is_ok()
}
