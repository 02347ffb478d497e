//! What a client sends beyond what is asked for.
//!
//! Any request may bring a body, and a client may still be sending when its request is refused. An answer that meets it there is
//! often lost: the connection ends under HTTP/1, and some HTTP/2 clients drop the answer of a stream that is reset. So the
//! body is read to its end first, if the end is near.
//!
//! Invariants: nothing of it is kept; neither a long nor a slow body is waited for. It does not know why nobody wants it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, SizeHint};

/// As much as Go's server reads on: more costs more than a new connection.
pub(crate) const NEAR: u64 = 256 << 10;
/// Long enough for what is on its way.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// A body that knows whether its end was seen: one in chunks does not say so itself.
pub(crate) struct Observed<B> {
    body: B,
    ended: bool,
    broken: bool,
}

impl<B: Body> Observed<B> {
    pub(crate) fn new(body: B) -> Self {
        Self { ended: body.is_end_stream(), broken: false, body }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Observed<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.get_mut();
        let frame = ready!(Pin::new(&mut this.body).poll_frame(cx));
        // After a fault nothing more comes, but that is no end: nobody knows what would follow.
        this.broken |= matches!(frame, Some(Err(_)));
        this.ended = frame.is_none() && !this.broken;
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.ended || (!self.broken && self.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Reads at most `most` bytes and drops them; whether that was all.
pub(crate) async fn drop_rest<B>(body: &mut B, most: u64) -> bool
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut room = most;
    // Whoever says beforehand that it is too much is believed.
    while body.size_hint().lower() <= room {
        let Some(Ok(frame)) = body.frame().await else { break };
        let length = frame.data_ref().map_or(0, Bytes::len);
        let Some(left) = room.checked_sub(u64::try_from(length).unwrap_or(u64::MAX)) else { break };
        room = left;
    }
    body.is_end_stream()
}
