//! The few file operations whose failure decides over data, behind one trait, so that tests can make them fail.
//!
//! Everything made here is private to its owner: directories 0700, files 0600, under any umask. Knows nothing of what
//! is written.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::StorageError;

/// A file that only grows.
pub(crate) trait LogFile: Send {
    /// Appends all of `bytes`. After an error an unknown part of them is there, but never all.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes durable what was appended, with the file's size.
    fn sync(&mut self) -> io::Result<()>;
}

/// The disk as the store sees it.
pub(crate) trait Disk: Send + Sync {
    /// Makes a new, empty file; one that exists already is an error.
    fn create(&self, path: &Path) -> io::Result<Box<dyn LogFile>>;
    /// Makes names in `directory` durable.
    fn sync_directory(&self, directory: &Path) -> io::Result<()>;
    /// Bytes free for us, and in all, on the file system of `directory`.
    fn space(&self, directory: &Path) -> io::Result<DiskSpace>;
    /// A step that survives has been done; tests copy the directory here to see what a crash leaves.
    fn reached(&self, _step: &'static str) {}
}

/// How much room a file system has, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DiskSpace {
    pub(crate) free: u64,
    pub(crate) total: u64,
}

/// The disk itself.
pub(crate) struct RealDisk;

struct RealFile(File);

impl LogFile for RealFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}

impl Disk for RealDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn LogFile>> {
        Ok(Box::new(RealFile(create_private(path)?)))
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        File::open(directory)?.sync_all()
    }

    fn space(&self, directory: &Path) -> io::Result<DiskSpace> {
        let found = rustix::fs::statvfs(directory)?;
        Ok(DiskSpace { free: found.f_bavail * found.f_frsize, total: found.f_blocks * found.f_frsize })
    }
}

/// A new file that only its owner may read, whatever the umask says.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}

/// Makes `path` a directory that only its owner may enter, whatever the umask says.
pub(crate) fn private_directory(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
        Err(error) => return Err(error),
    }
    std::fs::set_permissions(path, Permissions::from_mode(0o700))
}

/// Replaces `path` by `bytes` as a whole: after a crash the old or the new content is there.
pub(crate) fn replace(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let written = path.with_extension("tmp");
    match std::fs::remove_file(&written) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = disk.create(&written)?;
    file.append(bytes)?;
    file.sync()?;
    disk.reached("a replacement is written");
    std::fs::rename(&written, path)?;
    disk.sync_directory(path.parent().unwrap_or(Path::new(".")))?;
    disk.reached("a replacement is in place");
    Ok(())
}

/// A failed file operation, as the store reports it.
pub(crate) fn cannot(what: &str, path: &Path, error: &io::Error) -> StorageError {
    let text = format!("cannot {what} `{}`: {error}", path.display());
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StorageError::Full(text),
        _ => StorageError::Unavailable(text),
    }
}

/// Damage at a place in a file.
pub(crate) fn damaged(path: &Path, offset: u64, why: &str) -> StorageError {
    StorageError::Corrupt(format!("`{}` at offset {offset}: {why}", path.display()))
}
