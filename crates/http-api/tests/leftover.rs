//! Bodies that nobody asked for, and heads that HTTP forbids: what becomes of the answer and of the connection.

#![expect(clippy::unwrap_used, reason = "a test")]

mod support;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::{FutureExt, Stream, StreamExt, stream};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use hyper_util::rt::{TokioExecutor, TokioIo};
use support::{FakeKernel, Raw, Wire, ok, pass_time, start, until};
use tokio::net::TcpStream;
use vestal_http_api::Limits;
use vestal_logical::testing::SimClock;
use vestal_logical::{Clock, Timestamp};

/// A kernel whose clock stands still.
fn simulated() -> (Arc<SimClock>, Arc<FakeKernel>) {
    let clock = Arc::new(SimClock::default());
    let kernel = FakeKernel::scripted(clock.clone(), |request| std::future::ready(ok(&request)).boxed());
    (clock, kernel)
}

/// Until the server reads on for the rest of a body: the alarm of a head would come later.
async fn waits_for_body(clock: &SimClock) {
    let soon = clock.now().plus(Duration::from_secs(5));
    until(|| clock.next_wake().is_some_and(|wake| wake <= soon)).await;
}

async fn answer(wire: &mut Wire, method: &str) -> Raw {
    if method == "HEAD" { wire.head().await } else { wire.answer().await }
}

#[tokio::test]
async fn a_body_that_comes_after_its_head_ends_no_connection() {
    let (clock, kernel) = simulated();
    let running = start(kernel, Limits::default());
    for (method, path, status) in [
        ("GET", "kv/a", 200),
        ("LIST", "kv/a", 200),
        ("DELETE", "kv/a", 200),
        ("HEAD", "kv/a", 200),
        ("POST", "kv/a/", 400),
        ("PUT", "../a", 307),
        ("PATCH", "kv/a", 400),
        ("FOO", "kv/a", 405),
    ] {
        for (length, body) in [
            ("Content-Length: 7", "{\"a\":1}"),
            ("Transfer-Encoding: chunked", "7\r\n{\"a\":1}\r\n0\r\n\r\n"),
        ] {
            let mut wire = Wire::open(running.address).await;
            for _ in 0..2 {
                wire.write(&format!("{method} /v1/{path} HTTP/1.1\r\nHost: h\r\n{length}\r\n\r\n")).await;
                waits_for_body(&clock).await;
                wire.write(body).await;
                let answer = answer(&mut wire, method).await;
                assert_eq!((answer.status, answer.header("connection")), (status, None), "{method} {length}");
            }
        }
    }
}

#[tokio::test]
async fn a_body_in_chunks_that_was_read_ends_no_connection() {
    let running = start(FakeKernel::obliging(), Limits::default());
    let mut wire = Wire::open(running.address).await;
    for _ in 0..2 {
        wire.write("POST /v1/kv/a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        wire.write("7\r\n{\"a\":1}\r\n0\r\n\r\n").await;
        let answer = wire.answer().await;
        assert_eq!((answer.status, answer.header("connection")), (200, None));
    }
}

#[tokio::test]
async fn a_body_whose_framing_breaks_ends_the_connection() {
    let running = start(FakeKernel::obliging(), Limits::default());
    for (method, status) in [("POST", 400), ("DELETE", 200)] {
        let mut wire = Wire::open(running.address).await;
        wire.write(&format!("{method} /v1/kv/a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"))
            .await;
        wire.write("7\r\n{\"a\":1}\r\nx\r\n").await;
        let answer = wire.answer().await;
        assert_eq!((answer.status, answer.header("connection")), (status, Some("close")), "{method}");
        assert!(wire.rest().await.is_empty());
    }
}

#[tokio::test]
async fn a_long_body_that_nobody_wants_is_not_waited_for_and_the_answer_says_so() {
    let running = start(FakeKernel::obliging(), Limits::default());
    let body = "x".repeat(300_000);
    let long = format!("Content-Length: {}\r\n", body.len());
    for (method, path, length, status) in [
        ("GET", "kv/a", long.as_str(), 200),
        ("DELETE", "kv/a", &long, 200),
        ("POST", "kv/a/", &long, 400),
        ("POST", "kv/a", "Content-Length: 40000000\r\n", 413),
        // Who waits to be asked for the body would wait for ever.
        ("GET", "kv/a", "Expect: 100-continue\r\nContent-Length: 7\r\n", 200),
    ] {
        let mut wire = Wire::open(running.address).await;
        wire.write(&format!("{method} /v1/{path} HTTP/1.1\r\nHost: h\r\n{length}\r\n")).await;
        let answer = wire.answer().await;
        assert_eq!(
            (answer.status, answer.header("connection")),
            (status, Some("close")),
            "{method} {length}"
        );
        wire.write(&body).await;
        assert!(wire.rest().await.is_empty());
    }
    let mut wire = Wire::open(running.address).await;
    wire.write("GET /v1/kv/a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    wire.write(&format!("493e0\r\n{body}\r\n")).await;
    assert_eq!(wire.answer().await.header("connection"), Some("close"));
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let (clock, kernel) = simulated();
    let running = start(kernel, Limits::default());
    let mut wire = Wire::open(running.address).await;
    wire.write("DELETE /v1/kv/a HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\n\r\n{").await;
    let answer = pass_time(&clock, async move { wire.answer().await }).await;
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    assert!(clock.now() >= Timestamp::from_seconds(5));
    assert_eq!(running.kernel.take_seen().len(), 1);
}

#[tokio::test]
async fn heads_that_http_forbids_are_refused_and_end_the_connection() {
    let running = start(FakeKernel::obliging(), Limits::default());
    for (head, status, text) in [
        ("1.1\r\n", 400, "missing required Host header"),
        ("1.1\r\nHost: h\r\nHost: h\r\n", 400, "too many Host headers"),
        ("1.0\r\nHost: h\r\nHost: i\r\n", 400, "too many Host headers"),
        ("1.1\r\nHost: h\r\nExpect: foo\r\n", 417, ""),
        ("1.0\r\nExpect: 100-continued\r\n", 417, ""),
    ] {
        let mut wire = Wire::open(running.address).await;
        wire.write(&format!("GET /v1/kv/a HTTP/{head}\r\n")).await;
        let rest = wire.rest().await;
        let answer = Raw::parse(&rest).unwrap();
        let body = if text.is_empty() { String::new() } else { format!("{{\"errors\":[\"{text}\"]}}\n") };
        assert_eq!((answer.status, answer.text()), (status, body.as_str()), "{head}");
        if head.starts_with("1.1") {
            assert_eq!(answer.header("connection"), Some("close"), "{head}");
        }
    }
    assert!(running.kernel.take_seen().is_empty());
    for head in [
        "1.1\r\nHost:\r\n",
        "1.0\r\n",
        "1.1\r\nHost: h\r\nExpect: Foo, 100-Continue\r\n",
        "1.0\r\nExpect:\r\n",
    ] {
        let mut wire = Wire::open(running.address).await;
        wire.write(&format!("GET /v1/kv/a HTTP/{head}\r\n")).await;
        assert_eq!(wire.answer().await.status, 200, "{head}");
    }
}

const PIECE: usize = 16 << 10;

/// Pieces of a body, counted when the client takes them to send them.
fn counted(pieces: usize) -> (Arc<AtomicUsize>, impl Stream<Item = Result<Frame<Bytes>, Infallible>> + Send) {
    let taken = Arc::new(AtomicUsize::new(0));
    let count = taken.clone();
    let pieces = stream::iter(0..pieces).map(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        Ok(Frame::data(Bytes::from(vec![b' '; PIECE])))
    });
    (taken, pieces)
}

/// Asks over HTTP/2, with an expectation that is not waited for there; the status and text of the answer.
async fn ask_http2<S>(address: SocketAddr, method: &str, path: &str, body: S) -> (u16, String)
where
    S: Stream<Item = Result<Frame<Bytes>, Infallible>> + Send + 'static,
{
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    let connection = tokio::spawn(async move { drop(connection.await) });
    let request = http::Request::builder().method(method).uri(format!("http://{address}{path}"));
    let request = request.header("expect", "100-continue").body(StreamBody::new(Box::pin(body))).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    let status = answer.status().as_u16();
    let text = answer.into_body().collect().await.unwrap().to_bytes();
    connection.abort();
    (status, String::from_utf8(text.to_vec()).unwrap())
}

#[tokio::test]
async fn an_http2_client_that_is_still_sending_is_heard_out_before_it_is_refused() {
    // Far more than a stream's window, and half as much again as a body may have.
    let (limit, pieces) = (1 << 20, (3 << 19) / PIECE);
    let running = start(FakeKernel::obliging(), Limits { body_bytes: limit, ..Limits::default() });
    for (method, path, status) in [
        ("POST", "/nothing", 404),
        ("POST", "/v1/kv/a/", 400),
        ("PATCH", "/v1/kv/a", 400),
        ("FOO", "/v1/kv/a", 405),
        ("POST", "/v1/kv/a", 413),
        ("DELETE", "/v1/kv/a", 200),
    ] {
        let (taken, body) = counted(pieces);
        let (found, _) = ask_http2(running.address, method, path, body).await;
        assert_eq!((found, taken.load(Ordering::Relaxed)), (status, pieces), "{method} {path}");
    }
}

#[tokio::test]
async fn an_http2_client_that_never_ends_gets_its_answer_all_the_same() {
    let (clock, kernel) = simulated();
    let running = start(kernel, Limits { body_bytes: 1 << 20, ..Limits::default() });
    let address = running.address;
    let (_, endless) = counted(usize::MAX);
    assert_eq!(ask_http2(address, "POST", "/nothing", endless).await.0, 404);
    assert_eq!(clock.now(), Timestamp::default());
    let (_, some) = counted(1);
    let silent = some.chain(stream::pending());
    let (status, _) = pass_time(&clock, ask_http2(address, "DELETE", "/v1/kv/a", silent)).await;
    assert_eq!((status, running.kernel.take_seen().len()), (200, 1));
    assert!(clock.now() >= Timestamp::from_seconds(5));
}
