//! What tests of several crates share.
//!
//! - [`fuzz`]: one function for every parser that meets strangers' bytes. The fuzz targets call them with what the fuzzer
//!   makes up, the ordinary tests with the corpus in `fuzz/corpus`.
//!
//! Simulated clocks, seeded entropy and the fault store live beside what they imitate, behind the feature `testing` of
//! their crates, so that those crates' own tests can use them. Used from tests only.

pub mod fuzz;
