//! What tokens may do: the policy language, and the compiled form that every request is held against.
//!
//! A [`Policy`] is a named list of rules read from text; an [`Acl`] is what a set of them allows, compiled once and shared.
//! Both are pure values: they know nothing of storage, tokens or HTTP. Names are canonical
//! ([`canonical_name`]) before they are compared with anything, so that no spelling of `root` slips by.

mod acl;
mod capability;
pub mod defaults;
mod parameters;
mod parse;
mod pattern;
pub(crate) mod store;
mod wrapping;

pub use acl::{Acl, AclRequest, Decision};
pub use capability::{Capabilities, Capability};
pub use defaults::canonical_name;
pub use parse::{Policy, PolicyError};
