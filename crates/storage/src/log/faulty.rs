//! A disk that fails as told, for tests: short writes, failed syncs, no space, and a look at every surviving step.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::disk::{Disk, DiskSpace, LogFile, RealDisk};

/// What is to go wrong with the next operations on files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Failure {
    /// Nothing: the operation works.
    None,
    /// The append writes so many bytes, then the disk is full.
    Short(usize),
    /// The append fails with an I/O error before anything is written.
    Append,
    /// The sync fails, though everything may be on the disk.
    Sync,
    /// The file cannot be made.
    Create,
}

type Hook = Box<dyn FnMut(&'static str) + Send>;

#[derive(Default)]
struct Script {
    next: VecDeque<Failure>,
    for_ever: Option<Failure>,
    space: Option<DiskSpace>,
    hook: Option<Arc<Mutex<Hook>>>,
}

/// A real disk with a script.
#[derive(Clone, Default)]
pub(crate) struct FaultyDisk(Arc<Mutex<Script>>);

struct FaultyFile(Box<dyn LogFile>, FaultyDisk);

impl FaultyDisk {
    pub(crate) fn next(&self, failures: impl IntoIterator<Item = Failure>) {
        self.0.lock().unwrap().next.extend(failures);
    }

    pub(crate) fn for_ever(&self, failure: Option<Failure>) {
        self.0.lock().unwrap().for_ever = failure;
    }

    pub(crate) fn set_space(&self, free: u64, total: u64) {
        self.0.lock().unwrap().space = Some(DiskSpace { free, total });
    }

    pub(crate) fn on_step(&self, hook: impl FnMut(&'static str) + Send + 'static) {
        self.0.lock().unwrap().hook = Some(Arc::new(Mutex::new(Box::new(hook))));
    }

    /// Takes the next failure if `applies`; one that does not apply waits for its operation.
    fn take(&self, applies: impl Fn(Failure) -> bool) -> Option<Failure> {
        let mut script = self.0.lock().unwrap();
        match script.next.front().copied() {
            Some(next) if applies(next) || next == Failure::None => {
                script.next.pop_front();
                Some(next)
            }
            Some(_) => None,
            None => script.for_ever.filter(|failure| applies(*failure)),
        }
    }
}

impl LogFile for FaultyFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.1.take(|failure| matches!(failure, Failure::Short(_) | Failure::Append)) {
            Some(Failure::Short(count)) => {
                self.0.append(&bytes[..count.min(bytes.len())])?;
                Err(io::Error::from(io::ErrorKind::StorageFull))
            }
            Some(Failure::Append) => Err(io::Error::from_raw_os_error(5)),
            _ => self.0.append(bytes),
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        match self.1.take(|failure| failure == Failure::Sync) {
            Some(Failure::Sync) => Err(io::Error::from_raw_os_error(5)),
            _ => self.0.sync(),
        }
    }
}

impl Disk for FaultyDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn LogFile>> {
        if self.take(|failure| failure == Failure::Create) == Some(Failure::Create) {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        Ok(Box::new(FaultyFile(RealDisk.create(path)?, self.clone())))
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        RealDisk.sync_directory(directory)
    }

    fn space(&self, directory: &Path) -> io::Result<DiskSpace> {
        let set = self.0.lock().unwrap().space;
        set.map_or_else(|| RealDisk.space(directory), Ok)
    }

    fn reached(&self, step: &'static str) {
        // The hook may look at the disk, so it is not called under the lock.
        let hook = self.0.lock().unwrap().hook.clone();
        if let Some(hook) = hook {
            (hook.lock().unwrap())(step);
        }
    }
}
