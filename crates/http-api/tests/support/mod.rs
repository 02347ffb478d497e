//! A kernel that remembers what it was asked and answers as it was told, and a client that sends any bytes.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use vestal_http_api::{Kernel, Limits, ListenerOptions, Server, TlsFiles};
use vestal_logical::testing::SimClock;
use vestal_logical::{Answer, Clock, Reply, Request, Response, SystemClock};

type Script = Box<dyn Fn(Request) -> BoxFuture<'static, Response> + Send + Sync>;

pub struct FakeKernel {
    clock: Arc<dyn Clock>,
    serial: AtomicU64,
    pub seen: Mutex<Vec<Request>>,
    script: Script,
}

impl FakeKernel {
    /// Answers everything with `{"ok":true}`.
    pub fn obliging() -> Arc<Self> {
        Self::scripted(Arc::new(SystemClock), |request| std::future::ready(ok(&request)).boxed())
    }

    pub fn scripted(
        clock: Arc<dyn Clock>,
        script: impl Fn(Request) -> BoxFuture<'static, Response> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { clock, serial: AtomicU64::new(0), seen: Mutex::default(), script: Box::new(script) })
    }

    pub fn take_seen(&self) -> Vec<Request> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

impl Kernel for FakeKernel {
    fn handle(&self, request: Request) -> BoxFuture<'static, Response> {
        self.seen.lock().unwrap().push(request.clone());
        (self.script)(request)
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    fn request_id(&self) -> String {
        format!("request-{}", self.serial.fetch_add(1, Ordering::Relaxed))
    }
}

pub fn ok(request: &Request) -> Response {
    Response {
        request_id: request.id.clone(),
        path: request.path.clone(),
        operation: request.operation,
        result: Ok(Answer::Open(Box::new(Reply::plain(serde_json::json!({"ok": true}))))),
    }
}

pub struct Running {
    pub address: SocketAddr,
    pub kernel: Arc<FakeKernel>,
    pub certificates: vestal_http_api::Certificates,
    end: Option<oneshot::Sender<()>>,
    pub server: JoinHandle<usize>,
}

impl Running {
    /// Begins the graceful end.
    pub fn end(&mut self) {
        self.end.take().unwrap().send(()).unwrap();
    }
}

pub const GRACE: Duration = Duration::from_secs(30);

pub fn start(kernel: Arc<FakeKernel>, limits: Limits) -> Running {
    start_with(kernel, limits, None)
}

pub fn start_with(kernel: Arc<FakeKernel>, limits: Limits, tls: Option<TlsFiles>) -> Running {
    let options = ListenerOptions { address: ([127, 0, 0, 1], 0).into(), tls, limits };
    let server = Server::bind(kernel.clone(), vec![options]).unwrap();
    let address = server.addresses().unwrap()[0];
    let certificates = server.certificates();
    let (end, ended) = oneshot::channel();
    let server = tokio::spawn(server.run(ended.map(|_| ()), GRACE));
    Running { address, kernel, certificates, end: Some(end), server }
}

/// What came back, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raw {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Raw {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> &str {
        str::from_utf8(&self.body).unwrap()
    }

    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head: String = bytes[..end].iter().map(|byte| char::from(*byte)).collect();
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Some(Self { status, headers, body: bytes[end + 4..].to_vec() })
    }
}

/// Sends bytes and reads to the end; what could not be sent because the server had enough does not matter.
pub async fn send(address: SocketAddr, bytes: &[u8]) -> Option<Raw> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let (mut reader, mut writer) = stream.split();
    let mut answer = Vec::new();
    let sending = async {
        let _ = writer.write_all(bytes).await;
    };
    let reading = async {
        let _ = reader.read_to_end(&mut answer).await;
    };
    futures::join!(sending, reading);
    Raw::parse(&answer)
}

/// A request on a connection of its own.
pub async fn ask(address: SocketAddr, method: &str, target: &str, headers: &str, body: &str) -> Raw {
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let request =
        format!("{method} {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{headers}{length}\r\n{body}");
    send(address, request.as_bytes()).await.unwrap()
}

/// Lets everything else run until `condition` holds, and fails when it does not within a minute.
pub async fn until(condition: impl Fn() -> bool) {
    let deadline = Deadline::new();
    while !condition() {
        deadline.hold();
        tokio::task::yield_now().await;
    }
}

/// Waits until nobody listens at an address any more.
pub async fn until_refused(address: SocketAddr) {
    let deadline = Deadline::new();
    while TcpStream::connect(address).await.is_ok() {
        deadline.hold();
        tokio::task::yield_now().await;
    }
}

/// A minute of real time, for what waits for sockets: long enough for any machine, and a regression fails instead of hanging.
struct Deadline(std::time::Instant);

impl Deadline {
    #[expect(clippy::disallowed_methods, reason = "sockets live in real time")]
    fn new() -> Self {
        Self(std::time::Instant::now())
    }

    fn hold(&self) {
        assert!(self.0.elapsed() < Duration::from_mins(1), "waited a minute in vain");
    }
}

/// A connection to which bytes are written one piece at a time.
pub struct Wire(pub TcpStream);

impl Wire {
    pub async fn open(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    pub async fn write(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// One answer of known length.
    pub async fn answer(&mut self) -> Raw {
        let mut bytes = Vec::new();
        loop {
            if let Some(raw) = Raw::parse(&bytes) {
                let length = raw.header("content-length").map_or(0, |length| length.parse().unwrap());
                if raw.body.len() >= length {
                    return raw;
                }
            }
            assert_ne!(self.0.read_buf(&mut bytes).await.unwrap(), 0, "the connection ended early");
        }
    }

    /// The head of an answer that has no body, whatever length it tells.
    pub async fn head(&mut self) -> Raw {
        let mut bytes = Vec::new();
        loop {
            if let Some(raw) = Raw::parse(&bytes) {
                return raw;
            }
            assert_ne!(self.0.read_buf(&mut bytes).await.unwrap(), 0, "the connection ended early");
        }
    }

    /// Everything up to the end.
    pub async fn rest(mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // A reset is an end, too.
        let _ = self.0.read_to_end(&mut bytes).await;
        bytes
    }
}

/// Moves simulated time on, second by second, until `task` has ended.
pub async fn pass_time<T: Send + 'static>(
    clock: &SimClock,
    task: impl Future<Output = T> + Send + 'static,
) -> T {
    let task = tokio::spawn(task);
    let deadline = Deadline::new();
    while !task.is_finished() {
        deadline.hold();
        clock.advance(Duration::from_secs(1)).await;
    }
    task.await.unwrap()
}
