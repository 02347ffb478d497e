//! Servers, configuration and authorization URLs as clients see them, and whole flows against the demo provider.
//!
//! Tests that stand for a row of the case table (reference §10, `docs/references.md`) are named after it.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod demo;
mod mount;

mod authorization;
mod config;
mod flows;
mod oidc;
mod servers;
