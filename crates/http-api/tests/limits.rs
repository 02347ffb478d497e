//! What a stranger can make a listener do: nothing that has no bound.

mod support;

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::join_all;
use support::{FakeKernel, Wire, ask, ok, pass_time, send, start, until};
use vestal_http_api::Limits;
use vestal_logical::testing::{SimClock, settle};
use vestal_logical::{Clock, Timestamp};

const TOO_LARGE: &str = "{\"errors\":[\"http: request body too large\"]}\n";

/// A kernel whose clock stands still.
fn simulated() -> (Arc<SimClock>, Arc<FakeKernel>) {
    let clock = Arc::new(SimClock::default());
    let kernel = FakeKernel::scripted(clock.clone(), |request| std::future::ready(ok(&request)).boxed());
    (clock, kernel)
}

#[tokio::test]
async fn floods_of_headers_are_refused() {
    let running = start(FakeKernel::obliging(), Limits::default());
    let table = [
        ("10 000 lines", "Cookie: x=1\r\n".repeat(10_000)),
        ("101 lines", "A: 1\r\n".repeat(101)),
        ("64 KiB", format!("A: {}\r\n", "x".repeat(64 << 10))),
        ("1 MiB", format!("A: {}\r\n", "x".repeat(1 << 20))),
        ("a token of 1 MiB", format!("X-Vault-Token: {}\r\n", "x".repeat(1 << 20))),
    ];
    for (name, headers) in table {
        let answer = ask(running.address, "GET", "/v1/kv/a", &headers, "").await;
        assert_eq!(answer.status, 431, "{name}");
    }
    let target = format!("/v1/{}", "a".repeat(70_000));
    assert_eq!(ask(running.address, "GET", &target, "", "").await.status, 431);
    assert!(running.kernel.take_seen().is_empty());
}

#[tokio::test]
async fn a_long_token_is_refused_before_anyone_looks_at_it() {
    let running = start(FakeKernel::obliging(), Limits::default());
    for (header, length, status) in [
        ("X-Vault-Token: ", 8192, 200),
        ("X-Vault-Token: ", 8193, 400),
        ("Authorization: Bearer ", 8192, 200),
        ("Authorization: Bearer ", 8193, 400),
    ] {
        let headers = format!("{header}{}\r\n", "x".repeat(length));
        let answer = ask(running.address, "GET", "/v1/kv/a", &headers, "").await;
        assert_eq!(answer.status, status, "{header}{length}");
        assert_eq!(running.kernel.take_seen().len(), usize::from(status == 200));
    }
}

#[tokio::test]
async fn a_declared_length_over_the_limit_is_refused_unread() {
    let running = start(FakeKernel::obliging(), Limits::default());
    let mut wire = Wire::open(running.address).await;
    wire.write("POST /v1/kv/a HTTP/1.1\r\nHost: h\r\nContent-Length: 1073741824\r\n\r\n").await;
    let answer = wire.answer().await;
    assert_eq!((answer.status, answer.text()), (413, TOO_LARGE));
    let mut wire = Wire::open(running.address).await;
    wire.write("POST /v1/kv/a HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n").await;
    assert!(String::from_utf8(wire.rest().await).unwrap().starts_with("HTTP/1.1 400 "));
    assert!(running.kernel.take_seen().is_empty());
}

#[tokio::test]
async fn chunks_are_counted_while_they_come() {
    let limits = Limits { body_bytes: 100_000, buffered_bytes: 300_000, ..Limits::default() };
    let running = start(FakeKernel::obliging(), limits);
    let chunk = format!("4000\r\n{}\r\n", " ".repeat(0x4000));
    let request = |chunks: usize| {
        let head =
            "POST /v1/kv/a HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
        format!("{head}{}7\r\n{{\"a\":1}}\r\n0\r\n\r\n", chunk.repeat(chunks))
    };
    let fits = send(running.address, request(6).as_bytes()).await.unwrap();
    assert_eq!(fits.status, 200);
    assert_eq!(running.kernel.take_seen()[0].data["a"], 1);
    // Far more of them at once than the budget could hold.
    let bytes = request(200).into_bytes();
    for answer in join_all((0..64).map(|_| send(running.address, &bytes))).await {
        let answer = answer.unwrap();
        assert_eq!((answer.status, answer.text()), (413, TOO_LARGE));
    }
    assert!(running.kernel.take_seen().is_empty());
}

#[tokio::test]
async fn a_false_length_fools_nobody() {
    let running = start(FakeKernel::obliging(), Limits::default());
    let post = "POST /v1/kv/a HTTP/1.1\r\nHost: h\r\n";
    let cut = format!("{post}Content-Length: 100\r\n\r\n{{\"a\":1}}");
    let mut wire = Wire::open(running.address).await;
    wire.write(&cut).await;
    tokio::io::AsyncWriteExt::shutdown(&mut wire.0).await.unwrap();
    wire.rest().await;
    assert!(running.kernel.take_seen().is_empty(), "a body that breaks off is no body");
    for framing in [
        "Content-Length: 7\r\nContent-Length: 3\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: +7\r\n",
        "Content-Length: 0x7\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
    ] {
        let request = format!("{post}Connection: close\r\n{framing}\r\n{{\"a\":1}}");
        let status = send(running.address, request.as_bytes()).await.map(|answer| answer.status);
        assert_eq!(status, Some(400), "{framing}");
    }
    let smuggled = format!(
        "{post}Connection: close\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n{{\"a\":1}}\r\n0\r\n\r\n"
    );
    send(running.address, smuggled.as_bytes()).await;
    for request in running.kernel.take_seen() {
        assert_eq!(serde_json::Value::Object(request.data), serde_json::json!({"a": 1}));
    }
}

#[tokio::test]
async fn a_head_that_does_not_end_is_cut_off() {
    let (clock, kernel) = simulated();
    let running = start(kernel, Limits::default());
    let mut wire = Wire::open(running.address).await;
    wire.write("GET /v1/kv/a HTTP/1.1\r\nHost: h\r\nX-Slow: ").await;
    until(|| clock.next_wake().is_some()).await;
    clock.advance(Duration::from_secs(9)).await;
    wire.write("a").await;
    clock.advance(Duration::from_secs(1)).await;
    assert!(wire.rest().await.is_empty());
    assert!(running.kernel.take_seen().is_empty());
}

#[tokio::test]
async fn a_body_that_dribbles_in_is_given_up() {
    let (clock, kernel) = simulated();
    let running = start(kernel, Limits::default());
    let mut wire = Wire::open(running.address).await;
    wire.write("POST /v1/kv/a HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{").await;
    let answer = pass_time(&clock, async move { wire.answer().await }).await;
    assert!((10..20).contains(&clock.now().seconds()), "its patience is over, the request's time is not");
    let text = "{\"errors\":[\"the request body took too long to arrive\"]}\n";
    assert_eq!((answer.status, answer.text()), (408, text));
    assert!(running.kernel.take_seen().is_empty());
}

#[tokio::test]
async fn waiting_for_the_kernel_has_an_end() {
    let clock = Arc::new(SimClock::default());
    let kernel = FakeKernel::scripted(clock.clone(), |_| std::future::pending().boxed());
    let running = start(kernel.clone(), Limits::default());
    let mut wire = Wire::open(running.address).await;
    wire.write("GET /v1/kv/a HTTP/1.1\r\nHost: h\r\n\r\n").await;
    until(|| !kernel.seen.lock().unwrap().is_empty()).await;
    let answer = pass_time(&clock, async move { wire.answer().await }).await;
    assert_eq!(answer.status, 503);
    assert!(clock.now() >= Timestamp::from_seconds(92));
    assert_eq!(running.kernel.take_seen()[0].deadline, Timestamp::from_seconds(90));
}

#[tokio::test]
async fn an_idle_connection_is_kept_for_a_while_and_then_closed() {
    let (clock, kernel) = simulated();
    let running = start(kernel.clone(), Limits::default());
    let mut wire = Wire::open(running.address).await;
    for _ in 0..2 {
        wire.write("GET /v1/kv/a HTTP/1.1\r\nHost: h\r\n\r\n").await;
        assert_eq!(wire.answer().await.status, 200);
        settle().await;
        clock.advance(Duration::from_secs(299)).await;
    }
    let before = clock.now();
    assert!(pass_time(&clock, wire.rest()).await.is_empty());
    assert!(clock.now() > before);
}

#[tokio::test]
async fn connections_beyond_the_limit_wait() {
    let running = start(FakeKernel::obliging(), Limits { connections: 2, ..Limits::default() });
    let get = |path: &str| format!("GET /v1/{path} HTTP/1.1\r\nHost: h\r\n\r\n");
    let mut first = Wire::open(running.address).await;
    let mut second = Wire::open(running.address).await;
    for wire in [&mut first, &mut second] {
        wire.write(&get("early")).await;
        wire.answer().await;
    }
    let mut third = Wire::open(running.address).await;
    third.write(&get("late")).await;
    for wire in [&mut first, &mut second] {
        wire.write(&get("early")).await;
        wire.answer().await;
    }
    assert!(running.kernel.take_seen().iter().all(|request| request.path == "early"));
    drop(first);
    assert_eq!(third.answer().await.status, 200);
}

#[tokio::test]
async fn a_stalled_handful_of_big_bodies_does_not_stop_small_ones() {
    let limits = Limits { body_bytes: 1 << 20, buffered_bytes: 1 << 20, ..Limits::default() };
    let running = start(FakeKernel::obliging(), limits);
    let mut stalled = Vec::new();
    for _ in 0..4 {
        let mut wire = Wire::open(running.address).await;
        wire.write("POST /v1/kv/big HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n{").await;
        stalled.push(wire);
    }
    let answer = ask(running.address, "POST", "/v1/kv/small", "", "{\"a\":1}").await;
    assert_eq!(answer.status, 200);
    assert_eq!(running.kernel.take_seen()[0].path, "kv/small");
}

/// More of them than all room would hold if each had what it announces.
#[tokio::test]
async fn bodies_that_are_only_announced_keep_no_operator_waiting() {
    let limits = Limits { body_bytes: 1 << 20, buffered_bytes: 1 << 20, ..Limits::default() };
    let running = start(FakeKernel::obliging(), limits);
    let mut announced = Vec::new();
    for number in 0..500 {
        let path = if number % 2 == 0 { "sys/unseal" } else { "kv/a" };
        let mut wire = Wire::open(running.address).await;
        wire.write(&format!("PUT /v1/{path} HTTP/1.1\r\nHost: h\r\nContent-Length: 65536\r\n\r\n{{")).await;
        announced.push(wire);
    }
    for path in ["/v1/sys/unseal", "/v1/sys/seal"] {
        assert_eq!(ask(running.address, "PUT", path, "", "{\"reset\":true}").await.status, 200, "{path}");
    }
    assert_eq!(running.kernel.take_seen().len(), 2);
}

#[tokio::test]
async fn waiting_for_a_hundred_continue_saves_the_body() {
    let running = start(FakeKernel::obliging(), Limits::default());
    let post = "HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 7\r\n\r\n";
    let mut wire = Wire::open(running.address).await;
    wire.write(&format!("POST /v1/kv/a {post}")).await;
    assert_eq!(wire.answer().await.status, 100);
    wire.write("{\"a\":1}").await;
    assert_eq!(wire.answer().await.status, 200);
    let mut refused = Wire::open(running.address).await;
    refused.write(&format!("POST /v1/kv/a/ {post}")).await;
    assert_eq!(refused.answer().await.status, 400);
}
