//! Listens on loopback, and ends without a trace.
//!
//! Connections are HTTP/1.1 with keep-alive. Faults that drop an answer close the connection without a byte.
//! Invariant: after `shutdown` returns no connection is open and the port is free; what the provider remembers
//! stays with `DemoProvider`, which can listen again.

use std::convert::Infallible;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::response::Response;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tower::ServiceExt as _;

use crate::control::Control;
use crate::misbehave::Withheld;
use crate::options::Options;
use crate::routes;
use crate::state::App;

/// An authorization server, listening or not.
#[derive(Clone)]
pub struct DemoProvider {
    app: Arc<App>,
    router: Router,
}

/// A fault closed the connection before an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionDropped;

impl std::fmt::Display for ConnectionDropped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("connection dropped on request")
    }
}

impl std::error::Error for ConnectionDropped {}

impl DemoProvider {
    /// A provider that does not listen: it answers through `handle`.
    pub fn new(options: Options) -> io::Result<Self> {
        let app = App::new(options)?;
        let router = routes::router(&app);
        Ok(Self { app, router })
    }

    /// A provider that listens where the options say.
    pub async fn start(options: Options) -> io::Result<Running> {
        let listen = options.listen;
        Self::new(options)?.listen(listen).await
    }

    /// Listens; again, if a listener was shut down. The base URL is that of the first one.
    pub async fn listen(&self, address: SocketAddr) -> io::Result<Running> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        self.app.bound_to(address);
        let (close, closing) = watch::channel(false);
        let accepting = tokio::spawn(accept(self.clone(), listener, closing));
        Ok(Running { provider: self.clone(), address, close, accepting })
    }

    /// Answers one request without a socket. A fault that never answers never returns.
    pub async fn handle(&self, request: Request<Body>) -> Result<Response, ConnectionDropped> {
        let response =
            self.router.clone().oneshot(request).await.unwrap_or_else(|never: Infallible| match never {});
        match response.extensions().get::<Withheld>() {
            None => Ok(response),
            Some(Withheld::Severed) => Err(ConnectionDropped),
            Some(Withheld::Silent) => std::future::pending().await,
        }
    }

    pub fn control(&self) -> Control {
        Control::new(self.app.clone())
    }

    /// The issuer, without a slash at its end.
    pub fn base_url(&self) -> &str {
        self.app.base_url()
    }
}

/// A provider that listens.
pub struct Running {
    provider: DemoProvider,
    address: SocketAddr,
    close: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

impl Running {
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The issuer, without a slash at its end.
    pub fn base_url(&self) -> &str {
        self.provider.base_url()
    }

    /// The address below the base URL: `url("/token")`.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url())
    }

    pub fn control(&self) -> Control {
        self.provider.control()
    }

    pub fn provider(&self) -> &DemoProvider {
        &self.provider
    }

    /// Closes every connection and the port. Dropping `Running` does the same without waiting for it.
    pub async fn shutdown(self) {
        self.close.send_replace(true);
        // An error would mean that the task panicked or was aborted; closed it is either way.
        let _closed = self.accepting.await;
    }
}

async fn accept(provider: DemoProvider, listener: TcpListener, mut closing: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            _ = closing.changed() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            taken = listener.accept() => match taken {
                Ok((stream, _)) => {
                    connections.spawn(converse(provider.clone(), stream));
                }
                // Out of file descriptors, most likely: connections that end will free some.
                Err(_) => (provider.app.options.sleep)(Duration::from_millis(50)).await,
            },
        }
    }
    drop(listener);
    connections.shutdown().await;
}

async fn converse(provider: DemoProvider, stream: TcpStream) {
    // Without it small answers wait for an acknowledgement; it is no condition, so failing is no matter.
    let _immediate = stream.set_nodelay(true);
    let service = service_fn(|request: Request<hyper::body::Incoming>| {
        let provider = provider.clone();
        async move { provider.handle(request.map(Body::new)).await }
    });
    // An error is a client that left, or a fault that dropped the connection: both are wanted.
    let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// Runs until Ctrl-C or SIGTERM. The first line on standard output is the base URL, alone.
pub async fn serve_until_ctrl_c(options: Options) -> io::Result<()> {
    let running = DemoProvider::start(options).await?;
    let asked_to_end = asked_to_end()?;
    // Not `println!`, which panics when nobody reads; flushed, because the reader waits for it.
    let mut out = io::stdout();
    writeln!(out, "{}", running.base_url())?;
    out.flush()?;
    asked_to_end.await?;
    running.shutdown().await;
    Ok(())
}

/// Signals are caught from the call on, not from the first poll.
#[cfg(unix)]
fn asked_to_end() -> io::Result<impl Future<Output = io::Result<()>>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupted, mut terminated) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupted.recv() => Ok(()),
            _ = terminated.recv() => Ok(()),
        }
    })
}

#[cfg(not(unix))]
fn asked_to_end() -> io::Result<impl Future<Output = io::Result<()>>> {
    Ok(tokio::signal::ctrl_c())
}
