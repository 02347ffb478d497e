//! The load program: a number of kept connections that ask as fast as they are answered, for a bounded time and number.
//!
//! All connections live in one thread, so that the program leaves a core to the server; its own share of a core is measured
//! too, because a client that is busy all the time measures itself. Knows nothing of who answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::usage::cpu_seconds;
use super::wire::{Ask, Connection};

/// How much to ask.
#[derive(Clone, Copy)]
pub(super) struct Load {
    pub(super) connections: usize,
    pub(super) span: Duration,
    /// At most so many questions, however fast they are answered.
    pub(super) count: usize,
}

/// What one pass found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pass {
    pub(super) per_second: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    /// CPU seconds of the server for ten thousand requests.
    pub(super) server_cpu: f64,
    /// How much of one core the load program used.
    pub(super) client_share: f64,
}

/// Puts the load on a server and watches the CPU time of its process.
pub(super) fn put(address: &str, process: u32, asks: &Arc<[Ask]>, load: Load) -> Pass {
    let own = std::process::id();
    let (server_before, client_before) = (cpu_seconds(process), cpu_seconds(own));
    let (mut nanos, elapsed) = ask_all(address, asks, load);
    let server = cpu_seconds(process) - server_before;
    let client = cpu_seconds(own) - client_before;
    nanos.sort_unstable();
    let number = real(nanos.len() as u64);
    Pass {
        per_second: number / elapsed,
        p50_ms: quantile(&nanos, 500),
        p99_ms: quantile(&nanos, 990),
        server_cpu: server * 10_000.0 / number,
        client_share: client / elapsed,
    }
}

/// Asks everything once, in order, over a few connections.
pub(super) fn once(address: &str, asks: &Arc<[Ask]>) {
    let load = Load { connections: 4, span: Duration::from_mins(2), count: asks.len() };
    let (answers, _) = ask_all(address, asks, load);
    assert_eq!(answers.len(), asks.len(), "not everything was answered in time");
}

/// The nanoseconds of each answer, and the seconds of all together.
#[expect(clippy::disallowed_methods, reason = "real time is what is measured")]
fn ask_all(address: &str, asks: &Arc<[Ask]>, load: Load) -> (Vec<u64>, f64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut connections = Vec::new();
        for _ in 0..load.connections {
            connections.push(Connection::open(address).await.expect("the server listens"));
        }
        let next = Arc::new(AtomicUsize::new(0));
        let start = Instant::now();
        let mut asking = tokio::task::JoinSet::new();
        for connection in connections {
            asking.spawn(ask(connection, Arc::clone(asks), Arc::clone(&next), start, load));
        }
        let nanos = asking.join_all().await.concat();
        (nanos, start.elapsed().as_secs_f64())
    })
}

#[expect(clippy::disallowed_methods, reason = "real time is what is measured")]
async fn ask(
    mut connection: Connection,
    asks: Arc<[Ask]>,
    next: Arc<AtomicUsize>,
    start: Instant,
    load: Load,
) -> Vec<u64> {
    let mut nanos = Vec::with_capacity(load.count.min(1 << 20));
    let mut before = start;
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= load.count || before.duration_since(start) >= load.span {
            return nanos;
        }
        let ask = asks.get(number % asks.len()).expect("there is something to ask");
        if let Err(error) = connection.exchange(ask).await {
            panic!("{error}");
        }
        let after = Instant::now();
        nanos.push(u64::try_from(after.duration_since(before).as_nanos()).unwrap_or(u64::MAX));
        before = after;
    }
}

/// Milliseconds at so many thousandths of a sorted list of nanoseconds.
fn quantile(nanos: &[u64], permille: usize) -> f64 {
    let index = nanos.len().saturating_sub(1) * permille / 1000;
    nanos.get(index).map_or(0.0, |nanos| real(*nanos) / 1e6)
}

fn real(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_read_from_the_sorted_list() {
        let nanos: Vec<u64> = (1..=1001).map(|milli| milli * 1_000_000).collect();
        assert!((quantile(&nanos, 500) - 501.0).abs() < 1e-9);
        assert!((quantile(&nanos, 990) - 991.0).abs() < 1e-9);
        assert!(quantile(&[], 990).abs() < 1e-9);
    }
}
