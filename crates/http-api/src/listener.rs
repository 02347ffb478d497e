//! Accepts connections on one address and speaks HTTP/1.1 and HTTP/2 on them.
//!
//! Invariants: no connection is accepted beyond the limit, and none outlives the shutdown's deadline; a request whose head has
//! arrived when a graceful shutdown begins is answered. It does not know what is asked.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use crate::exchange::Exchange;
use crate::limits::Limits;
use crate::patience::{Activity, Patience, Watched};
use crate::tls::TlsFiles;

/// The first byte of a TLS handshake.
const HANDSHAKE: u8 = 0x16;
/// How long to wait when the machine refuses a connection (too many open files).
const REST: Duration = Duration::from_millis(100);

/// Where and how to listen.
#[derive(Debug, Clone)]
pub struct ListenerOptions {
    /// The address; port 0 takes any.
    pub address: SocketAddr,
    /// TLS; plain HTTP without it.
    pub tls: Option<TlsFiles>,
    /// Its bounds.
    pub limits: Limits,
}

/// How far the end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Open,
    /// No new request; those under way are finished.
    Draining,
    /// Everything ends now.
    Over,
}

/// One bound address.
pub(crate) struct Door {
    pub(crate) socket: TcpListener,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) exchange: Arc<Exchange>,
    pub(crate) permits: Arc<Semaphore>,
    pub(crate) phase: watch::Receiver<Phase>,
}

impl Door {
    /// Accepts until the drain begins.
    pub(crate) async fn keep(self) {
        let mut phase = self.phase.clone();
        let mut accepting = std::pin::pin!(self.accept_all());
        loop {
            tokio::select! {
                () = &mut accepting => return,
                changed = phase.changed() => {
                    if changed.is_err() || *phase.borrow() != Phase::Open {
                        return;
                    }
                }
            }
        }
    }

    async fn accept_all(&self) {
        while let Ok(permit) = self.permits.clone().acquire_owned().await {
            match self.socket.accept().await {
                Ok((stream, peer)) => {
                    let connection = Connection {
                        peer,
                        tls: self.tls.clone(),
                        exchange: self.exchange.clone(),
                        phase: self.phase.clone(),
                        permit,
                    };
                    tokio::spawn(connection.run(stream));
                }
                Err(error) => {
                    tracing::warn!(kind = ?error.kind(), "a connection could not be accepted");
                    let clock = self.exchange.clock();
                    clock.sleep_until(clock.now().plus(REST)).await;
                }
            }
        }
    }
}

struct Connection {
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    exchange: Arc<Exchange>,
    phase: watch::Receiver<Phase>,
    permit: OwnedSemaphorePermit,
}

impl Connection {
    async fn run(self, stream: TcpStream) {
        // Without it small answers wait for an acknowledgement; a failure costs only that.
        let _ = stream.set_nodelay(true);
        let Some(tls) = self.tls.clone() else {
            return self.speak(stream).await;
        };
        let clock = self.exchange.clock();
        let patience = clock.sleep_until(clock.now().plus(self.exchange.limits().header_patience));
        let shaking = std::pin::pin!(shake(&tls, stream));
        if let Either::Left((Some(stream), _)) = select(shaking, patience).await {
            self.speak(stream).await;
        }
    }

    async fn speak<S>(self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { peer, exchange, mut phase, permit, .. } = self;
        let limits = *exchange.limits();
        let activity = Arc::new(Activity::default());
        let patience = Patience {
            header: limits.header_patience,
            idle: limits.idle_patience,
            write: limits.write_patience,
        };
        let stream = Watched::new(stream, activity.clone(), exchange.clock().clone(), patience);
        let service = service_fn(move |request: http::Request<Incoming>| {
            let serving = activity.begin(request.version() == http::Version::HTTP_2);
            let (exchange, activity) = (exchange.clone(), activity.clone());
            async move {
                let answered = exchange.answer(request, Some(peer)).await;
                if answered.unread {
                    activity.linger();
                }
                drop(serving);
                Ok::<_, Infallible>(answered.response)
            }
        });
        let protocol = protocol(&limits);
        let mut connection = std::pin::pin!(protocol.serve_connection(TokioIo::new(stream), service));
        loop {
            tokio::select! {
                // Broken connections are daily life; nothing about them is worth a line.
                _ = connection.as_mut() => break,
                changed = phase.changed() => match changed.map(|()| *phase.borrow_and_update()) {
                    Ok(Phase::Open) => {}
                    Ok(Phase::Draining) => connection.as_mut().graceful_shutdown(),
                    Ok(Phase::Over) | Err(_) => break,
                },
            }
        }
        drop(permit);
    }
}

/// What a stream may send before it is read.
const STREAM_WINDOW: u32 = 32 << 10;

fn protocol(limits: &Limits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .max_buf_size(limits.header_bytes)
        // The clock is the kernel's: see `patience`.
        .header_read_timeout(None);
    if limits.header_count != 100 {
        // A hundred is hyper's own bound, for which alone it needs no allocation.
        builder.http1().max_headers(limits.header_count);
    }
    builder
        .http2()
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .max_concurrent_streams(limits.streams)
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(256)
        .initial_stream_window_size(STREAM_WINDOW)
        // A body that waits for room is not read, and must not use up what the one that has room still needs.
        .initial_connection_window_size(limits.streams.saturating_mul(STREAM_WINDOW).max(1 << 20));
    builder
}

/// The handshake, or the hint that Go's server gives to who forgot the `s` of `https`.
async fn shake(
    tls: &TlsAcceptor,
    mut stream: TcpStream,
) -> Option<tokio_rustls::server::TlsStream<TcpStream>> {
    const HINT: &[u8] = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
    let mut first = [HANDSHAKE];
    if stream.peek(&mut first).await.ok()? == 1 && first.first().is_some_and(u8::is_ascii_uppercase) {
        // Who does not take it, does not need it.
        let _ = stream.write_all(HINT).await;
        let _ = stream.shutdown().await;
        return None;
    }
    tls.accept(stream).await.ok()
}
