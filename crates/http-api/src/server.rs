//! Opens the listeners, runs them, and closes them without dropping what is under way.
//!
//! Invariants: either every address is bound or none serves; after [`Server::run`] returns no connection is left. It does not know
//! why it is to end, nor what is served.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, join_all, select};
use tokio::net::TcpSocket;
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use crate::exchange::Exchange;
use crate::kernel::Kernel;
use crate::listener::{Door, ListenerOptions, Phase};
use crate::tls::{Pair, TlsError};

/// Connections that may wait for being accepted.
const BACKLOG: u32 = 1024;

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {reason}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why not.
        reason: io::Error,
    },
    /// A certificate or key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Listeners that are bound and wait to be run.
pub struct Server {
    doors: Vec<Door>,
    certificates: Certificates,
    clock: Arc<dyn vestal_logical::Clock>,
    phase: watch::Sender<Phase>,
}

/// Addresses that are taken, with their certificates; nobody can connect yet.
pub struct Bound(Vec<(TcpSocket, ListenerOptions, Option<Arc<Pair>>)>);

impl Bound {
    /// Reads the certificates and takes every address.
    pub fn to(listeners: Vec<ListenerOptions>) -> Result<Self, ServeError> {
        let one = |options: ListenerOptions| {
            let pair = options.tls.clone().map(Pair::load).transpose()?.map(Arc::new);
            let address = options.address;
            let socket = take(address).map_err(|reason| ServeError::Bind { address, reason })?;
            Ok((socket, options, pair))
        };
        listeners.into_iter().map(one).collect::<Result<_, _>>().map(Self)
    }

    /// Lets clients connect; they are answered once the server is run.
    pub fn listen(self, kernel: Arc<dyn Kernel>) -> Result<Server, ServeError> {
        let (phase, watched) = watch::channel(Phase::Open);
        let mut certificates = Vec::new();
        let mut doors = Vec::new();
        for (socket, ListenerOptions { address, limits, .. }, pair) in self.0 {
            let limits = limits.usable();
            let tls = match pair {
                None => None,
                Some(pair) => {
                    let config = Arc::new(pair.server_config()?);
                    certificates.push(pair);
                    Some(TlsAcceptor::from(config))
                }
            };
            doors.push(Door {
                socket: socket.listen(BACKLOG).map_err(|reason| ServeError::Bind { address, reason })?,
                tls,
                exchange: Arc::new(Exchange::new(kernel.clone(), limits)),
                permits: Arc::new(Semaphore::new(limits.connections)),
                phase: watched.clone(),
            });
        }
        Ok(Server { doors, certificates: Certificates(certificates), clock: kernel.clock(), phase })
    }
}

/// The certificates of all listeners.
#[derive(Debug, Clone, Default)]
pub struct Certificates(Vec<Arc<Pair>>);

impl Certificates {
    /// Reads every certificate and key again. What cannot be used stays as it was and is told.
    pub fn reload(&self) -> Vec<TlsError> {
        self.0.iter().filter_map(|pair| pair.reload().err()).collect()
    }
}

impl Server {
    /// Reads the certificates and binds every address.
    pub fn bind(kernel: Arc<dyn Kernel>, listeners: Vec<ListenerOptions>) -> Result<Self, ServeError> {
        Bound::to(listeners)?.listen(kernel)
    }

    /// The addresses that are listened on, with their true ports, in the order of the options.
    pub fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.doors.iter().map(|door| door.socket.local_addr()).collect()
    }

    /// A handle for reloading certificates while the server runs.
    #[must_use]
    pub fn certificates(&self) -> Certificates {
        self.certificates.clone()
    }

    /// Serves until `end` is ready; then accepts nothing new, finishes what is under way for at most `grace`, and
    /// returns how many connections had to be cut.
    pub async fn run(self, end: impl Future<Output = ()>, grace: Duration) -> usize {
        let Self { doors, clock, phase, .. } = self;
        let open: Vec<_> =
            doors.iter().map(|door| (door.permits.clone(), door.exchange.limits().connections)).collect();
        let doors: Vec<_> = doors.into_iter().map(|door| tokio::spawn(door.keep())).collect();
        end.await;
        phase.send_replace(Phase::Draining);
        // A door ends by itself now; a panic in it has closed it just as well.
        let _ = join_all(doors).await;
        let in_time = {
            // Waiting takes permits in advance; they are to be back when the rest is counted.
            let drained = std::pin::pin!(join_all(open.iter().map(|(permits, all)| all_back(permits, *all))));
            let patience = clock.sleep_until(clock.now().plus(grace));
            matches!(select(drained, patience).await, Either::Left(_))
        };
        let held = |(permits, all): &(Arc<Semaphore>, usize)| all.saturating_sub(permits.available_permits());
        let cut = if in_time { 0 } else { open.iter().map(held).sum() };
        phase.send_replace(Phase::Over);
        join_all(open.iter().map(|(permits, all)| all_back(permits, *all))).await;
        cut
    }
}

/// Waits until nobody holds a permit any more.
async fn all_back(permits: &Semaphore, all: usize) {
    // A closed semaphore has nobody left to wait for.
    let _ = permits.acquire_many(u32::try_from(all).unwrap_or(u32::MAX)).await;
}

fn take(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}
