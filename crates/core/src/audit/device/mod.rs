//! Where audit lines go. `Ok` means that the device has taken the whole line.

mod file;

use futures::future::BoxFuture;

pub(super) use file::FileDevice;

/// A line was not taken. The text is for the log.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refused(pub(super) String);

/// One device.
pub(super) trait AuditDevice: Send + Sync {
    /// Takes one line, without its newline.
    fn append(&self, line: Vec<u8>) -> BoxFuture<'_, Result<(), Refused>>;
    /// Opens its file anew, for whoever rotated it.
    fn reopen(&self) -> BoxFuture<'_, ()>;
    /// Makes everything taken durable.
    fn flush(&self) -> BoxFuture<'_, ()>;
}
