//! The server's log: to standard error, as text or JSON.

use std::io::IsTerminal as _;

use anyhow::{Context as _, bail};
use tracing_subscriber::EnvFilter;

/// Starts logging. `level` is a word, or a filter such as `vestal_core=debug,info`.
pub(super) fn start(level: Option<&str>, json: bool) -> anyhow::Result<()> {
    let filter =
        EnvFilter::try_new(directives(level.unwrap_or_default())?).context("the log level is not one")?;
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

/// The levels in the words that Vault's and OpenBao's users know. A word that is none would be taken for the name of a part
/// of the program, and silence all others.
fn directives(level: &str) -> anyhow::Result<String> {
    let mut all = Vec::new();
    for part in level.split(',').map(str::trim) {
        all.push(match part.to_ascii_lowercase().as_str() {
            "" | "info" | "notice" => "info",
            "trace" => "trace",
            "debug" => "debug",
            "warn" | "warning" => "warn",
            "err" | "error" => "error",
            "off" | "none" => "off",
            _ if part.contains('=') => part,
            _ => bail!("the log level is not one; the levels are trace, debug, info, warn, error and off"),
        });
    }
    Ok(all.join(","))
}

#[cfg(test)]
mod tests {
    use super::directives;

    #[test]
    fn a_level_is_a_word_that_is_known_or_a_filter() {
        for (level, expected) in [
            ("", "info"),
            ("WARNING", "warn"),
            ("err", "error"),
            ("notice", "info"),
            ("none", "off"),
            ("trace", "trace"),
            ("vestal_core=debug,warning", "vestal_core=debug,warn"),
        ] {
            assert_eq!(directives(level).unwrap(), expected);
        }
        for bogus in ["bogus", "warn,bogus", "vestal_core"] {
            assert!(directives(bogus).unwrap_err().to_string().contains("the levels are"), "{bogus}");
        }
    }
}
