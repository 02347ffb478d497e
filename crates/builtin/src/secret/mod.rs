//! Engines that serve secrets.

mod attempts;
mod keys;
pub(crate) mod kv1;
pub(crate) mod kv2;
