//! The other end of a code flow: waits on loopback for the browser that comes back, once.
//!
//! What a program with a window would do with its redirect URL; the demonstration has only a terminal.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY};
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// What the browser brought (RFC 6749 §4.1.2). Nothing of it is shown on the page.
#[derive(Debug, Clone, Deserialize)]
pub struct Returned {
    /// The authorization code.
    pub code: Option<String>,
    /// The state that went out.
    pub state: Option<String>,
    /// Why there is no code.
    pub error: Option<String>,
}

type Waiting = Arc<Mutex<Option<oneshot::Sender<Returned>>>>;

/// A redirect URL that waits.
pub struct Callback {
    address: SocketAddr,
    received: oneshot::Receiver<Returned>,
    server: JoinHandle<()>,
}

impl Callback {
    /// Listens on any free port of the loopback address.
    pub async fn listen() -> io::Result<Self> {
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (sender, received) = oneshot::channel();
        let waiting: Waiting = Arc::new(Mutex::new(Some(sender)));
        let routes = Router::new().route("/callback", get(arrive)).with_state(waiting);
        let server = tokio::spawn(async move {
            // It runs until it is aborted; an error of the socket shows as nobody coming.
            let _ = axum::serve(listener, routes).await;
        });
        Ok(Self { address, received, server })
    }

    /// The redirect URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/callback", self.address)
    }

    /// Waits for the browser; `None` when the listener ended before.
    pub async fn wait(mut self) -> Option<Returned> {
        (&mut self.received).await.ok()
    }
}

impl Drop for Callback {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn arrive(State(waiting): State<Waiting>, Query(returned): Query<Returned>) -> impl IntoResponse {
    let connected = returned.code.is_some();
    if let Some(sender) = waiting.lock().unwrap_or_else(PoisonError::into_inner).take() {
        // Whoever waited may have given up.
        let _ = sender.send(returned);
    }
    let said = if connected { "Connected." } else { "Not connected." };
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>{said}</title><h1>{said}</h1>\
         <p>You can close this page and go back to the terminal.</p></html>"
    );
    ([(CACHE_CONTROL, "no-store"), (CONTENT_SECURITY_POLICY, "default-src 'none'")], Html(page))
}
