//! The demo provider as a network: in process, on the mount's clock, with an eye on what passes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use futures::future::BoxFuture;
use http_body_util::{BodyExt, Limited};
use vestal_crypto::SecretBytes;
use vestal_demo_provider::{Control, DemoProvider, Options};
use vestal_logical::testing::SimClock;
use vestal_logical::{Clock, HttpTransport, OutboundRequest, OutboundResponse, TransportError};

use crate::mount::{Mount, START};

pub(crate) const BASE: &str = "https://provider.test";

pub(crate) struct Demo {
    provider: DemoProvider,
    clock: Arc<SimClock>,
    seen: Mutex<Vec<Seen>>,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) by_header: bool,
    pub(crate) form: String,
    pub(crate) timeout: Option<Duration>,
}

/// A provider and a mount that can reach it.
pub(crate) async fn world(options: Options) -> (Arc<Demo>, Mount) {
    let clock = Arc::new(SimClock::at(START));
    let (telling, waiting) = (Arc::clone(&clock), Arc::clone(&clock));
    let options = Options {
        public_url: Some(BASE.to_owned()),
        clock: Arc::new(move || u64::try_from(telling.now().millis()).unwrap()),
        sleep: Arc::new(move |pause| waiting.sleep_until(waiting.now().plus(pause))),
        ..options
    };
    let provider = DemoProvider::new(options).unwrap();
    let demo = Arc::new(Demo { provider, clock: Arc::clone(&clock), seen: Mutex::default() });
    let mount = Mount::at(clock, Arc::clone(&demo) as Arc<dyn HttpTransport>).await;
    (demo, mount)
}

impl Demo {
    pub(crate) fn control(&self) -> Control {
        self.provider.control()
    }

    pub(crate) fn code(&self, scope: Option<&str>) -> String {
        self.control().code("demo-client", scope).unwrap()
    }

    /// The requests since the last look.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }

    /// As [`seen`](Self::seen), paths alone.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.path).collect()
    }
}

impl HttpTransport for Demo {
    fn send(&self, request: OutboundRequest) -> BoxFuture<'static, Result<OutboundResponse, TransportError>> {
        self.seen.lock().unwrap().push(Seen {
            path: request.url.path().to_owned(),
            by_header: request.headers.contains_key("authorization"),
            form: String::from_utf8(request.body.expose().to_vec()).unwrap(),
            timeout: request.timeout,
        });
        let (provider, clock) = (self.provider.clone(), Arc::clone(&self.clock));
        Box::pin(async move {
            let limit = request.timeout.map(|timeout| clock.now().plus(timeout));
            let answer = deliver(&provider, request);
            let Some(limit) = limit else { return answer.await };
            tokio::select! {
                answer = answer => answer,
                () = clock.sleep_until(limit) => Err(TransportError::TimedOut("provider.test did not answer".into())),
            }
        })
    }
}

async fn deliver(
    provider: &DemoProvider,
    request: OutboundRequest,
) -> Result<OutboundResponse, TransportError> {
    let broken = || TransportError::Reset("provider.test: connection reset".to_owned());
    let uri = match request.url.query() {
        Some(query) => format!("{}?{query}", request.url.path()),
        None => request.url.path().to_owned(),
    };
    let mut sent = Request::new(Body::from(request.body.expose().to_vec()));
    *sent.method_mut() = request.method;
    *sent.uri_mut() = uri.parse().unwrap();
    *sent.headers_mut() = request.headers;
    let (head, body) = provider.handle(sent).await.map_err(|_| broken())?.into_parts();
    let body = Limited::new(body, request.max_answer).collect().await.map_err(|error| {
        if error.is::<http_body_util::LengthLimitError>() {
            TransportError::TooLarge("the answer of provider.test is too large".to_owned())
        } else {
            broken()
        }
    })?;
    let body = SecretBytes::new(body.to_bytes().to_vec());
    Ok(OutboundResponse { status: head.status.as_u16(), headers: head.headers, body })
}
