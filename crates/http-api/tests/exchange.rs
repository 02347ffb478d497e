//! Requests and answers over real sockets: framing, protocols, the end.

#![expect(clippy::unwrap_used, reason = "a test")]

mod support;

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::join_all;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use support::{FakeKernel, GRACE, Wire, ask, ok, pass_time, send, start, until, until_refused};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use vestal_http_api::{Limits, ListenerOptions, ServeError, Server};
use vestal_logical::testing::SimClock;
use vestal_logical::{Answer, Clock, Operation, Reply, Response, SystemClock, Timestamp};

#[tokio::test]
async fn every_answer_carries_the_same_headers() {
    let kernel = FakeKernel::scripted(Arc::new(SystemClock), |request| {
        let reply = match request.operation {
            Operation::Delete => Reply::empty(),
            _ => Reply::data(serde_json::json!({"x": 1})),
        };
        let result = Ok(Answer::Open(Box::new(reply)));
        let response =
            Response { request_id: request.id, path: request.path, operation: request.operation, result };
        std::future::ready(response).boxed()
    });
    let running = start(kernel, Limits::default());
    for (method, target, status, empty) in [
        ("GET", "/v1/kv/a", 200, false),
        ("HEAD", "/v1/kv/a", 200, true),
        ("DELETE", "/v1/kv/a", 204, true),
        ("GET", "/nothing", 404, false),
        ("FOO", "/v1/kv/a", 405, false),
    ] {
        let answer = ask(running.address, method, target, "X-Vault-Namespace: root\r\n", "").await;
        assert_eq!((answer.status, answer.body.is_empty()), (status, empty), "{method} {target}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("strict-transport-security"), Some("max-age=31536000; includeSubDomains"));
        assert_eq!(answer.header("x-vault-namespace"), Some("root"));
        assert!(answer.header("date").is_some());
        assert_eq!(answer.header("transfer-encoding"), None);
    }
    let data = ask(running.address, "GET", "/v1/kv/a", "", "").await;
    assert!(data.text().starts_with("{\"request_id\":\"request-") && data.text().ends_with("}\n"));
}

#[tokio::test]
async fn several_requests_share_a_connection() {
    let running = start(FakeKernel::obliging(), Limits::default());
    let mut wire = Wire::open(running.address).await;
    // With a body that nobody wants, as vaultrs sends it.
    let delete = "DELETE /v1/kv/a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}";
    for _ in 0..3 {
        wire.write(delete).await;
        assert_eq!(wire.answer().await.status, 200);
    }
    let get = "GET /v1/kv/a HTTP/1.1\r\nHost: h\r\n";
    let pipelined = format!("{get}\r\n{get}Connection: close\r\n\r\n");
    wire.write(&pipelined).await;
    let rest = String::from_utf8(wire.rest().await).unwrap();
    assert_eq!(rest.matches("{\"ok\":true}").count(), 2);
    assert_eq!(running.kernel.take_seen().len(), 5);
}

#[tokio::test]
async fn old_and_broken_http_is_answered_or_refused_without_harm() {
    let running = start(FakeKernel::obliging(), Limits::default());
    let old = send(running.address, b"GET /v1/kv/a HTTP/1.0\r\n\r\n").await.unwrap();
    assert_eq!(old.status, 200);
    for bytes in [
        &b"GET /v1/kv/a\r\n\r\n"[..],
        b"\x16\x03\x01\x02\x00\r\n\r\n",
        b"GET /v1/kv/a HTTP/1.1\r\nHost: h\r\nX-Vault-Token : root\r\n\r\n",
        b"GET /v1/kv/a HTTP/1.1\r\nHost: h\r\nX-Vault-Token: ro\x01ot\r\n\r\n",
        b"GET /v1/kv/a HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n",
        b"GET /v1/kv/a b HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /v1/kv/a HTTP/9.9\r\nHost: h\r\n\r\n",
        b"\r\n\r\n\r\n\r\n\0\0\0\0",
    ] {
        let mut wire = Wire::open(running.address).await;
        wire.write(&String::from_utf8_lossy(bytes)).await;
        tokio::io::AsyncWriteExt::shutdown(&mut wire.0).await.unwrap();
        let answer = String::from_utf8(wire.rest().await).unwrap();
        assert!(!answer.starts_with("HTTP/1.1 2"), "{bytes:?}: {answer}");
    }
    assert_eq!(running.kernel.take_seen().len(), 1);
    assert_eq!(ask(running.address, "GET", "/v1/kv/a", "", "").await.status, 200);
}

async fn http2(
    address: std::net::SocketAddr,
) -> (hyper::client::conn::http2::SendRequest<Full<Bytes>>, tokio::task::JoinHandle<()>) {
    let stream = TcpStream::connect(address).await.unwrap();
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    (sender, tokio::spawn(async move { drop(connection.await) }))
}

fn post(address: std::net::SocketAddr, body: impl Into<Bytes>) -> http::Request<Full<Bytes>> {
    let target = format!("http://{address}/v1/kv/a");
    http::Request::post(target).header("x-vault-token", "t").body(Full::new(body.into())).unwrap()
}

#[tokio::test]
async fn http2_serves_many_at_once_within_the_same_limits() {
    let running = start(FakeKernel::obliging(), Limits { body_bytes: 1 << 20, ..Limits::default() });
    let (sender, _connection) = http2(running.address).await;
    let answers = join_all((0..300).map(|_| {
        let mut sender = sender.clone();
        let request = post(running.address, "{\"a\":1}");
        async move { sender.send_request(request).await.unwrap().status().as_u16() }
    }));
    assert!(answers.await.iter().all(|status| *status == 200));
    assert_eq!(running.kernel.take_seen().len(), 300);

    let mut sender = sender.clone();
    let large = sender.send_request(post(running.address, vec![b' '; (1 << 20) + 1])).await.unwrap();
    assert_eq!(large.status(), 413);
    let body = large.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "{\"errors\":[\"http: request body too large\"]}\n");

    let mut many = post(running.address, "");
    for at in 0..101 {
        many.headers_mut()
            .insert(http::HeaderName::try_from(format!("x-{at}")).unwrap(), "1".parse().unwrap());
    }
    assert_eq!(sender.send_request(many).await.unwrap().status(), 431);
    let mut long = post(running.address, "");
    long.headers_mut().insert("x-vault-token", "x".repeat(9000).parse().unwrap());
    assert_eq!(sender.send_request(long).await.unwrap().status(), 400);
    assert!(running.kernel.take_seen().is_empty());
}

#[tokio::test]
async fn the_end_waits_for_calls_under_way() {
    let gate = Arc::new(Notify::new());
    let opened = gate.clone();
    let kernel = FakeKernel::scripted(Arc::new(SystemClock), move |request| {
        let opened = opened.clone();
        Box::pin(async move {
            opened.notified().await;
            ok(&request)
        })
    });
    let mut running = start(kernel.clone(), Limits::default());
    let mut wire = Wire::open(running.address).await;
    wire.write("GET /v1/kv/a HTTP/1.1\r\nHost: h\r\n\r\n").await;
    let idle = Wire::open(running.address).await;
    until(|| !kernel.seen.lock().unwrap().is_empty()).await;
    running.end();
    // Nobody new gets in: the address is closed before the call ends.
    until_refused(running.address).await;
    assert!(!running.server.is_finished());
    gate.notify_one();
    assert_eq!(wire.answer().await.status, 200);
    assert!(wire.rest().await.is_empty(), "the connection is closed after its call");
    assert!(idle.rest().await.is_empty());
    assert_eq!(running.server.await.unwrap(), 0);
}

#[tokio::test]
async fn the_end_does_not_wait_for_ever() {
    let clock = Arc::new(SimClock::default());
    let kernel = FakeKernel::scripted(clock.clone(), |_| std::future::pending().boxed());
    let mut running = start(kernel.clone(), Limits::default());
    let mut wire = Wire::open(running.address).await;
    wire.write("GET /v1/kv/a HTTP/1.1\r\nHost: h\r\n\r\n").await;
    until(|| !kernel.seen.lock().unwrap().is_empty()).await;
    running.end();
    until_refused(running.address).await;
    let cut = pass_time(&clock, running.server).await.unwrap();
    assert_eq!(cut, 1, "one connection had to be cut");
    assert!(clock.now() >= Timestamp::default().plus(GRACE));
    assert!(wire.rest().await.is_empty());
}

#[tokio::test]
async fn a_client_that_leaves_takes_nothing_with_it() {
    let kernel = FakeKernel::scripted(Arc::new(SystemClock), |request| match request.path.as_str() {
        "slow" => std::future::pending().boxed(),
        _ => std::future::ready(ok(&request)).boxed(),
    });
    let running = start(kernel.clone(), Limits { connections: 1, ..Limits::default() });
    let mut wire = Wire::open(running.address).await;
    wire.write("GET /v1/slow HTTP/1.1\r\nHost: h\r\n\r\n").await;
    until(|| !kernel.seen.lock().unwrap().is_empty()).await;
    drop(wire);
    // The only connection is free again.
    assert_eq!(ask(running.address, "GET", "/v1/kv/a", "", "").await.status, 200);
}

#[tokio::test]
async fn an_address_in_use_is_named_and_nothing_serves() {
    let kernel = FakeKernel::obliging();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let options = |address| ListenerOptions { address, tls: None, limits: Limits::default() };
    let failure =
        Server::bind(kernel, vec![options(([127, 0, 0, 1], 0).into()), options(address)]).err().unwrap();
    assert!(matches!(&failure, ServeError::Bind { address: named, .. } if *named == address));
    assert!(failure.to_string().starts_with(&format!("cannot listen on {address}: ")), "{failure}");
}

#[tokio::test]
async fn several_addresses_are_served() {
    let kernel = FakeKernel::obliging();
    let options =
        ListenerOptions { address: ([127, 0, 0, 1], 0).into(), tls: None, limits: Limits::default() };
    let server = Server::bind(kernel.clone(), vec![options.clone(), options]).unwrap();
    let addresses = server.addresses().unwrap();
    tokio::spawn(server.run(std::future::pending(), Duration::ZERO));
    for address in &addresses {
        assert_eq!(ask(*address, "GET", "/v1/kv/a", "", "").await.status, 200);
    }
    assert_ne!(addresses[0], addresses[1]);
    assert_eq!(kernel.take_seen().len(), 2);
}

#[tokio::test]
async fn bounds_that_cannot_be_counted_are_brought_within_reach() {
    for (connections, bytes) in [(0, 1), (usize::MAX, usize::MAX)] {
        let limits = Limits {
            connections,
            header_bytes: bytes,
            body_bytes: bytes,
            buffered_bytes: bytes,
            ..Limits::default()
        };
        let running = start(FakeKernel::obliging(), limits);
        assert_eq!(ask(running.address, "GET", "/v1/kv/a", "", "").await.status, 200);
    }
}

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl io::Write for Sink {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_log_tells_id_method_status_and_time_and_nothing_that_a_client_chose() {
    let sink = Sink::default();
    let writer = sink.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let running = start(FakeKernel::obliging(), Limits::default());
    let headers = "X-Vault-Token: canary-token\r\nX-Other: canary-header\r\n";
    ask(running.address, "POST", "/v1/canary-path?q=canary-query", headers, "{\"a\":\"canary-body\"}").await;
    ask(running.address, "CANARY", "/v1/canary-path", headers, "").await;
    ask(running.address, "POST", "/v1/canary-path", headers, "canary-garbage").await;
    let log = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("method=\"POST\" status=200"), "{log}");
    assert!(log.contains("request_id=\"request-0\""), "{log}");
    assert!(log.contains("method=\"other\" status=405"), "{log}");
    assert!(!log.to_ascii_lowercase().contains("canary"), "{log}");
}
