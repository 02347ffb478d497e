//! A short run of the kill loop; `cargo xtask kill` runs the long one.

use vestal_e2e::kill::{Plan, Report, run};

#[test]
fn nothing_acknowledged_is_lost_by_kills() {
    all_happened(&run(Plan { rounds: 6, credentials: 8, ..Plan::default() }));
}

/// Providers that take their time to answer: many answers are cut off, and at one of them those credentials are lost.
#[test]
fn what_is_lost_is_an_answer_that_a_kill_cut_off() {
    all_happened(&run(Plan { rounds: 6, writers: 4, credentials: 8, seed: 2, answer_delay: 400 }));
}

fn all_happened(report: &Report) {
    println!("{report}");
    // A loop in which something did not happen has shown nothing of it.
    assert!(report.acknowledged > 0, "the writers wrote nothing");
    assert!(report.checked > 0, "nothing was looked at again");
    assert!(report.revoked > 0, "no token was revoked");
    assert!(report.refreshes > 0, "no credential was refreshed");
    assert!(!report.windows.is_empty(), "no refresh was timed");
}
