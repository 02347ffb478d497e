//! What of the program others reach: only how it reads its configuration, so that strangers' bytes can be tried on it.

pub mod config;
