//! What only a real connection can show. Every wait is for an event; a clock only ends those that would never end.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::form;
use crate::{Act, Alter, Delivery, DemoProvider, Endpoint, Fault, Options, Outcome, Rule, Running};

fn request(fields: &[(&str, &str)], more: &str) -> String {
    let body = form(fields);
    format!(
        "POST /token HTTP/1.1\r\nhost: x\r\nauthorization: Basic {}\r\n{more}\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        STANDARD.encode("demo-client:demo-secret"),
        body.len()
    )
}

const GRANT: &[(&str, &str)] = &[("grant_type", "client_credentials")];

/// Sends, and reads until the provider closes the connection.
async fn converse(address: SocketAddr, text: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

/// Lets the other side go on until a condition holds, and fails when it does not within a minute.
async fn until(condition: impl Fn() -> bool) {
    let start = began();
    while !condition() {
        tokio::task::yield_now().await;
        assert!(start.elapsed() < Duration::from_mins(1), "waited a minute in vain");
    }
}

#[expect(clippy::disallowed_methods, reason = "sockets live in real time")]
fn began() -> Instant {
    Instant::now()
}

async fn started(fault: Option<Fault>) -> Running {
    let running = DemoProvider::start(Options::default()).await.unwrap();
    if let Some(fault) = fault {
        running.control().inject(Rule::next(1, Endpoint::Token, fault));
    }
    running
}

#[tokio::test]
async fn it_answers_on_loopback_under_its_own_address() {
    let running = started(None).await;
    assert!(running.address().ip().is_loopback());
    assert_eq!(running.url("/token"), format!("http://{}/token", running.address()));
    let discovery = converse(
        running.address(),
        "GET /.well-known/openid-configuration HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    )
    .await;
    assert!(discovery.contains(&format!("\"issuer\":\"{}\"", running.base_url())));
    running.shutdown().await;
}

#[tokio::test]
async fn a_connection_serves_several_calls() {
    let running = started(None).await;
    let text = request(GRANT, "") + &request(GRANT, "connection: close\r\n");
    let answer = converse(running.address(), &text).await;
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 2);
}

#[tokio::test]
async fn a_dropped_connection_ends_without_a_byte() {
    for (fault, processed) in [(Fault::drop_before(), false), (Fault::drop_after(), true)] {
        let running = started(Some(fault)).await;
        assert_eq!(converse(running.address(), &request(GRANT, "")).await, "");
        let ledger = running.control().ledger();
        assert_eq!(ledger.entries[0].outcome != Outcome::NotProcessed, processed);
        assert_eq!(ledger.entries[0].delivery, Delivery::Lost);
    }
}

#[tokio::test]
async fn a_cut_off_answer_promises_more_than_it_sends() {
    let running = started(Some(Fault::alter(Alter::CutOff { keep_bytes: 20 }))).await;
    let answer = converse(running.address(), &request(GRANT, "")).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK"));
    let promised = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    assert!(promised.parse::<usize>().unwrap() > 20);
    assert_eq!(body, "{\"access_token\":\"dem");
}

#[tokio::test]
async fn a_truncated_answer_is_a_complete_message() {
    let running = started(Some(Fault::alter(Alter::Truncate { keep_bytes: 9 }))).await;
    let answer = converse(running.address(), &request(GRANT, "connection: close\r\n")).await;
    assert!(answer.to_lowercase().contains("content-length: 9\r\n"));
    assert!(answer.ends_with("\r\n\r\n{\"access_"));
}

#[tokio::test]
async fn a_caller_that_hangs_up_is_recorded_and_its_token_is_spent() {
    let running = started(None).await;
    let control = running.control();
    // The provider notices in its own time, so this goes on until it did before the answer was let go.
    let start = began();
    while control.ledger().totals.answers_lost == 0 {
        assert!(start.elapsed() < Duration::from_mins(1), "the provider never notices");
        control.inject(Rule::next(1, Endpoint::Token, Fault::after(Act::Hold)));
        let mut stream = TcpStream::connect(running.address()).await.unwrap();
        stream.write_all(request(GRANT, "").as_bytes()).await.unwrap();
        control.until_held(1).await;
        drop(stream);
        for _ in 0..500 {
            tokio::task::yield_now().await;
        }
        control.release();
        until(|| control.ledger().entries.last().unwrap().delivery != Delivery::Pending).await;
    }
    assert!(matches!(control.ledger().entries.last().unwrap().outcome, Outcome::Issued { .. }));
}

#[tokio::test]
async fn shutting_down_closes_everything_and_the_memory_stays() {
    let running = started(Some(Fault::hang())).await;
    let (address, provider) = (running.address(), running.provider().clone());
    let mut hanging = TcpStream::connect(address).await.unwrap();
    hanging.write_all(request(GRANT, "").as_bytes()).await.unwrap();
    until(|| provider.control().ledger().totals.not_processed > 0).await;
    let base_url = running.base_url().to_owned();
    running.shutdown().await;
    let mut rest = Vec::new();
    // Either way of ending is an end.
    let _closed = hanging.read_to_end(&mut rest).await;
    assert!(rest.is_empty());
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens");

    let again = provider.listen(address).await.unwrap();
    assert_eq!(again.base_url(), base_url);
    converse(address, &request(GRANT, "connection: close\r\n")).await;
    assert_eq!(again.control().ledger().totals.calls, 2);
    drop(again);
}
