//! A short run of the kill loop; `cargo xtask kill` runs the long one.

use vestal_e2e::kill::{Plan, run};

#[test]
fn nothing_acknowledged_is_lost_by_kills() {
    let report = run(Plan { rounds: 6, credentials: 8, ..Plan::default() });
    println!("{report}");
    // A loop in which something did not happen has shown nothing of it.
    assert!(report.acknowledged > 0, "the writers wrote nothing");
    assert!(report.checked > 0, "nothing was looked at again");
    assert!(report.revoked > 0, "no token was revoked");
    assert!(report.refreshes > 0, "no credential was refreshed");
    assert!(!report.windows.is_empty(), "no refresh was timed");
}
