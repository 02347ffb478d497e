//! Reads request bodies without ever holding more than was agreed.
//!
//! A body takes room as its bytes arrive, so that a declared length alone costs nobody anything, and its client must
//! keep sending. Small bodies, big ones, and those that unseal and seal take theirs from different purses (see `purse`),
//! so that none of these kinds waits for another. No memory is allocated on the word of a `Content-Length`.
//!
//! Invariants: no frame is asked for before there is room for what has come; a client that sends nothing, or next to
//! nothing, is given up. It does not know what a body says.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{Either, select};
use http_body_util::BodyExt;
use hyper::body::Body;
use vestal_logical::Clock;

use crate::limits::Limits;
use crate::purse::{Purses, Room};

/// A body up to this size comes out of the purse of small ones.
const SMALL: usize = 64 << 10;
/// For bodies that unseal and seal, beside the budget: whoever floods the others must not keep an operator waiting.
const URGENT: usize = 16 << 20;
/// What a body takes before its first byte is there.
const FIRST: usize = 1 << 10;
/// Bytes a second that a client must send, once its patience is used up.
const LEAST_RATE: usize = 1 << 10;

/// The budget of one listener.
pub(crate) struct Intake {
    small: Purses,
    large: Purses,
    urgent: Purses,
    longest: usize,
    patience: Duration,
    clock: Arc<dyn Clock>,
}

/// A whole body, and the room that it takes.
pub(crate) struct Held {
    pub(crate) bytes: Vec<u8>,
    pub(crate) room: Option<Room>,
}

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IntakeFault {
    TooLarge,
    TooSlow,
    /// The client broke off, or broke the framing.
    Broken,
}

/// Whose body it is, and how it is treated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sender {
    pub(crate) peer: Option<IpAddr>,
    /// Whether it unseals or seals.
    pub(crate) urgent: bool,
}

impl Intake {
    pub(crate) fn new(limits: &Limits, clock: Arc<dyn Clock>) -> Self {
        let (longest, budget) = (limits.body_bytes, limits.buffered_bytes);
        Self {
            small: Purses::new((budget / 4).max(2 * SMALL), SMALL),
            large: Purses::new(budget.max(longest), longest),
            urgent: Purses::new(URGENT, SMALL),
            longest,
            patience: limits.body_patience,
            clock,
        }
    }

    pub(crate) async fn read<B>(&self, mut body: B, sender: Sender) -> Result<Held, IntakeFault>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let longest = if sender.urgent { self.longest.min(SMALL) } else { self.longest };
        let declared = body.size_hint().exact().map(|length| usize::try_from(length).unwrap_or(usize::MAX));
        let declared = match declared {
            Some(0) => return Ok(Held { bytes: Vec::new(), room: None }),
            Some(length) if length > longest => return Err(IntakeFault::TooLarge),
            Some(length) => length,
            None => 0,
        };
        let purses = match sender.urgent {
            true => &self.urgent,
            false if declared > SMALL => &self.large,
            false => &self.small,
        };
        let mut room = purses.room(sender.peer);
        room.grow(FIRST).await;
        let mut bytes = Vec::new();
        let mut waited = Duration::ZERO;
        while let Some(data) = self.next(&mut body, bytes.len(), &mut waited).await? {
            let length = bytes.len() + data.len();
            if length > longest {
                return Err(IntakeFault::TooLarge);
            }
            if length > SMALL && room.is_of(&self.small) {
                let mut large = self.large.room(sender.peer);
                large.grow(length).await;
                room = large;
            }
            room.grow(length).await;
            bytes.extend_from_slice(&data);
        }
        Ok(Held { bytes, room: Some(room) })
    }

    /// The next piece. `waited` is the time that went by in waiting for the client, which what has arrived must be worth.
    async fn next<B>(
        &self,
        body: &mut B,
        arrived: usize,
        waited: &mut Duration,
    ) -> Result<Option<Bytes>, IntakeFault>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let earned = Duration::from_secs(u64::try_from(arrived / LEAST_RATE).unwrap_or(u64::MAX));
        loop {
            let began = self.clock.now();
            let left = self.patience.saturating_add(earned).saturating_sub(*waited).min(self.patience);
            let alarm = self.clock.sleep_until(began.plus(left));
            let frame = match select(body.frame(), alarm).await {
                Either::Left((frame, _)) => frame,
                Either::Right(_) => return Err(IntakeFault::TooSlow),
            };
            *waited = waited.saturating_add(self.clock.now().since(began));
            match frame {
                None => return Ok(None),
                Some(Err(_)) => return Err(IntakeFault::Broken),
                // Trailers mean nothing here.
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::FutureExt;
    use futures::channel::mpsc;
    use http_body_util::StreamBody;
    use hyper::body::Frame;
    use vestal_logical::testing::{SimClock, settle};

    use super::*;

    type Piece = Result<Frame<Bytes>, Infallible>;
    type Client = mpsc::UnboundedSender<Piece>;

    const SOMEBODY: Sender = Sender { peer: None, urgent: false };

    fn intake(longest: usize, budget: usize) -> (Arc<SimClock>, Intake) {
        let clock = Arc::new(SimClock::default());
        let limits = Limits { body_bytes: longest, buffered_bytes: budget, ..Limits::default() };
        (clock.clone(), Intake::new(&limits, clock))
    }

    fn streamed() -> (Client, StreamBody<mpsc::UnboundedReceiver<Piece>>) {
        let (client, receiver) = mpsc::unbounded();
        (client, StreamBody::new(receiver))
    }

    fn send(client: &Client, length: usize) {
        client.unbounded_send(Ok(Frame::data(vec![b'x'; length].into()))).unwrap();
    }

    fn from(last: u8) -> Sender {
        Sender { peer: Some([192, 0, 2, last].into()), urgent: false }
    }

    #[tokio::test]
    async fn a_body_of_unknown_length_stops_at_the_limit() {
        let (_, intake) = intake(100 << 10, 1 << 20);
        for (length, outcome) in [(100 << 10, Ok(100 << 10)), ((100 << 10) + 1, Err(IntakeFault::TooLarge))] {
            let (client, body) = streamed();
            send(&client, 60 << 10);
            send(&client, length - (60 << 10));
            drop(client);
            assert_eq!(intake.read(body, SOMEBODY).await.map(|held| held.bytes.len()), outcome);
        }
    }

    #[tokio::test]
    async fn big_bodies_wait_for_room_and_small_ones_pass_them() {
        let (_, intake) = intake(100 << 10, 100 << 10);
        let (first, first_body) = streamed();
        send(&first, 65 << 10);
        let mut first_read = Box::pin(intake.read(first_body, SOMEBODY));
        assert!(first_read.as_mut().now_or_never().is_none());
        let (second, second_body) = streamed();
        send(&second, 65 << 10);
        send(&second, 10 << 10);
        drop(second);
        let mut second_read = Box::pin(intake.read(second_body, SOMEBODY));
        assert!(second_read.as_mut().now_or_never().is_none(), "no room for a second big one");
        let (third, third_body) = streamed();
        send(&third, 100);
        drop(third);
        assert!(intake.read(third_body, from(3)).await.is_ok());
        drop(first);
        drop(first_read.await.unwrap());
        assert_eq!(second_read.await.unwrap().bytes.len(), 75 << 10);
    }

    #[tokio::test]
    async fn a_flood_of_begun_bodies_keeps_nobody_waiting() {
        let (_, intake) = intake(32 << 20, 256 << 20);
        let mut begun = Vec::new();
        for number in 0..4000_usize {
            // Else the runtime makes this one task pause in the midst of taking room.
            tokio::task::yield_now().await;
            let (client, body) = streamed();
            send(&client, 1);
            let sender = Sender { urgent: number % 2 == 0, ..from(1) };
            let mut read = Box::pin(intake.read(body, sender));
            assert!(read.as_mut().now_or_never().is_none());
            begun.push((client, read));
        }
        for urgent in [false, true] {
            tokio::task::yield_now().await;
            let (client, body) = streamed();
            send(&client, 100);
            drop(client);
            let read = intake.read(body, Sender { urgent, ..from(1) }).now_or_never();
            assert!(read.is_some_and(|read| read.is_ok()), "urgent: {urgent}");
        }
    }

    #[tokio::test]
    async fn one_address_has_a_share_and_waits_within_it() {
        let (_, intake) = intake(1 << 20, 8 << 20);
        let mut stalled = Vec::new();
        for _ in 0..20 {
            let (client, body) = streamed();
            send(&client, 1 << 20);
            let mut read = Box::pin(intake.read(body, from(1)));
            assert!(read.as_mut().now_or_never().is_none());
            stalled.push((client, read));
        }
        let (client, body) = streamed();
        send(&client, 1 << 20);
        drop(client);
        assert!(intake.read(body, from(2)).now_or_never().is_some_and(|read| read.is_ok()));
        // As those ahead finish, the others get their turn, though all are half read.
        for (client, read) in stalled {
            drop(client);
            assert!(read.await.is_ok());
        }
    }

    #[tokio::test]
    async fn a_client_that_dribbles_is_given_up() {
        let (clock, intake) = intake(1 << 20, 8 << 20);
        let (client, body) = streamed();
        let read =
            tokio::spawn(async move { intake.read(body, SOMEBODY).await.map(|held| held.bytes.len()) });
        for _ in 0..5 {
            settle().await;
            send(&client, 1);
            clock.advance(Duration::from_secs(2)).await;
        }
        assert_eq!(read.await.unwrap(), Err(IntakeFault::TooSlow));
    }

    #[tokio::test]
    async fn a_client_that_keeps_sending_is_waited_for() {
        let (clock, intake) = intake(1 << 20, 8 << 20);
        let (client, body) = streamed();
        let read =
            tokio::spawn(async move { intake.read(body, SOMEBODY).await.map(|held| held.bytes.len()) });
        for _ in 0..10 {
            settle().await;
            send(&client, 8 << 10);
            clock.advance(Duration::from_secs(8)).await;
        }
        drop(client);
        assert_eq!(read.await.unwrap(), Ok(80 << 10));
    }
}
