//! Lines in a file, appended by one thread that takes what has gathered at once.
//!
//! `Ok` means that write(2) took the whole line; the file is synced within a second of each line, at reopen and at
//! seal. So a kill loses no line and a power cut at most a second of them, unless `sync` is `always`.

use std::fs::{File, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};
use vestal_logical::Clock;

use super::super::settings::{FileOptions, Output};
use super::{AuditDevice, Refused};

/// Lines that may wait; a device with more waiting has refused.
const QUEUE: usize = 1024;
/// How long a line may wait.
const PATIENCE: Duration = Duration::from_secs(10);
const SYNC_EVERY: Duration = Duration::from_secs(1);

enum Order {
    Line(Vec<u8>, oneshot::Sender<Result<(), Refused>>),
    Reopen(oneshot::Sender<()>),
    Flush(oneshot::Sender<()>),
}

/// A file, standard output, or nothing.
pub(in crate::audit) struct FileDevice {
    orders: mpsc::Sender<Order>,
    clock: Arc<dyn Clock>,
    /// A sync is on its way for what has been taken.
    sync_planned: Arc<AtomicBool>,
    #[cfg(test)]
    syncs: Arc<std::sync::atomic::AtomicUsize>,
}

impl FileDevice {
    /// Starts the writing thread. The file is opened at the first line, and again after each failure.
    pub(in crate::audit) fn start(options: FileOptions, clock: Arc<dyn Clock>) -> Result<Self, Refused> {
        let (orders, inbox) = mpsc::channel(QUEUE);
        #[cfg(test)]
        let syncs = Arc::default();
        let writer = Writer {
            options,
            file: None,
            dirty: false,
            #[cfg(test)]
            syncs: Arc::clone(&syncs),
        };
        std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || writer.run(inbox))
            .map_err(|error| Refused(error.to_string()))?;
        Ok(Self {
            orders,
            clock,
            sync_planned: Arc::default(),
            #[cfg(test)]
            syncs,
        })
    }

    /// The first line after a sync has the next one come within a second, whether or not more lines do.
    fn plan_sync(&self) {
        if self.sync_planned.swap(true, Ordering::SeqCst) {
            return;
        }
        let (orders, planned) = (self.orders.clone(), Arc::clone(&self.sync_planned));
        let due = self.clock.sleep_until(self.clock.now().plus(SYNC_EVERY));
        tokio::spawn(async move {
            due.await;
            planned.store(false, Ordering::SeqCst);
            let (done, _) = oneshot::channel();
            // A writer that has ended has synced.
            let _ = orders.send(Order::Flush(done)).await;
        });
    }

    async fn tell(&self, order: impl FnOnce(oneshot::Sender<()>) -> Order) {
        let (done, heard) = oneshot::channel();
        if self.orders.send(order(done)).await.is_ok() {
            // The thread answers, or has ended and there is nothing to wait for.
            let _ = heard.await;
        }
    }
}

impl AuditDevice for FileDevice {
    fn append(&self, line: Vec<u8>) -> BoxFuture<'_, Result<(), Refused>> {
        Box::pin(async move {
            let (done, heard) = oneshot::channel();
            self.orders
                .try_send(Order::Line(line, done))
                .map_err(|_| Refused("its queue is full".to_owned()))?;
            tokio::select! {
                answer = heard => {
                    self.plan_sync();
                    answer.unwrap_or_else(|_| Err(Refused("its writer has ended".to_owned())))
                }
                () = self.clock.sleep_until(self.clock.now().plus(PATIENCE)) => {
                    Err(Refused("it did not take the line in time".to_owned()))
                }
            }
        })
    }

    fn reopen(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.tell(Order::Reopen))
    }

    fn flush(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.tell(Order::Flush))
    }
}

struct Writer {
    options: FileOptions,
    file: Option<File>,
    dirty: bool,
    #[cfg(test)]
    syncs: Arc<std::sync::atomic::AtomicUsize>,
}

impl Writer {
    fn run(mut self, mut inbox: mpsc::Receiver<Order>) {
        let mut orders = Vec::new();
        while inbox.blocking_recv_many(&mut orders, QUEUE) > 0 {
            for order in orders.drain(..) {
                self.obey(order);
            }
        }
        self.sync();
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Line(line, done) => {
                let taken = self.write(&line);
                // Whoever asked may have stopped waiting; the line is there all the same.
                let _ = done.send(taken);
            }
            Order::Reopen(done) => {
                self.sync();
                self.file = None;
                let _ = done.send(());
            }
            Order::Flush(done) => {
                self.sync();
                let _ = done.send(());
            }
        }
    }

    /// A line that was taken only in part is closed with a newline when the file is opened again.
    fn write(&mut self, line: &[u8]) -> Result<(), Refused> {
        let refused = |error: std::io::Error| Refused(error.to_string());
        let mut whole = Vec::with_capacity(self.options.prefix.len() + line.len() + 1);
        whole.extend_from_slice(self.options.prefix.as_bytes());
        whole.extend_from_slice(line);
        whole.push(b'\n');
        match &self.options.output {
            Output::Discard => Ok(()),
            Output::Stdout => std::io::stdout().lock().write_all(&whole).map_err(refused),
            Output::Stderr => std::io::stderr().lock().write_all(&whole).map_err(refused),
            Output::File { path, mode } => {
                let mut file = match self.file.take() {
                    Some(file) => file,
                    None => open(path, *mode).map_err(refused)?,
                };
                file.write_all(&whole).map_err(refused)?;
                if self.options.sync_always {
                    file.sync_data().map_err(refused)?;
                } else {
                    self.dirty = true;
                }
                self.file = Some(file);
                Ok(())
            }
        }
    }

    fn sync(&mut self) {
        if !std::mem::take(&mut self.dirty) {
            return;
        }
        #[cfg(test)]
        self.syncs.fetch_add(1, Ordering::SeqCst);
        if let Some(file) = &self.file
            && let Err(error) = file.sync_data()
        {
            tracing::error!(%error, "an audit file could not be synced");
            self.file = None;
        }
    }
}

/// Opens the file for appending, through no symbolic link, making missing folders. What a failed write left of a line
/// is ended, so that the next line stands alone.
fn open(path: &Path, mode: u32) -> std::io::Result<File> {
    if let Some(parent) = path.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
    }
    let no_follow = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or_default();
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .read(true)
        .mode(if mode == 0 { 0o600 } else { mode })
        .custom_flags(no_follow)
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("it is not a regular file"));
    }
    // A file that somebody else made, such as a rotation, is narrowed to what the device says.
    if mode != 0 && file.metadata()?.permissions().mode() & 0o777 != mode {
        file.set_permissions(Permissions::from_mode(mode))?;
    }
    if ends_within_a_line(&file)? {
        file.write_all(b"\n")?;
    }
    Ok(file)
}

fn ends_within_a_line(file: &File) -> std::io::Result<bool> {
    use std::os::unix::fs::FileExt as _;
    let length = file.metadata()?.len();
    let Some(last) = length.checked_sub(1) else { return Ok(false) };
    let mut byte = [0];
    file.read_exact_at(&mut byte, last)?;
    Ok(byte != *b"\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use vestal_logical::Timestamp;
    use vestal_logical::testing::{SimClock, settle};

    use super::*;
    use crate::active::AuditSettings;

    #[test]
    fn a_file_that_was_there_is_narrowed_to_its_mode() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("audit.log");
        std::fs::write(&file, "").expect("made");
        for mode in [0o644, 0o600] {
            std::fs::set_permissions(&file, Permissions::from_mode(0o666)).expect("widened");
            open(&file, mode).expect("opened");
            assert_eq!(std::fs::metadata(&file).expect("there").permissions().mode() & 0o777, mode);
        }
        open(&file, 0).expect("opened");
        assert_eq!(
            std::fs::metadata(&file).expect("there").permissions().mode() & 0o777,
            0o600,
            "left alone"
        );
        let new = folder.path().join("new.log");
        open(&new, 0).expect("made");
        assert_eq!(std::fs::metadata(&new).expect("there").permissions().mode() & 0o077, 0);
    }

    #[tokio::test]
    async fn the_last_line_before_a_silence_is_synced_within_a_second() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("audit.log").to_str().expect("a text").to_owned();
        let options = BTreeMap::from([("file_path".to_owned(), file)]);
        let options = FileOptions::read(&options, &AuditSettings::default(), true).expect("options");
        let clock = Arc::new(SimClock::at(Timestamp::from_seconds(1)));
        let device = FileDevice::start(options, clock.clone()).expect("starts");
        for synced in 0..3 {
            // Orders are obeyed in a row: when this is taken, the planned sync of the round before is done.
            device.append(b"{}".to_vec()).await.expect("taken");
            device.append(b"{}".to_vec()).await.expect("taken");
            assert_eq!(device.syncs.load(Ordering::SeqCst), synced);
            settle().await;
            clock.advance(SYNC_EVERY).await;
            settle().await;
        }
    }
}
