//! Proves stores: one suite that every [`Physical`](crate::Physical) passes, a store that fails as told, and one that counts.
//!
//! Only with the feature `testing`. Knows nothing of the barrier.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a test fails by panicking, also where it is lent to other crates"
)]

pub mod conformance;
mod counting;
pub mod fault;
mod files;
pub(crate) mod random;

#[cfg(test)]
mod tests;

pub use counting::Counting;
pub use fault::{Fault, FaultStore, Target, every_crash};
pub use files::store_file;
