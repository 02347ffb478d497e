//! What a process has used, as Linux tells it below `/proc`.
//!
//! Invariants: what cannot be read ends the run. Knows nothing of what the process does.

/// Linux tells CPU time in hundredths of a second, on every machine there is.
const TICKS_A_SECOND: f64 = 100.0;

/// CPU seconds, the kernel's share included.
pub(super) fn cpu_seconds(process: u32) -> f64 {
    let stat = read(process, "stat");
    ticks(&stat).expect("a process has CPU times") / TICKS_A_SECOND
}

/// Resident memory in megabytes of a million bytes.
pub(super) fn resident_mb(process: u32) -> f64 {
    let status = read(process, "status");
    kilobytes(&status).expect("a process has resident memory") * 1024.0 / 1e6
}

/// The cores of this machine, and how busy it was lately.
pub(super) fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    format!("{cores} cores, load average {load} when this began")
}

fn read(process: u32, file: &str) -> String {
    let path = format!("/proc/{process}/{file}");
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {path}: {error}"))
}

/// User and system time. The second field, a name in parentheses, may hold anything.
fn ticks(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    Some(fields.next()?.parse::<f64>().ok()? + fields.next()?.parse::<f64>().ok()?)
}

fn kilobytes(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_the_kernel_are_understood() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 4 0 100 1000 100";
        assert_eq!(ticks(stat), Some(300.0));
        assert_eq!(kilobytes("Name:\tx\nVmRSS:\t   12345 kB\nThreads:\t3\n"), Some(12345.0));
        assert!(resident_mb(std::process::id()) > 0.0);
        assert!(cpu_seconds(std::process::id()) >= 0.0);
    }
}
