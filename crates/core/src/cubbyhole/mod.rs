//! `cubbyhole/`: each token's own secrets, gone with the token.
//!
//! Records lie at `sys/cubbyhole/<token id>/…`, names sealed. Nobody reaches another token's cubbyhole: the id comes from
//! the caller, never from the request. Knows nothing of what is kept in it.

mod endpoints;
mod records;
#[cfg(test)]
mod tests;

pub(crate) use endpoints::endpoints;
pub(crate) use records::{Cubbyholes, Secret};
