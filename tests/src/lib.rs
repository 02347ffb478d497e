//! The harness of the end-to-end tests: processes, not crates.
//!
//! - [`environment`]: where the stock clients and the browser are; `cargo xtask test` puts them there;
//! - [`provider`]: npm's `oidc-provider`, with rotating refresh tokens and a ledger;
//! - [`server`]: a `vestal server` with its own store, log and audit file, which can be killed and started again;
//! - [`house`]: both, with names and secrets that are found again if they leak;
//! - [`canary`]: looks for them in every byte that was left behind;
//! - [`mod@bench`]: speed and memory, next to OpenBao's;
//! - [`kill`]: SIGKILL at random moments, and what must still be there;
//! - [`until`]: the only waiting: a condition and a deadline.
//!
//! Invariants: nothing waits a fixed time; whatever a test starts ends with it; what is missing is a failure. Knows the product
//! only by its command line, its HTTP API and its files.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a harness of tests: what goes wrong here ends the test"
)]

pub mod bench;
pub mod canary;
pub mod environment;
pub mod house;
pub mod http;
pub mod kill;
pub mod process;
pub mod provider;
pub mod server;
pub mod until;
