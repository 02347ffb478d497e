//! The server's log: to standard error, as text or JSON.

use std::io::IsTerminal as _;

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;

/// Starts logging. `level` is a word, or a filter such as `vestal_core=debug,info`.
pub(super) fn start(level: Option<&str>, json: bool) -> anyhow::Result<()> {
    let chosen = level.map(str::to_owned).or_else(|| std::env::var("VESTAL_LOG_LEVEL").ok());
    let filter =
        EnvFilter::try_new(chosen.as_deref().unwrap_or("info")).context("the log level is not one")?;
    // A log that nobody reads is lost; saying so on the same standard error would panic.
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .log_internal_errors(false);
    if json {
        log.json().init();
    } else {
        log.with_ansi(std::io::stderr().is_terminal()).init();
    }
    Ok(())
}
