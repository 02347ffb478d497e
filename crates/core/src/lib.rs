//! The kernel: seal state, mount tables, policies, tokens, audit, the request pipeline, and `sys/`.
//!
//! Start at [`Vault`], the public handle, and `pipeline`, the one road of a request. The kernel names no engine and no
//! HTTP status: engines come as [`EngineKind`](vestal_logical::EngineKind) values, requests and answers as values too.

mod active;
mod audit;
mod background;
mod cubbyhole;
mod mounts;
mod pipeline;
pub mod policies;
mod seal;
mod sys;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod token_auth;
mod tokens;
mod vault;

pub use active::{AuditSettings, Parts, Settings};
pub use audit::AuditStanza;
pub use seal::{InitAsk, InitOutcome, SealSettings};
pub use vault::Vault;
