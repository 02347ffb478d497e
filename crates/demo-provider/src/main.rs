//! The demo provider as a process of its own, for end-to-end tests that kill what talks to it.

use std::process::ExitCode;

use vestal_demo_provider::{Options, serve_until_ctrl_c};

#[tokio::main]
async fn main() -> ExitCode {
    match Options::from_arguments(std::env::args().skip(1)) {
        Ok(Some(options)) => match serve_until_ctrl_c(options).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("vestal-demo-provider: {error}");
                ExitCode::FAILURE
            }
        },
        Ok(None) => {
            println!("{}", Options::ARGUMENTS);
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("vestal-demo-provider: {problem}");
            ExitCode::from(2)
        }
    }
}
