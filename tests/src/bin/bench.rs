//! Speed and memory as a command: `cargo xtask bench`.

use vestal_e2e::bench::{Plan, run};

fn main() {
    let mut plan = Plan::default();
    let mut arguments = std::env::args().skip(1);
    while let Some(flag) = arguments.next() {
        let value = arguments.next().unwrap_or_default();
        let number = value.parse().ok().filter(|number| (1..=1000).contains(number));
        match (flag.as_str(), number) {
            ("--passes", Some(passes)) => plan.passes = passes,
            ("--seconds", Some(seconds)) => plan.seconds = seconds as u64,
            ("--only", _) if !value.is_empty() => plan.only = value,
            _ => {
                eprintln!("usage: bench [--passes N] [--seconds N] [--only WORD]");
                std::process::exit(2);
            }
        }
    }
    println!("{}", run(&plan));
}
