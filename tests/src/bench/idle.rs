//! What a server costs before anybody asks it anything: the size of its program, the time to its first healthy answer, and its
//! memory at rest.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::usage::resident_mb;
use crate::http;
use crate::process::Running;

/// Long enough for what a server does right after its start.
const SETTLED: Duration = Duration::from_secs(2);
const TOO_LONG: Duration = Duration::from_secs(30);

/// What one program costs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Idle {
    pub(super) program_mb: f64,
    /// Milliseconds from the start of the process to the first 200 of `sys/health`, sorted.
    pub(super) ready_ms: Vec<f64>,
    pub(super) resident_mb: f64,
}

/// Starts a server in development so many times.
pub(super) fn measure(program: &Path, folder: &Path, times: u32) -> Idle {
    let program_mb = std::fs::metadata(program).expect("the program is there").len();
    let program_mb = f64::from(u32::try_from(program_mb / 1000).unwrap_or(u32::MAX)) / 1000.0;
    // The first start reads the program from the disk, which is not what is asked.
    start(program, folder);
    let mut ready_ms = Vec::new();
    let mut resident = 0.0;
    for _ in 0..times {
        let (process, ready) = start(program, folder);
        ready_ms.push(ready.as_secs_f64() * 1000.0);
        resident = settled_mb(process.id());
    }
    ready_ms.sort_unstable_by(f64::total_cmp);
    Idle { program_mb, ready_ms, resident_mb: resident }
}

/// Resident memory once nothing more is going on.
pub(super) fn settled_mb(process: u32) -> f64 {
    pause(SETTLED);
    resident_mb(process)
}

#[expect(clippy::disallowed_methods, reason = "real time is what is measured")]
fn start(program: &Path, folder: &Path) -> (Running, Duration) {
    let address = format!("127.0.0.1:{}", http::free_port());
    let mut command = Command::new(program);
    command.args(["server", "-dev", "-dev-no-store-token", &format!("-dev-listen-address={address}")]);
    let url = format!("http://{address}/v1/sys/health");
    let began = Instant::now();
    let process = Running::start(&mut command, &folder.join("dev.log"));
    loop {
        let answer = http::ask("GET", &url, &[], None);
        let passed = began.elapsed();
        if answer.is_some_and(|(status, _)| status == 200) {
            return (process, passed);
        }
        assert!(passed < TOO_LONG, "{} is not ready", program.display());
        pause(Duration::from_micros(500));
    }
}

#[expect(clippy::disallowed_methods, reason = "other processes live in real time")]
fn pause(span: Duration) {
    std::thread::sleep(span);
}
