//! What the transport needs from the kernel, and nothing more.
//!
//! Knows nothing of HTTP.

use std::sync::Arc;

use futures::future::BoxFuture;
use vestal_logical::{Clock, Request, Response};

/// Decides about requests and carries them out.
pub trait Kernel: Send + Sync + 'static {
    /// Handles one request. Dropping the future ends the waiting, never the work.
    fn handle(&self, request: Request) -> BoxFuture<'static, Response>;

    /// The clock that deadlines are measured by.
    fn clock(&self) -> Arc<dyn Clock>;

    /// A fresh request id: a UUID from the kernel's own randomness.
    fn request_id(&self) -> String;
}

impl Kernel for Arc<vestal_core::Vault> {
    fn handle(&self, request: Request) -> BoxFuture<'static, Response> {
        let vault = Self::clone(self);
        Box::pin(async move { vault.handle(request).await })
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(vestal_core::Vault::clock(self))
    }

    fn request_id(&self) -> String {
        vestal_core::Vault::request_id(self)
    }
}
