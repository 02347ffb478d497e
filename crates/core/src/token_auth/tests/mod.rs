//! The endpoints against the rows of core §2.3 and §3.1, as a running OpenBao 2.7.2 answers them.

mod create;
mod crowd;
mod lifetimes;
mod lookup;
mod revoke;
mod unrecorded;
