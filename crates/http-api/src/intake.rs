//! Reads request bodies without ever holding more than was agreed.
//!
//! All bodies of a listener share a budget. A body reserves room for all it may become before its first byte is
//! taken, so that bodies wait in line unread, but never for each other half read; a body of unknown length reserves a
//! little, and moves to the big pool when it outgrows that. No memory is allocated on the word of a
//! `Content-Length`.
//!
//! Invariant: who holds a big reservation waits for nobody but its client. It does not know what a body says.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Body;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A body up to this size comes out of the pool of small ones.
const SMALL: usize = 64 << 10;

/// The budget of one listener.
pub(crate) struct Intake {
    small: Arc<Semaphore>,
    large: Arc<Semaphore>,
    longest: usize,
}

/// A whole body, and the room that it takes.
pub(crate) struct Held {
    pub(crate) bytes: Vec<u8>,
    pub(crate) room: Option<Room>,
}

/// Given back when dropped.
pub(crate) struct Room(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IntakeFault {
    TooLarge,
    /// The client broke off, or broke the framing.
    Broken,
}

impl Intake {
    /// A budget of `budget` bytes, of which a body may take `longest`.
    pub(crate) fn new(longest: usize, budget: usize) -> Self {
        Self {
            small: Arc::new(Semaphore::new((budget / 4).max(SMALL))),
            large: Arc::new(Semaphore::new(budget.max(longest))),
            longest,
        }
    }

    pub(crate) async fn read<B>(&self, body: B) -> Result<Held, IntakeFault>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let declared = body.size_hint().exact().map(|length| usize::try_from(length).unwrap_or(usize::MAX));
        match declared {
            Some(0) => Ok(Held { bytes: Vec::new(), room: None }),
            Some(length) if length > self.longest => Err(IntakeFault::TooLarge),
            Some(length) => {
                let room = self.room(length).await?;
                fill(body, Vec::new(), room, length).await?.ok_or(IntakeFault::Broken)
            }
            None => self.read_unknown(body).await,
        }
    }

    async fn read_unknown<B>(&self, mut body: B) -> Result<Held, IntakeFault>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let room = self.room(SMALL.min(self.longest)).await?;
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| IntakeFault::Broken)?.into_data() else { continue };
            if bytes.len() + data.len() > self.longest {
                return Err(IntakeFault::TooLarge);
            }
            bytes.extend_from_slice(&data);
            if bytes.len() > SMALL {
                let large = self.room(self.longest).await?;
                drop(room);
                return fill(body, bytes, large, self.longest).await?.ok_or(IntakeFault::TooLarge);
            }
        }
        Ok(Held { bytes, room: Some(room) })
    }

    async fn room(&self, length: usize) -> Result<Room, IntakeFault> {
        let pool = if length <= SMALL { &self.small } else { &self.large };
        let permits = u32::try_from(length).map_err(|_| IntakeFault::TooLarge)?;
        pool.clone().acquire_many_owned(permits).await.map(Room).map_err(|_| IntakeFault::Broken)
    }
}

/// Reads on to the end; `None` if that is more than `longest`.
async fn fill<B>(
    mut body: B,
    mut bytes: Vec<u8>,
    room: Room,
    longest: usize,
) -> Result<Option<Held>, IntakeFault>
where
    B: Body<Data = Bytes> + Unpin,
{
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| IntakeFault::Broken)?.into_data() else { continue };
        if bytes.len() + data.len() > longest {
            return Ok(None);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Some(Held { bytes, room: Some(room) }))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::FutureExt;
    use futures::channel::mpsc;
    use http_body_util::StreamBody;
    use hyper::body::Frame;

    use super::*;

    type Piece = Result<Frame<Bytes>, Infallible>;
    type Sender = mpsc::UnboundedSender<Piece>;

    fn streamed() -> (Sender, StreamBody<mpsc::UnboundedReceiver<Piece>>) {
        let (sender, receiver) = mpsc::unbounded();
        (sender, StreamBody::new(receiver))
    }

    fn send(sender: &Sender, length: usize) {
        sender.unbounded_send(Ok(Frame::data(vec![b'x'; length].into()))).unwrap();
    }

    #[tokio::test]
    async fn a_body_of_unknown_length_stops_at_the_limit() {
        let intake = Intake::new(100 << 10, 1 << 20);
        for (length, outcome) in [(100 << 10, Ok(100 << 10)), ((100 << 10) + 1, Err(IntakeFault::TooLarge))] {
            let (sender, body) = streamed();
            send(&sender, 60 << 10);
            send(&sender, length - (60 << 10));
            drop(sender);
            assert_eq!(intake.read(body).await.map(|held| held.bytes.len()), outcome);
        }
    }

    #[tokio::test]
    async fn big_bodies_wait_for_room_unread_and_small_ones_pass_them() {
        let intake = Intake::new(100 << 10, 100 << 10);
        let (first, first_body) = streamed();
        send(&first, 65 << 10);
        let mut first_read = Box::pin(intake.read(first_body));
        assert!(first_read.as_mut().now_or_never().is_none());
        let (second, second_body) = streamed();
        send(&second, 65 << 10);
        send(&second, 10 << 10);
        drop(second);
        let mut second_read = Box::pin(intake.read(second_body));
        assert!(second_read.as_mut().now_or_never().is_none(), "no room for a second big one");
        drop(first);
        drop(first_read.await.unwrap());
        assert_eq!(second_read.await.unwrap().bytes.len(), 75 << 10);
    }

    #[tokio::test]
    async fn room_is_kept_as_long_as_it_is_held() {
        let intake = Intake::new(100 << 10, 100 << 10);
        let (sender, body) = streamed();
        send(&sender, 70 << 10);
        drop(sender);
        let held = intake.read(body).await.unwrap();
        assert_eq!(intake.large.available_permits(), 0);
        drop(held);
        assert_eq!(intake.large.available_permits(), 100 << 10);
        assert_eq!(intake.small.available_permits(), SMALL);
    }
}
