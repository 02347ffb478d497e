//! TLS: what is spoken, what is refused, and how a certificate is exchanged while serving.

#![expect(clippy::unwrap_used, reason = "a test")]

mod support;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, version};
use rustls_pki_types::{CertificateDer, ServerName};
use support::{FakeKernel, Raw, Wire, ok, start_with, until};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use vestal_http_api::{Limits, ListenerOptions, MinTls, Server, TlsFiles};
use vestal_logical::testing::SimClock;

struct Pair {
    chain: String,
    key: String,
    der: CertificateDer<'static>,
}

fn pair() -> Pair {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    Pair { chain: made.cert.pem(), key: made.signing_key.serialize_pem(), der: made.cert.der().clone() }
}

fn put(directory: &TempDir, pair: &Pair) -> TlsFiles {
    let at = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    TlsFiles {
        certificate: at("chain.pem", &pair.chain),
        key: at("key.pem", &pair.key),
        min_version: MinTls::V12,
    }
}

/// Asks once, trusting only `pair`; the protocol that was agreed on, and the answer.
async fn ask(
    address: SocketAddr,
    pair: &Pair,
    alpn: &[&[u8]],
    versions: &[&'static SupportedProtocolVersion],
) -> std::io::Result<(Option<Vec<u8>>, Raw)> {
    let mut roots = RootCertStore::empty();
    roots.add(pair.der.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    let agreed = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
    stream.write_all(b"GET /v1/kv/a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok((agreed, Raw::parse(&answer).unwrap()))
}

const BOTH: &[&SupportedProtocolVersion] = &[&version::TLS12, &version::TLS13];

#[tokio::test]
async fn http_is_spoken_over_both_versions() {
    let (directory, pair) = (TempDir::new().unwrap(), pair());
    let running = start_with(FakeKernel::obliging(), Limits::default(), Some(put(&directory, &pair)));
    for versions in [&[&version::TLS12][..], &[&version::TLS13]] {
        let (agreed, answer) = ask(running.address, &pair, &[b"http/1.1"], versions).await.unwrap();
        assert_eq!((agreed.as_deref(), answer.status), (Some(&b"http/1.1"[..]), 200));
    }
}

#[tokio::test]
async fn http2_is_agreed_on_with_who_can() {
    let (directory, pair) = (TempDir::new().unwrap(), pair());
    let running = start_with(FakeKernel::obliging(), Limits::default(), Some(put(&directory, &pair)));
    let mut roots = RootCertStore::empty();
    roots.add(pair.der.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = TcpStream::connect(running.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let io = hyper_util::rt::TokioIo::new(stream);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::get("https://localhost/v1/kv/a")
        .body(http_body_util::Empty::<bytes::Bytes>::new())
        .unwrap();
    assert_eq!(sender.send_request(request).await.unwrap().status(), 200);
}

#[tokio::test]
async fn an_old_version_is_refused_where_a_newer_is_demanded() {
    let (directory, pair) = (TempDir::new().unwrap(), pair());
    let files = TlsFiles { min_version: MinTls::V13, ..put(&directory, &pair) };
    let running = start_with(FakeKernel::obliging(), Limits::default(), Some(files));
    assert!(ask(running.address, &pair, &[], &[&version::TLS12]).await.is_err());
    assert!(ask(running.address, &pair, &[], BOTH).await.is_ok());
}

#[tokio::test]
async fn a_new_pair_serves_from_the_next_connection_and_a_bad_one_changes_nothing() {
    let (directory, old, new) = (TempDir::new().unwrap(), pair(), pair());
    let files = put(&directory, &old);
    let running = start_with(FakeKernel::obliging(), Limits::default(), Some(files.clone()));
    ask(running.address, &old, &[], BOTH).await.unwrap();

    std::fs::write(&files.certificate, &new.chain).unwrap();
    let failures = running.certificates.reload();
    assert_eq!(failures.len(), 1);
    assert!(failures[0].to_string().contains("cannot be used"), "{}", failures[0]);
    std::fs::write(&files.certificate, "").unwrap();
    assert_eq!(running.certificates.reload().len(), 1);
    std::fs::remove_file(&files.certificate).unwrap();
    assert_eq!(running.certificates.reload().len(), 1);
    ask(running.address, &old, &[], BOTH).await.expect("the old pair still serves");

    put(&directory, &new);
    assert!(running.certificates.reload().is_empty());
    ask(running.address, &new, &[], BOTH).await.unwrap();
    assert!(ask(running.address, &old, &[], BOTH).await.is_err());
}

#[tokio::test]
async fn a_pair_that_cannot_serve_is_told_at_the_start() {
    let (directory, one, other) = (TempDir::new().unwrap(), pair(), pair());
    let start = |files: TlsFiles| {
        let options = ListenerOptions {
            address: ([127, 0, 0, 1], 0).into(),
            tls: Some(files),
            limits: Limits::default(),
        };
        Server::bind(FakeKernel::obliging(), vec![options]).err().map(|failure| failure.to_string())
    };
    let good = put(&directory, &one);
    assert_eq!(start(good.clone()), None);
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let missing = Path::new("/nonexistent/pem").to_path_buf();
    let table = [
        (
            TlsFiles { certificate: missing.clone(), ..good.clone() },
            "cannot read certificates from /nonexistent/pem",
        ),
        (TlsFiles { key: missing, ..good.clone() }, "cannot read a key from /nonexistent/pem"),
        (TlsFiles { certificate: file("none", "text"), ..good.clone() }, "there is none"),
        (TlsFiles { key: good.certificate.clone(), ..good.clone() }, "cannot read a key"),
        (TlsFiles { key: file("other", &other.key), ..good.clone() }, "cannot be used"),
    ];
    for (files, expected) in table {
        let failure = start(files).unwrap_or_default();
        assert!(failure.contains(expected), "{failure}");
        assert!(!failure.contains("PRIVATE"), "{failure}");
    }
}

#[tokio::test]
async fn who_forgot_the_s_is_told_so() {
    let (directory, pair) = (TempDir::new().unwrap(), pair());
    let running = start_with(FakeKernel::obliging(), Limits::default(), Some(put(&directory, &pair)));
    let mut wire = Wire::open(running.address).await;
    wire.write("GET /v1/sys/health HTTP/1.1\r\nHost: h\r\n\r\n").await;
    let answer = String::from_utf8(wire.rest().await).unwrap();
    assert!(answer.contains("Client sent an HTTP request to an HTTPS server."), "{answer}");
    assert!(running.kernel.take_seen().is_empty());
}

#[tokio::test]
async fn a_handshake_that_does_not_come_is_not_waited_for() {
    let (directory, pair) = (TempDir::new().unwrap(), pair());
    let clock = Arc::new(SimClock::default());
    let kernel = FakeKernel::scripted(clock.clone(), |request| std::future::ready(ok(&request)).boxed());
    let running =
        start_with(kernel, Limits { connections: 1, ..Limits::default() }, Some(put(&directory, &pair)));
    let silent = Wire::open(running.address).await;
    until(|| clock.next_wake().is_some()).await;
    clock.advance(Duration::from_secs(10)).await;
    assert!(silent.rest().await.is_empty());
    ask(running.address, &pair, &[], BOTH).await.expect("its place is free again");
}
