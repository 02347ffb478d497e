//! Tests of the provider through its endpoints, on simulated time and seeded randomness; `sockets` is real.

mod arguments;
mod authorization;
mod clients;
mod codes;
mod control;
mod devices;
mod faults;
mod identity;
mod pages;
mod refresh;
mod resources;
mod sockets;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::{Client, ConnectionDropped, DemoProvider, Ledger, Options};

/// Parameters of a query or form, in a table of cases.
pub(super) type Fields<'a> = &'a [(&'a str, &'a str)];

pub(super) const CALLBACK: &str = "http://localhost:5000/callback";

/// A provider in a world of its own: time passes only when told, or while a fault delays.
pub(super) struct World {
    pub(super) provider: DemoProvider,
    now: Arc<AtomicU64>,
}

pub(super) struct Seen {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

pub(super) fn world(options: Options) -> World {
    let now = Arc::new(AtomicU64::new(1_700_000_000_000));
    let (read, wait) = (now.clone(), now.clone());
    let seed = AtomicU64::new(1);
    let options = Options {
        public_url: Some("http://provider.test".to_owned()),
        clock: Arc::new(move || read.load(Ordering::SeqCst)),
        sleep: Arc::new(move |pause| {
            wait.fetch_add(u64::try_from(pause.as_millis()).unwrap(), Ordering::SeqCst);
            Box::pin(std::future::ready(()))
        }),
        entropy: Arc::new(move |buffer| {
            for byte in buffer {
                let n = seed.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::SeqCst);
                *byte = ((n ^ (n >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 40).to_le_bytes()[0];
            }
        }),
        ..options
    };
    World { provider: DemoProvider::new(options).unwrap(), now }
}

/// One confidential client and one public one.
pub(super) fn two_clients() -> Options {
    Options { clients: vec![Client::demo(), Client::public("app")], ..Options::default() }
}

impl World {
    pub(super) fn pass(&self, time: Duration) {
        self.now.fetch_add(u64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }

    pub(super) fn now(&self) -> u64 {
        self.now.load(Ordering::SeqCst)
    }

    pub(super) fn ledger(&self) -> Ledger {
        self.provider.control().ledger()
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Result<Seen, ConnectionDropped> {
        let response = self.provider.handle(request).await?;
        let (head, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.map_err(|_| ConnectionDropped)?;
        Ok(Seen { status: head.status, headers: head.headers, body: body.to_vec() })
    }

    pub(super) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Seen {
        let uri = format!("{path}?{}", form(query));
        self.send(Request::get(uri).body(Body::empty()).unwrap()).await.unwrap()
    }

    pub(super) async fn bearer(&self, path: &str, token: &str) -> Seen {
        let request = Request::get(path).header(header::AUTHORIZATION, format!("Bearer {token}"));
        self.send(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    pub(super) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Seen {
        self.send(posted(path, None, fields)).await.unwrap()
    }

    /// A call of the confidential client, authenticated by header.
    pub(super) async fn call(&self, path: &str, fields: &[(&str, &str)]) -> Seen {
        self.try_call(path, fields).await.unwrap()
    }

    pub(super) async fn try_call(
        &self,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Result<Seen, ConnectionDropped> {
        self.send(posted(path, Some("demo-client:demo-secret"), fields)).await
    }

    /// Through the login page to a code.
    pub(super) async fn code(&self, extra: &[(&str, &str)]) -> String {
        let mut query =
            vec![("response_type", "code"), ("client_id", "demo-client"), ("redirect_uri", CALLBACK)];
        query.extend_from_slice(extra);
        let page = self.get("/authorize", &query).await;
        let ticket = page.ticket();
        let answer = self.post("/authorize/decide", &[("ticket", &ticket), ("decision", "allow")]).await;
        answer.returned("code").expect("a code")
    }

    pub(super) async fn exchange(&self, code: &str, extra: &[(&str, &str)]) -> Seen {
        let mut fields =
            vec![("grant_type", "authorization_code"), ("code", code), ("redirect_uri", CALLBACK)];
        fields.extend_from_slice(extra);
        self.call("/token", &fields).await
    }

    /// The tokens of a new family.
    pub(super) async fn connect(&self) -> Value {
        let code = self.code(&[]).await;
        self.exchange(&code, &[]).await.json()
    }

    pub(super) async fn refresh(&self, token: &str) -> Seen {
        self.try_refresh(token).await.unwrap()
    }

    pub(super) async fn try_refresh(&self, token: &str) -> Result<Seen, ConnectionDropped> {
        self.try_call("/token", &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }
}

impl Seen {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }

    pub(super) fn error(&self) -> String {
        self.json()["error"].as_str().unwrap_or_default().to_owned()
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// A parameter of the address the browser is sent to.
    pub(super) fn returned(&self, name: &str) -> Option<String> {
        let to = url::Url::parse(self.header("location")).ok()?;
        to.query_pairs().find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
    }

    pub(super) fn ticket(&self) -> String {
        let page = self.text();
        let (_, rest) = page.split_once("name=\"ticket\" value=\"").expect("a login page");
        rest.split_once('"').unwrap().0.to_owned()
    }
}

pub(super) fn text<'a>(tokens: &'a Value, field: &str) -> &'a str {
    tokens[field].as_str().unwrap_or_else(|| panic!("no {field} in {tokens}"))
}

pub(super) fn form(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

pub(super) fn posted(path: &str, basic: Option<&str>, fields: &[(&str, &str)]) -> Request<Body> {
    let mut request =
        Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded;charset=UTF-8");
    if let Some(pair) = basic {
        request = request.header(header::AUTHORIZATION, format!("Basic {}", STANDARD.encode(pair)));
    }
    request.body(Body::from(form(fields))).unwrap()
}
