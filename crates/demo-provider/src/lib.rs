//! An authorization server for demonstrations and tests: real flows on loopback, rotation, faults on request.
//!
//! `vestal demo` and every test run this one. It speaks `OAuth` 2.0 (RFC 6749) with PKCE (RFC 7636), the device
//! grant (RFC 8628), revocation (RFC 7009), introspection (RFC 7662), and enough of `OpenID Connect` for signed ID
//! tokens; it rotates refresh tokens in the three ways real providers do; it keeps a ledger of every call to the
//! token endpoint; and it misbehaves when asked.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use vestal_demo_provider::{DemoProvider, Endpoint, Fault, Grant, Options, Rotation, Rule};
//!
//! let running = DemoProvider::start(Options { rotation: Rotation::Single, ..Options::default() }).await?;
//! // The next refresh spends its token, and the answer never arrives.
//! running.control().inject(Rule::next(1, Endpoint::Token, Fault::drop_after()).only(Grant::RefreshToken));
//! println!("{}", running.base_url());
//! assert!(running.control().ledger().second_spends().is_empty());
//! running.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! Invariants: nothing outlives the process; a token never enters the ledger, an error text or a log line (only
//! its serial number does); the order of the ledger is the order in which tokens were spent. It knows nothing of
//! Vestal, and is not meant to guard anything real.

mod arguments;
mod authorize;
mod call;
mod callback;
mod clients;
mod control;
mod device;
mod discovery;
mod faults;
mod grants;
mod ledger;
mod misbehave;
mod options;
mod pages;
mod reply;
mod resource;
mod routes;
mod server;
mod signing;
mod state;
mod tokens;

#[cfg(test)]
mod tests;

pub use call::{Endpoint, Grant};
pub use callback::{Callback, Returned};
pub use control::{Control, Inspection, Stored};
pub use faults::{Act, Alter, Answer, Fault, Rule, Times};
pub use ledger::{Delivery, End, Entry, FamilyRecord, Ledger, Outcome, Totals};
pub use options::{
    Client, ClientAuth, Clock, Entropy, IdTokenAlgorithm, Options, Redirects, Rotation, Sleep,
};
pub use server::{ConnectionDropped, DemoProvider, Running, serve_until_ctrl_c};
