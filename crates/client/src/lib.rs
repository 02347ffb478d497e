//! Speaks HTTP outward: the typed API client for the command line, the agent and the tests, and the
//! [`HttpTransport`](vestal_logical::HttpTransport) that engines call through.
//!
//! Invariants: this is the only crate that knows reqwest; no redirect is followed without being asked for; no
//! answer is read past its bound; no error text holds a token, a body or a query. It does not know who calls
//! it, nor where the address and the token come from.

mod answer;
mod api;
mod ask;
mod error;
mod kv;
mod sys;
pub mod transport;

pub use answer::{Answer, Auth, Secret, WrapInfo};
pub use api::{Api, Settings};
pub use ask::Ask;
pub use error::{ApiError, Cause, Refusal};
pub use kv::{Kv, KvMount};
pub use sys::{InitAnswer, Sys};
