//! SIGINT and SIGTERM end the server, SIGHUP reads certificates and opens audit files anew.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use vestal_core::Vault;
use vestal_http_api::Certificates;

/// Ready when somebody asks the server to stop.
pub(crate) fn until_asked_to_stop() -> anyhow::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tracing::info!("asked to stop");
    })
}

/// Has SIGHUP reach us from now on: until somebody listens for it, it ends the process.
pub(super) fn hangups() -> anyhow::Result<Signal> {
    Ok(signal(SignalKind::hangup())?)
}

/// Reloads at each SIGHUP. A certificate that cannot be used leaves the old one in force.
pub(super) fn reload_on_hangup(
    mut hangups: Signal,
    vault: &Arc<Vault>,
    certificates: Certificates,
) -> JoinHandle<()> {
    let vault = Arc::clone(vault);
    tokio::spawn(async move {
        while hangups.recv().await.is_some() {
            for error in certificates.reload() {
                tracing::error!(%error, "a certificate could not be reloaded; the old one stays in force");
            }
            vault.reopen().await;
            tracing::info!("certificates and audit files were opened anew");
        }
    })
}

/// A file with our process id, gone when we are.
pub(super) struct PidFile(PathBuf);

impl PidFile {
    pub(super) fn write(path: &Path) -> anyhow::Result<Self> {
        std::fs::write(path, format!("{}\n", std::process::id()))
            .with_context(|| format!("cannot write the pid file `{}`", path.display()))?;
        Ok(Self(path.to_owned()))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Nothing can be done about a file that will not go.
        let _ = std::fs::remove_file(&self.0);
    }
}
