//! The only waiting there is: a condition, and a deadline after which the test has failed.

use std::time::{Duration, Instant};

/// Looks again and again until there is an answer.
#[expect(clippy::disallowed_methods, reason = "other processes live in real time")]
pub fn until<T>(what: &str, seconds: u64, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = look() {
            return answer;
        }
        assert!(start.elapsed() < Duration::from_secs(seconds), "waited {seconds} s for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
