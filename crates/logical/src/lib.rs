//! States the contract between the kernel and everything that can be mounted.
//!
//! - [`Engine`], [`EngineKind`], [`Mounted`]: what an engine is, and how its type is erased once, at the mount.
//! - [`Endpoints`]: one declaration per endpoint, beside its handler; matcher, parsing, help and lists follow from it.
//! - [`Request`] is what a client sent, [`Call`] what a handler sees, [`Reply`] and [`Error`] what comes back.
//! - [`json`]: the bodies of requests, read within bounds, and what is stored of them, read as it was sent.
//! - [`params`]: the leniencies that Vault's clients rely on, as types.
//! - [`Clock`], [`HttpTransport`]: time and network, only through a trait.
//!
//! Knows nothing of HTTP statuses, policies, tokens' storage, or of any engine.

mod call;
mod clock;
mod decode;
mod due;
mod endpoint;
mod engine;
mod error;
mod help;
pub mod json;
mod operation;
mod outbound;
pub mod params;
mod reply;
mod request;
mod table;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;

pub use call::{Call, Caller, MountPoint};
pub use clock::{Clock, SystemClock, Timestamp};
pub use decode::{Dialect, FieldError, decode};
pub use due::{DueEntry, DueIndex};
pub use endpoint::{Declaration, Endpoint, Endpoints, Handler, Probe};
pub use engine::{Engine, EngineKind, MountContext, Mounted, Task};
pub use error::{Error, Form, Kind};
pub use help::help_for_all;
pub use operation::Operation;
pub use outbound::{HttpTransport, OutboundRequest, OutboundResponse, TransportError};
pub use reply::{Answer, Auth, Body, Outcome, Reply, Response, WrapInfo};
pub use request::{Request, WrapAsk};
pub use table::{Dispatch, Matched, Table};
