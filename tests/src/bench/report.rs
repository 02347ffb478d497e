//! Medians, ratios of medians, and the table that shows them.
//!
//! Invariants: a goal is shown as met or missed and nothing fails by it: machines differ, and a busy one misses.

use std::fmt;

use super::idle::Idle;
use super::load::Pass;

/// The passes of both servers over one kind of question.
pub(super) struct Row {
    pub(super) what: &'static str,
    pub(super) connections: usize,
    /// How many times OpenBao's throughput is wanted, if a goal says so.
    pub(super) goal: Option<f64>,
    pub(super) vestal: Vec<Pass>,
    pub(super) openbao: Vec<Pass>,
}

/// Everything a run found.
pub struct Report {
    pub(super) machine: String,
    /// What the programs say of themselves.
    pub(super) versions: [String; 2],
    pub(super) idle_vestal: Idle,
    pub(super) idle_openbao: Idle,
    pub(super) rows: Vec<Row>,
    /// Resident megabytes with a durable store before anything was asked, Vestal first.
    pub(super) at_rest_mb: (f64, f64),
    /// Resident megabytes after the load, Vestal first.
    pub(super) loaded_mb: (f64, f64),
    pub(super) passes: usize,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n", self.versions.join("\n"), self.machine)?;
        self.idle(f)?;
        writeln!(f, "\nunder load, medians of {} passes, Vestal and OpenBao in turn", self.passes)?;
        writeln!(
            f,
            "  {:<36} {:>5} {:<8} {:>9} {:>8} {:>8} {:>9} {:>7}  goal",
            "", "conns", "", "req/s", "p50 ms", "p99 ms", "CPU s/10k", "client"
        )?;
        for row in &self.rows {
            row.show(f)?;
        }
        let (vestal, openbao) = self.loaded_mb;
        writeln!(f, "\nresident after all this: Vestal {vestal:.1} MB, OpenBao {openbao:.1} MB")?;
        write!(
            f,
            "`client` is the load program's share of one core; near 1.0 it is the limit, not the server"
        )
    }
}

impl Report {
    fn idle(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ours, theirs) = (&self.idle_vestal, &self.idle_openbao);
        writeln!(f, "at rest                   {:>13}{:>13}", "Vestal", "OpenBao")?;
        let mut line = |what: &str, ours: f64, theirs: f64, goal: f64, unit: &str| {
            let verdict = verdict(ours < goal);
            writeln!(
                f,
                "  {what:<24}{ours:>10.1} {unit:<2}{theirs:>10.1} {unit:<2}  below {goal} {unit}: {verdict}"
            )
        };
        line("program", ours.program_mb, theirs.program_mb, 25.0, "MB")?;
        line("ready, development mode", median(&ours.ready_ms), median(&theirs.ready_ms), 100.0, "ms")?;
        line("resident, development", ours.resident_mb, theirs.resident_mb, 40.0, "MB")?;
        line("resident, durable store", self.at_rest_mb.0, self.at_rest_mb.1, 40.0, "MB")
    }
}

impl Row {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sides = [("Vestal", &self.vestal), ("OpenBao", &self.openbao)];
        for (number, (name, passes)) in sides.into_iter().enumerate() {
            let what = if number == 0 { self.what } else { "" };
            writeln!(
                f,
                "  {what:<36} {:>5} {name:<8} {:>9.0} {:>8.3} {:>8.3} {:>9.3} {:>7.2}",
                self.connections,
                middle(passes, |pass| pass.per_second),
                middle(passes, |pass| pass.p50_ms),
                middle(passes, |pass| pass.p99_ms),
                middle(passes, |pass| pass.server_cpu),
                middle(passes, |pass| pass.client_share),
            )?;
        }
        let speed = self.ratio(|pass| pass.per_second);
        let thrift = 1.0 / self.ratio(|pass| pass.server_cpu);
        write!(
            f,
            "  {:<36} {:>5} {:<8} {speed:>8.2}x {:>17} {thrift:>9.2}x",
            "", self.connections, "ratio", ""
        )?;
        match self.goal {
            Some(goal) => writeln!(f, "           {goal}x: {}", verdict(speed >= goal)),
            None => writeln!(f),
        }
    }

    fn ratio(&self, figure: impl Fn(&Pass) -> f64) -> f64 {
        middle(&self.vestal, &figure) / middle(&self.openbao, &figure)
    }
}

fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "MISSED" }
}

fn middle(passes: &[Pass], figure: impl Fn(&Pass) -> f64) -> f64 {
    let mut figures: Vec<f64> = passes.iter().map(figure).collect();
    figures.sort_unstable_by(f64::total_cmp);
    median(&figures)
}

/// Of a sorted list.
fn median(sorted: &[f64]) -> f64 {
    let upper = sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN);
    let lower = sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN);
    f64::midpoint(lower, upper)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(per_second: f64, server_cpu: f64) -> Pass {
        Pass { per_second, p50_ms: 0.1, p99_ms: 0.2, server_cpu, client_share: 0.5 }
    }

    #[test]
    fn the_median_of_an_even_list_lies_between_its_middles() {
        assert!((median(&[1.0, 2.0, 9.0]) - 2.0).abs() < 1e-9);
        assert!((median(&[1.0, 2.0, 4.0, 9.0]) - 3.0).abs() < 1e-9);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn ratios_are_those_of_medians_and_goals_are_told() {
        let idle = |program_mb| Idle { program_mb, ready_ms: vec![20.0], resident_mb: 41.0 };
        let row = Row {
            what: "kv v2 read",
            connections: 16,
            goal: Some(3.0),
            vestal: vec![pass(8000.0, 1.0), pass(1000.0, 9.0), pass(9000.0, 1.0)],
            openbao: vec![pass(2000.0, 6.0), pass(2100.0, 5.0), pass(1000.0, 6.0)],
        };
        let report = Report {
            machine: "2 cores".to_owned(),
            versions: ["Vestal v0.1".to_owned(), "OpenBao v2.7".to_owned()],
            idle_vestal: idle(20.0),
            idle_openbao: idle(180.0),
            rows: vec![row],
            at_rest_mb: (30.0, 90.0),
            loaded_mb: (50.0, 90.0),
            passes: 3,
        };
        let shown = report.to_string();
        for expected in
            ["4.00x", "6.00x", "3x: met", "below 25 MB: met", "below 100 ms: met", "below 40 MB: MISSED"]
        {
            assert!(shown.contains(expected), "{expected} in\n{shown}");
        }
    }
}
