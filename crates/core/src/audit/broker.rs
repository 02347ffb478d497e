//! Brings each line to every device. One that takes it is enough; none that takes it fails the request.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arc_swap::ArcSwap;
use futures::future::join_all;
use tokio::sync::Mutex;
use vestal_crypto::Salt;
use vestal_logical::{Answer, Error, Kind, Operation, Request, Timestamp};
use vestal_storage::{Barrier, Changes, Place, Stamp, View};

use super::device::{AuditDevice, FileDevice, Refused};
use super::entry::{Line, Trail, request_line, response_line};
use super::redact::{Redactor, hash};
use super::settings::FileOptions;
use super::table::{AuditEntry, Devices};
use crate::active::{AuditSettings, Parts};

/// A device that is open.
struct Open {
    entry: AuditEntry,
    options: FileOptions,
    device: Box<dyn AuditDevice>,
}

impl Open {
    fn redactor(&self) -> Redactor<'_> {
        Redactor {
            salt: &self.entry.salt,
            raw: self.options.log_raw,
            hash_accessors: self.options.hmac_accessor,
        }
    }
}

/// All devices.
pub(crate) struct Broker {
    parts: Arc<Parts>,
    view: View,
    open: ArcSwap<Vec<Arc<Open>>>,
    /// Held through every change.
    kept: Mutex<(Devices, Option<Stamp>)>,
    /// Lines that may still be taken before a test's devices refuse.
    #[cfg(test)]
    patience: std::sync::atomic::AtomicUsize,
}

#[cfg(test)]
impl Broker {
    /// Takes this many more lines, then refuses.
    pub(crate) fn refuse_after(&self, lines: usize) {
        self.patience.store(lines, std::sync::atomic::Ordering::SeqCst);
    }

    fn spends_patience(&self) -> bool {
        use std::sync::atomic::Ordering::SeqCst;
        let spend = |left: usize| (left != usize::MAX).then(|| left.checked_sub(1)).flatten();
        let before = self.patience.fetch_update(SeqCst, SeqCst, spend);
        before.is_ok() || self.patience.load(SeqCst) == usize::MAX
    }
}

fn place() -> Place {
    Place::root().plain("audit")
}

impl Broker {
    /// Opens every stored and every declared device. One that cannot be opened refuses lines until it can.
    pub(crate) async fn open(parts: &Arc<Parts>, barrier: &Barrier) -> Result<Arc<Self>, Error> {
        let view = barrier.view(&Place::root().plain("core"));
        let stored = view.get::<Devices>(&place()).await?;
        let kept = stored.map_or_else(Default::default, |stored| (stored.value, Some(stored.stamp)));
        let broker = Self {
            parts: Arc::clone(parts),
            view,
            open: ArcSwap::default(),
            kept: Mutex::new(kept),
            #[cfg(test)]
            patience: usize::MAX.into(),
        };
        broker.adopt_declared().await?;
        let kept = broker.kept.lock().await;
        let mut open = Vec::new();
        for entry in &kept.0.0 {
            if !broker.in_use(entry) {
                tracing::warn!("an audit device is no longer declared in the configuration and is not used");
                continue;
            }
            // Whoever enabled it was allowed to then; a setting that changed since must not keep the vault sealed.
            open.push(Arc::new(broker.start(entry.clone(), true)?));
        }
        broker.open.store(Arc::new(open));
        drop(kept);
        Ok(Arc::new(broker))
    }

    fn is_declared(&self, path: &str) -> bool {
        self.parts.settings.audit.devices.iter().any(|stanza| canonical(&stanza.path) == path)
    }

    /// A row that the configuration no longer declares only keeps its salt.
    fn in_use(&self, entry: &AuditEntry) -> bool {
        !entry.declared || self.is_declared(&entry.path)
    }

    /// Stored rows follow the configuration: it says how, we keep the salt.
    async fn adopt_declared(&self) -> Result<(), Error> {
        let mut kept = self.kept.lock().await;
        let mut devices = kept.0.clone();
        for stanza in &self.parts.settings.audit.devices {
            let path = canonical(&stanza.path);
            let known = devices.0.iter().find(|entry| entry.path == path).map(|entry| entry.salt.clone());
            let entry = AuditEntry {
                kind: stanza.kind.clone(),
                description: stanza.description.clone(),
                options: stanza.options.clone(),
                local: false,
                salt: known.unwrap_or_else(|| Salt::generate(self.parts.entropy.as_ref())),
                declared: true,
                path,
            };
            match devices.0.iter_mut().find(|kept| kept.path == entry.path) {
                Some(row) => *row = entry,
                None => devices.0.push(entry),
            }
        }
        // Unsealing on a full disk must work, so what is stored already is not stored again.
        if devices.same_as(&kept.0) { Ok(()) } else { self.store(&mut kept, devices).await }
    }

    async fn store(&self, kept: &mut (Devices, Option<Stamp>), devices: Devices) -> Result<(), Error> {
        let mut changes = Changes::new();
        changes.reserved().put(&self.view, &place(), &devices)?;
        match kept.1 {
            Some(stamp) => changes.expect(&self.view, &place(), stamp)?,
            None => changes.expect_absent(&self.view, &place())?,
        };
        let seq = self.view.commit(changes).await?;
        *kept = (devices, Some(seq.into()));
        Ok(())
    }

    fn start(&self, entry: AuditEntry, trusted: bool) -> Result<Open, Error> {
        let options = options_of(&entry.kind, &entry.options, &self.parts.settings.audit, trusted)?;
        let device =
            FileDevice::start(options.clone(), Arc::clone(&self.parts.clock)).map_err(|refused| {
                Error::new(Kind::Unavailable, "the audit device cannot be started").because(refused)
            })?;
        Ok(Open { entry, options, device: Box::new(device) })
    }

    /// Records a request before it is run.
    pub(crate) async fn request(&self, trail: &Trail<'_>, error: Option<&Error>) -> Result<(), Error> {
        self.record(trail, |open| request_line(trail, &open.redactor(), error)).await
    }

    /// Records a response before it is given.
    pub(crate) async fn response(
        &self,
        trail: &Trail<'_>,
        result: Result<&Answer, &Error>,
    ) -> Result<(), Error> {
        let now = self.parts.clock.now();
        let line = |open: &Open| {
            response_line(trail, &open.redactor(), result, open.options.elide_list_responses, now)
        };
        self.record(trail, line).await
    }

    async fn record(&self, trail: &Trail<'_>, line: impl Fn(&Open) -> Line) -> Result<(), Error> {
        let devices = self.open.load_full();
        if devices.is_empty() {
            return Ok(());
        }
        #[cfg(test)]
        if !self.spends_patience() {
            return Err(refused(trail));
        }
        let results = join_all(devices.iter().map(|open| write(open, line(open)))).await;
        let mut taken = false;
        for result in results {
            match result {
                Ok(()) => taken = true,
                Err(refused) => tracing::error!(%refused, "an audit device did not take a line"),
            }
        }
        if taken { Ok(()) } else { Err(refused(trail)) }
    }

    /// Enables a device: it must take a test line before it counts.
    pub(crate) async fn enable(&self, entry: AuditEntry, now: Timestamp) -> Result<(), Error> {
        let mut kept = self.kept.lock().await;
        let overlaps =
            |other: &AuditEntry| other.path.starts_with(&entry.path) || entry.path.starts_with(&other.path);
        if kept.0.0.iter().any(|other| overlaps(other) && self.in_use(other)) {
            return Err(Error::invalid("path already in use"));
        }
        let open = self.start(entry.clone(), false)?;
        FileOptions::checked(&entry.options, &self.parts.settings.audit, false)?;
        let test = test_request(now);
        let trail = Trail {
            request: &test,
            operation: Operation::Update,
            token: None,
            granting: &[],
            allowed: true,
            route: None,
        };
        let line = request_line(&trail, &open.redactor(), None);
        write(&open, line).await.map_err(|refused| {
            Error::invalid("the audit device did not take a test line; see the server's log").because(refused)
        })?;
        let mut devices = kept.0.clone();
        devices.0.retain(|other| other.path != entry.path);
        devices.0.push(entry);
        self.store(&mut kept, devices).await?;
        let mut all = self.open.load_full().as_ref().clone();
        all.push(Arc::new(open));
        self.open.store(Arc::new(all));
        Ok(())
    }

    /// Disables a device; nothing there is fine.
    pub(crate) async fn disable(&self, path: &str) -> Result<(), Error> {
        let path = canonical(path);
        let mut kept = self.kept.lock().await;
        let Some(entry) = kept.0.0.iter().find(|entry| entry.path == path) else { return Ok(()) };
        if entry.declared && self.is_declared(&path) {
            return Err(Error::invalid(
                "this audit device is declared in the configuration file; remove it there",
            ));
        }
        let mut devices = kept.0.clone();
        devices.0.retain(|entry| entry.path != path);
        self.store(&mut kept, devices).await?;
        let all = self.open.load_full();
        self.open.store(Arc::new(all.iter().filter(|open| open.entry.path != path).cloned().collect()));
        for gone in all.iter().filter(|open| open.entry.path == path) {
            gone.device.flush().await;
        }
        Ok(())
    }

    /// What is enabled.
    pub(crate) async fn entries(&self) -> Vec<AuditEntry> {
        self.kept.lock().await.0.0.iter().filter(|entry| self.in_use(entry)).cloned().collect()
    }

    /// How a device shows a text.
    pub(crate) async fn hash(&self, path: &str, input: &str) -> Result<String, Error> {
        let path = canonical(path);
        let kept = self.kept.lock().await;
        let unknown = || Error::invalid(format!("unknown audit backend \"{path}\""));
        kept.0
            .0
            .iter()
            .find(|entry| entry.path == path)
            .map(|entry| hash(&entry.salt, input))
            .ok_or_else(unknown)
    }

    /// Opens every file anew.
    pub(crate) async fn reopen(&self) {
        join_all(self.open.load_full().iter().map(|open| open.device.reopen())).await;
    }

    /// Makes everything taken durable.
    pub(crate) async fn close(&self) {
        join_all(self.open.load_full().iter().map(|open| open.device.flush())).await;
    }
}

fn options_of(
    kind: &str,
    options: &BTreeMap<String, String>,
    settings: &AuditSettings,
    trusted: bool,
) -> Result<FileOptions, Error> {
    if kind != "file" {
        return Err(Error::invalid(format!("unknown backend type: \"{kind}\"")));
    }
    FileOptions::read(options, settings, trusted)
}

/// Whether every device that the configuration declares could be opened: to be known at start, not at unsealing.
pub(crate) fn check_declared(settings: &AuditSettings) -> Result<(), Error> {
    let mut paths = BTreeSet::new();
    for stanza in &settings.devices {
        let named = |reason: &dyn std::fmt::Display| {
            Error::invalid(format!("audit stanza `{}`: {reason}", stanza.path))
        };
        options_of(&stanza.kind, &stanza.options, settings, true)
            .and_then(|_| FileOptions::checked(&stanza.options, settings, true))
            .map_err(|error| named(&error))?;
        if !paths.insert(canonical(&stanza.path)) {
            return Err(named(&"there are two of this name"));
        }
    }
    Ok(())
}

/// What a caller hears when no device takes a line.
fn refused(trail: &Trail<'_>) -> Error {
    let sealing = trail.request.path == "sys/seal";
    let text = if sealing { "failed to audit request, cannot continue" } else { "internal error" };
    Error::new(Kind::Internal, text)
}

async fn write(open: &Open, line: Line) -> Result<(), Refused> {
    let bytes = serde_json::to_vec(&line).map_err(|error| Refused(error.to_string()))?;
    open.device.append(bytes).await
}

/// `file` and `/file/` are `file/`.
pub(crate) fn canonical(path: &str) -> String {
    format!("{}/", path.trim_matches('/'))
}

fn test_request(now: Timestamp) -> Request {
    Request {
        id: uuid::Uuid::nil().to_string(),
        operation: Operation::Update,
        path: "sys/audit/test".to_owned(),
        data: serde_json::Map::new(),
        token: None,
        wrap: None,
        peer: None,
        headers: Vec::new(),
        now,
        deadline: Timestamp::MAX,
    }
}
