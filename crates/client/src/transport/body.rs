//! A body that tells whether a connection has taken it.
//!
//! What a call spends stands in its body. As long as nobody has taken that, a call that ends for want of time has spent
//! nothing, however far connecting had come.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};

/// Whether a body was taken.
#[derive(Clone)]
pub(super) struct Taken(Arc<AtomicBool>);

impl Taken {
    pub(super) fn new(already: bool) -> Self {
        Self(Arc::new(AtomicBool::new(already)))
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// The body, in one piece and of known length.
pub(super) struct Watched {
    bytes: Option<Bytes>,
    taken: Taken,
}

impl Watched {
    pub(super) fn new(bytes: Vec<u8>, taken: &Taken) -> Self {
        Self { bytes: Some(bytes.into()), taken: taken.clone() }
    }
}

impl Body for Watched {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.taken.0.store(true, Ordering::Release);
        Poll::Ready(self.bytes.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}
