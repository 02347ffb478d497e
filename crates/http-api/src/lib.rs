//! Translates HTTP to [`vestal_logical::Request`] and [`vestal_logical::Response`] to HTTP.
//!
//! - [`Kernel`]: the seam to what decides and acts.
//! - [`Server`]: listeners, plain and TLS, with every limit in force before a byte is kept.
//! - [`translate`]: the pure way in, path rules and bodies included; [`render`]: the pure way out.
//!
//! Invariants: nothing a stranger sends is held without a bound; the path that policy sees is byte for byte the one
//! that handlers see; only this crate names an HTTP status; neither path, token nor body is ever logged.
//! It knows no policy, no token, no mount and no engine.

mod envelope;
mod exchange;
mod go_json;
mod headers;
mod intake;
mod kernel;
mod leftover;
mod limits;
mod listener;
mod path;
mod patience;
mod protocol;
mod purse;
mod query;
mod refusal;
mod server;
mod status;
mod tls;
mod translate;

pub use envelope::render;
pub use kernel::Kernel;
pub use limits::{JsonLimits, Limits};
pub use listener::ListenerOptions;
pub use refusal::Refusal;
pub use server::{Bound, Certificates, ServeError, Server};
pub use tls::{MinTls, TlsError, TlsFiles};
pub use translate::{Arrival, translate};
