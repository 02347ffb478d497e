//! A short run of the kill loop; `cargo xtask kill` runs the long one.

use vestal_e2e::kill::{Plan, run};

#[test]
fn nothing_acknowledged_is_lost_by_kills() {
    let report = run(Plan { rounds: 6, credentials: 8, ..Plan::default() });
    println!("{report}");
    assert!(report.acknowledged > 0, "the writers wrote nothing");
}
