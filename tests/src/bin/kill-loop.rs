//! The kill loop as a command: `cargo xtask kill`.

use vestal_e2e::kill::{Plan, run};

fn main() {
    let mut plan = Plan::default();
    let mut arguments = std::env::args().skip(1);
    while let Some(flag) = arguments.next() {
        let number = arguments.next().and_then(|text| text.parse().ok());
        match (flag.as_str(), number) {
            ("--rounds", Some(rounds)) => plan.rounds = rounds,
            ("--seed", Some(seed)) => plan.seed = u64::from(seed),
            ("--credentials", Some(count)) => plan.credentials = count,
            ("--answer-delay", Some(milliseconds)) => plan.answer_delay = milliseconds,
            _ => {
                eprintln!(
                    "usage: kill-loop [--rounds N] [--seed N] [--credentials N] [--answer-delay MILLISECONDS]"
                );
                std::process::exit(2);
            }
        }
    }
    println!("{}", run(plan));
}
