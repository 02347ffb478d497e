//! What a run of the kill loop found.

use std::fmt;
use std::path::Path;

/// The figures.
#[derive(Debug, Default)]
pub struct Report {
    /// Writes that were acknowledged.
    pub acknowledged: u64,
    /// Acknowledged writes that were looked at again; a missing one ends the run.
    pub checked: u64,
    /// Revocations of tokens among the writes that were acknowledged.
    pub revoked: usize,
    /// Refreshes that the two authorization servers granted.
    pub refreshes: usize,
    /// Credentials of the provider that forgives nothing, lost with an answer on the wire; any other loss ends the run.
    pub lost_on_the_wire: usize,
    /// What each of those said.
    pub reasons: Vec<String>,
    /// Microseconds between a provider's answer and its being durable, sorted.
    pub windows: Vec<u64>,
}

impl Report {
    pub(super) fn lost(&mut self, reasons: Vec<String>) {
        self.lost_on_the_wire += reasons.len();
        self.reasons.extend(reasons);
    }

    pub(super) fn line(&self) -> String {
        format!(
            "{} acknowledged, {} looked at again, 0 missing; {} lost on the wire",
            self.acknowledged, self.checked, self.lost_on_the_wire
        )
    }

    fn window(&self, permille: usize) -> f64 {
        let index = (self.windows.len().saturating_sub(1)) * permille / 1000;
        let micros = self.windows.get(index).copied().unwrap_or(0);
        f64::from(u32::try_from(micros).unwrap_or(u32::MAX)) / 1000.0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.line())?;
        for reason in &self.reasons {
            writeln!(f, "  {reason}")?;
        }
        write!(
            f,
            "from a provider's answer to its being durable, over {} refreshes: median {:.2} ms, 99 % {:.2} ms, longest {:.2} ms",
            self.windows.len(),
            self.window(500),
            self.window(990),
            self.window(1000)
        )
    }
}

/// What the engine logged of each refresh.
pub(super) fn windows(log: &Path) -> Vec<u64> {
    let log = std::fs::read_to_string(log).unwrap_or_default();
    let mut windows: Vec<u64> = log
        .lines()
        .filter_map(|line| line.split("window_micros=").nth(1))
        .filter_map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok())
        .collect();
    windows.sort_unstable();
    windows
}
