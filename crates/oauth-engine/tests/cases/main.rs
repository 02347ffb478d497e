//! The engine as clients see it, on simulated time, with a store and a provider that fail as told.
//!
//! Tests that stand for a row of the case table (reference §10) are named after it, those that stand for a hazard
//! after that: see `docs/references.md`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and a scenario reads best in one piece"
)]

mod door;
mod idp;
mod log;
mod world;

mod connecting;
mod crashes;
mod hazards;
mod life;
mod overtaken;
mod providers;
mod reading;
mod scale;
mod simulation;
mod telling;
