//! Room for bodies that are being read, given out as they grow, without half-read bodies waiting for each other.
//!
//! Whoever finds no room may become the *last* one: there is one such place, with room for a whole body, and who has it
//! waits for nobody but its client. So somebody always gets on, and gives back what the others wait for. Each address
//! has a share with such a place of its own, that one stranger cannot take all.
//!
//! Invariant: no more is given out than the purse held at first. It does not know what is read.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use futures::future::{Either, select};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Room is given out in pieces of this many bytes.
const PIECE: usize = 1 << 10;

/// A purse for all and, within it, one for each address.
pub(crate) struct Purses {
    all: Arc<Purse>,
    /// Bytes in the purse of one address.
    share: usize,
    longest: usize,
    of_peers: Mutex<HashMap<Option<IpAddr>, Weak<Purse>>>,
}

struct Purse {
    pieces: Arc<Semaphore>,
    last: Arc<Semaphore>,
}

impl Purse {
    /// One of `bytes`, of which the last place takes `longest`.
    fn new(bytes: usize, longest: usize) -> Arc<Self> {
        let pieces = bytes.saturating_sub(longest) / PIECE;
        Arc::new(Self {
            pieces: Arc::new(Semaphore::new(pieces.min(Semaphore::MAX_PERMITS))),
            last: Arc::new(Semaphore::new(1)),
        })
    }
}

impl Purses {
    /// `bytes` in all, for bodies of up to `longest`.
    pub(crate) fn new(bytes: usize, longest: usize) -> Self {
        let share = (bytes / 4).max(longest);
        Self { all: Purse::new(bytes, longest), share, longest, of_peers: Mutex::default() }
    }

    /// Room for a body of this address, empty as yet.
    pub(crate) fn room(&self, peer: Option<IpAddr>) -> Room {
        let purse = self.of_peer(peer.map(neighbourhood));
        Room { peer: Part { purse, ..Part::of(&self.all) }, all: Part::of(&self.all) }
    }

    fn of_peer(&self, peer: Option<IpAddr>) -> Arc<Purse> {
        let mut peers = self.of_peers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(purse) = peers.get(&peer).and_then(Weak::upgrade) {
            return purse;
        }
        // Those who have gone are swept out only when the map would grow, so that this is cheap for each.
        if peers.len() == peers.capacity() {
            peers.retain(|_, purse| purse.strong_count() > 0);
        }
        let purse = Purse::new(self.share, self.longest);
        peers.insert(peer, Arc::downgrade(&purse));
        purse
    }
}

/// Whoever has one address of an IPv6 network usually has all of them.
fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// The room of one body, given back when dropped.
pub(crate) struct Room {
    peer: Part,
    all: Part,
}

impl Room {
    /// Whether it came out of these.
    pub(crate) fn is_of(&self, purses: &Purses) -> bool {
        Arc::ptr_eq(&self.all.purse, &purses.all)
    }

    /// Waits until there is room for `bytes`. Who has the last place of all no longer asks its address's purse, where
    /// others may be waiting for that very place.
    pub(crate) async fn grow(&mut self, bytes: usize) {
        if self.all.last.is_none() {
            self.peer.grow(bytes).await;
            self.all.grow(bytes).await;
        }
    }
}

/// What a body has out of one purse.
struct Part {
    purse: Arc<Purse>,
    pieces: usize,
    held: Option<OwnedSemaphorePermit>,
    /// Whoever has this needs no more pieces.
    last: Option<OwnedSemaphorePermit>,
}

impl Part {
    fn of(purse: &Arc<Purse>) -> Self {
        Self { purse: Arc::clone(purse), pieces: 0, held: None, last: None }
    }

    async fn grow(&mut self, bytes: usize) {
        let wanted = bytes.div_ceil(PIECE);
        if self.last.is_some() || wanted <= self.pieces {
            return;
        }
        let more = u32::try_from(wanted - self.pieces).unwrap_or(u32::MAX);
        let pieces = std::pin::pin!(Arc::clone(&self.purse.pieces).acquire_many_owned(more));
        let last = std::pin::pin!(Arc::clone(&self.purse.last).acquire_owned());
        // Neither is ever closed. Pieces come first when there are both.
        match select(pieces, last).await {
            Either::Left((Ok(granted), _)) => match &mut self.held {
                Some(held) => held.merge(granted),
                none => *none = Some(granted),
            },
            Either::Right((Ok(granted), _)) => self.last = Some(granted),
            Either::Left((Err(_), _)) | Either::Right((Err(_), _)) => {}
        }
        self.pieces = wanted;
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn room_is_kept_as_long_as_it_is_held() {
        let purses = Purses::new(100 << 10, 60 << 10);
        let mut room = purses.room(None);
        room.grow(30 << 10).await;
        assert_eq!(purses.all.pieces.available_permits(), 10);
        drop(room);
        assert_eq!(purses.all.pieces.available_permits(), 40);
    }

    #[tokio::test]
    async fn who_is_last_gets_on_and_the_others_after_it() {
        let purses = Purses::new(100 << 10, 60 << 10);
        let (mut one, mut two) = (purses.room(None), purses.room(Some([192, 0, 2, 1].into())));
        one.grow(20 << 10).await;
        two.grow(20 << 10).await;
        one.grow(60 << 10).await;
        assert!(two.grow(60 << 10).now_or_never().is_none());
        one.grow(60 << 10).await;
        drop(one);
        two.grow(60 << 10).await;
    }

    #[test]
    fn the_map_of_addresses_does_not_outgrow_those_who_are_there() {
        let purses = Purses::new(1 << 20, 1 << 10);
        for number in 0..10_000_u32 {
            drop(purses.room(Some(number.to_be_bytes().into())));
        }
        assert!(purses.of_peers.lock().unwrap().capacity() < 100);
    }

    #[test]
    fn an_ipv6_network_is_one_neighbour() {
        let parse = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(neighbourhood(parse("2001:db8::1")), neighbourhood(parse("2001:db8::ff:2")));
        assert_ne!(neighbourhood(parse("2001:db8::1")), neighbourhood(parse("2001:db8:0:1::1")));
        assert_eq!(neighbourhood(parse("::ffff:192.0.2.1")), parse("192.0.2.1"));
    }
}
