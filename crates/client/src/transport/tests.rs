//! What a failed call means, seen against sockets that misbehave in known ways.

use std::time::Duration;

use http::{HeaderMap, Method};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;
use vestal_crypto::SecretBytes;
use vestal_logical::{HttpTransport, OutboundRequest, OutboundResponse, TransportError};

use super::{Route, TlsOptions, Transport};

fn request(url: &str) -> OutboundRequest {
    OutboundRequest {
        method: Method::POST,
        url: Url::parse(url).unwrap(),
        headers: HeaderMap::new(),
        body: SecretBytes::new("refresh_token=once"),
        timeout: Some(Duration::from_secs(20)),
        max_answer: 64,
        reach_link_local: false,
    }
}

fn transport() -> Transport {
    Transport::direct().unwrap()
}

async fn call(request: OutboundRequest) -> Result<OutboundResponse, TransportError> {
    transport().send(request).await
}

/// Reads one request: its head, and the body its length announces.
async fn take_request(socket: &mut TcpStream) -> String {
    let mut seen = String::new();
    let mut piece = [0; 1024];
    while !seen.ends_with("refresh_token=once") {
        let read = socket.read(&mut piece).await.unwrap();
        assert_ne!(read, 0, "the connection closed after {seen:?}");
        seen.push_str(&String::from_utf8_lossy(&piece[..read]));
    }
    seen
}

/// Serves each connection with the next script; counts the requests that arrived.
async fn serve(answers: Vec<Vec<&'static str>>) -> (String, tokio::task::JoinHandle<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        let mut requests = 0;
        for connection in answers {
            let (mut socket, _) = listener.accept().await.unwrap();
            for answer in connection {
                take_request(&mut socket).await;
                requests += 1;
                socket.write_all(answer.as_bytes()).await.unwrap();
            }
        }
        requests
    });
    (url, task)
}

#[tokio::test]
async fn an_answer_comes_back_whole() {
    let (url, served) =
        serve(vec![vec!["HTTP/1.1 200 OK\r\nx-a: b\r\ncontent-length: 5\r\n\r\nhello"]]).await;
    let answer = call(request(&url)).await.unwrap();
    assert_eq!((answer.status, answer.body.expose()), (200, &b"hello"[..]));
    assert_eq!(answer.headers["x-a"], "b");
    assert_eq!(served.await.unwrap(), 1);
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let moved = "HTTP/1.1 307 Moved\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    let (url, served) = serve(vec![vec![moved]]).await;
    assert_eq!(call(request(&url)).await.unwrap().status, 307);
    assert_eq!(served.await.unwrap(), 1);
}

#[tokio::test]
async fn answers_past_the_bound_are_too_large_whether_or_not_they_say_so() {
    let long = "x".repeat(65);
    let announced = format!("HTTP/1.1 200 OK\r\ncontent-length: 65\r\n\r\n{long}");
    let chunked = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n41\r\n{long}\r\n0\r\n\r\n");
    let closing = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{long}");
    for answer in [announced, chunked, closing] {
        let (url, _served) = serve(vec![vec![&*answer.leak()]]).await;
        let error = call(request(&url)).await.unwrap_err();
        assert!(matches!(error, TransportError::TooLarge(_)), "{error:?}");
    }
}

#[tokio::test]
async fn a_closed_port_and_an_unknown_host_are_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = format!("http://{}/?code=secret", listener.local_addr().unwrap());
    drop(listener);
    for (url, phrase) in
        [(closed.as_str(), "connection refused"), ("http://nosuch.invalid/?code=secret", "no such host")]
    {
        let error = call(request(url)).await.unwrap_err();
        assert!(matches!(error, TransportError::NotSent(_)), "{error:?}");
        assert!(error.to_string().starts_with(phrase), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[tokio::test]
async fn tls_against_a_plain_server_is_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        let _ = socket.read(&mut [0; 1024]).await;
    });
    let error = call(request(&url)).await.unwrap_err();
    assert!(matches!(error, TransportError::NotSecured(_)), "{error:?}");
    assert!(error.to_string().starts_with("the server does not speak TLS"), "{error}");
}

#[tokio::test]
async fn a_server_that_hangs_up_instead_of_speaking_tls_was_sent_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.shutdown().await.unwrap();
        // Closing with something unread would reset.
        while socket.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {}
    });
    let error = call(request(&url)).await.unwrap_err();
    assert!(matches!(error, TransportError::NotSecured(_)), "{error:?}");
}

#[tokio::test]
async fn a_server_that_never_lets_a_request_begin_was_sent_nothing_when_the_time_is_over() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let held = tokio::spawn(async move { listener.accept().await.unwrap() });
    let mut silent = request(&url);
    silent.timeout = Some(Duration::from_millis(300));
    let error = call(silent).await.unwrap_err();
    assert!(matches!(error, TransportError::NotInTime(_)), "{error:?}");
    drop(held);
}

#[tokio::test]
async fn a_connection_that_is_reset_is_told_from_one_that_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        take_request(&mut socket).await;
        // Without time to linger, closing resets.
        socket.set_zero_linger().unwrap();
    });
    let error = call(request(&url)).await.unwrap_err();
    assert!(matches!(error, TransportError::Reset(_)), "{error:?}");
}

#[tokio::test]
async fn a_connection_that_dies_after_the_request_is_broken_and_the_request_is_not_repeated() {
    for half_an_answer in ["", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"] {
        let (url, served) = serve(vec![vec![half_an_answer]]).await;
        let error = call(request(&url)).await.unwrap_err();
        assert!(matches!(error, TransportError::Broken(_)), "{error:?}");
        assert_eq!(served.await.unwrap(), 1);
    }
}

#[tokio::test]
async fn a_pooled_connection_that_dies_under_a_second_request_breaks_it_and_does_not_repeat_it() {
    let good = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    // The second request arrives on the pooled connection, which then closes. A silent repetition would come
    // as a third request on the second connection.
    let (url, served) = serve(vec![vec![good, ""], vec![good]]).await;
    let transport = transport();
    assert_eq!(transport.send(request(&url)).await.unwrap().status, 200);
    let error = transport.send(request(&url)).await.unwrap_err();
    assert!(matches!(error, TransportError::Broken(_)), "{error:?}");
    assert_eq!(transport.send(request(&url)).await.unwrap().status, 200);
    assert_eq!(served.await.unwrap(), 3);
}

#[tokio::test]
async fn requests_share_a_connection_while_it_lives() {
    let good = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    let (url, served) = serve(vec![vec![good, good]]).await;
    let transport = transport();
    for _ in 0..2 {
        assert_eq!(transport.send(request(&url)).await.unwrap().status, 200);
    }
    assert_eq!(served.await.unwrap(), 2);
}

#[tokio::test]
async fn silence_after_the_request_is_a_time_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let held = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        take_request(&mut socket).await;
        socket
    });
    let mut silent = request(&url);
    silent.timeout = Some(Duration::from_millis(300));
    let error = call(silent).await.unwrap_err();
    assert!(matches!(error, TransportError::TimedOut(_)), "{error:?}");
    drop(held);
}

#[tokio::test]
async fn metadata_addresses_are_forbidden_before_anything_is_sent() {
    for url in [
        "http://169.254.169.254/latest",
        "http://2852039166/",
        "http://[::ffff:169.254.169.254]/",
        "http://[fe80::1]/",
        "http://metadata.google.internal/",
        "https://100.100.100.200/",
    ] {
        let error = call(request(url)).await.unwrap_err();
        assert!(matches!(error, TransportError::Forbidden(_)), "{url}: {error:?}");
    }
}

#[tokio::test]
async fn a_name_that_resolves_to_a_link_local_address_is_forbidden_by_what_it_resolves_to() {
    use reqwest::dns::Resolve;
    let resolver = |reach_link_local| super::resolver::Resolver {
        reach_link_local,
        // The only way to give a name an address without a name server of our own.
        server_name: Some(super::ServerName { name: "innocent".into(), host: "169.254.169.254".into() }),
    };
    let refused = resolver(false).resolve("innocent".parse().unwrap()).await;
    assert!(refused.err().unwrap().is::<super::resolver::ForbiddenAddress>());
    let mut reached = resolver(true).resolve("innocent".parse().unwrap()).await.ok().unwrap();
    assert_eq!(reached.next().unwrap().ip().to_string(), "169.254.169.254");
}

#[tokio::test]
async fn a_named_proxy_is_asked_but_not_for_names_that_are_forbidden() {
    let (proxy, served) = serve(vec![vec!["HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"]]).await;
    let aliased = TlsOptions {
        // The only way to give a name an address without a name server of our own.
        server_name: Some(super::ServerName { name: "innocent".into(), host: "169.254.169.254".into() }),
        ..TlsOptions::default()
    };
    let transport = Transport::with(&aliased, &Route::Through(proxy.parse().unwrap())).unwrap();
    for url in ["http://innocent/", "http://169.254.169.254/", "http://metadata.google.internal/"] {
        let error = transport.send(request(url)).await.unwrap_err();
        assert!(matches!(error, TransportError::Forbidden(_)), "{url}: {error:?}");
    }
    let answer = transport.send(request("http://nowhere.invalid/token")).await.unwrap();
    assert_eq!(answer.body.expose(), b"hello");
    assert_eq!(served.await.unwrap(), 1);
}

#[test]
fn tls_options_that_cannot_be_used_are_named() {
    let cases = [
        (
            TlsOptions { ca_cert: Some("/nonexistent/ca".into()), ..TlsOptions::default() },
            "CA file `/nonexistent/ca`",
        ),
        (TlsOptions { ca_path: Some("/nonexistent/dir".into()), ..TlsOptions::default() }, "CA directory"),
        (TlsOptions { client_cert: Some("/c".into()), ..TlsOptions::default() }, "without its key"),
        (TlsOptions { client_key: Some("/k".into()), ..TlsOptions::default() }, "without its certificate"),
        (
            TlsOptions { ca_cert: Some("/dev/null".into()), ..TlsOptions::default() },
            "holds no PEM certificate",
        ),
        (
            TlsOptions { ca_bytes: Some("no PEM".into()), ..TlsOptions::default() },
            "the text of CA certificates holds no PEM certificate",
        ),
    ];
    for (options, expected) in cases {
        let error = Transport::with(&options, &Route::Direct).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
