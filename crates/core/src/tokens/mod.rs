//! Service tokens: made, presented, renewed, revoked with all that hangs on them, and reaped when their time is over.
//!
//! A token is known to the store only by its salted HMAC. Records lie below `sys/token/`: `id/<hmac>` the token,
//! `accessor/<hmac>` the way from an accessor to it, `parent/<parent>/<child>` the tree, `due/` the ends, `revoking/<hmac>`
//! what is being revoked.
//!
//! Invariants: every change expects the record that was decided upon; a token that is marked `revoking` is dead at once and
//! gets no more children; what was acknowledged holds for the next request, whatever was cached. Knows nothing of
//! endpoints, policies' texts or HTTP.

mod authenticate;
mod cache;
mod create;
mod crowd;
mod entry;
mod lifetime;
mod reap;
mod renew;
mod revoke;
mod store;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use entry::{NewToken, Presented, TokenEntry};
pub(crate) use lifetime::{Asked, Lifetime, MountTerms};
pub(crate) use store::{Found, TokenStore};
