//! Keeps credentials fresh, and never spends a refresh token whose successor could not be kept.
//!
//! - [`refresher`] begins a refresh and calls the provider, [`outcome`] says what the answer means, [`settle`] makes it
//!   durable; [`connect`] does the same for new grants, [`recovery`] for what a crash left behind.
//! - [`scheduler`] runs what is due with [`lane`]s of one server each; [`reindex`] moves what waits when settings change,
//!   [`standing`] tells readers of what waits how its server is.
//! - [`flights`], [`circuit`], [`limits`], [`backoff`], [`lead`] are the rules of the road.
//!
//! Knows nothing of paths, requests or answers.

pub(crate) mod backoff;
pub(crate) mod bell;
pub(crate) mod candidate;
pub(crate) mod circuit;
pub(crate) mod connect;
pub(crate) mod end;
pub(crate) mod flights;
pub(crate) mod lane;
pub(crate) mod lead;
pub(crate) mod limits;
pub(crate) mod outcome;
pub(crate) mod recovery;
pub(crate) mod refresher;
pub(crate) mod reindex;
pub(crate) mod scheduler;
pub(crate) mod settle;
mod standing;
