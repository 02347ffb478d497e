//! Whole commands, from arguments to exit code, against recorded and scripted servers.

mod advice;
mod recorded;
mod scripted;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Cursor, Write};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::HeaderMap;
use vestal_crypto::SecretBytes;
use vestal_logical::{Clock, HttpTransport, OutboundRequest, OutboundResponse, Timestamp, TransportError};

use super::environment::Environment;
use super::run;
use super::world::World;

/// What a server that is not there answers, one after the other.
type Answer = Result<(u16, String), TransportError>;

/// Takes requests down and answers from a script.
#[derive(Clone, Default)]
struct Server {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    requests: Arc<Mutex<Vec<OutboundRequest>>>,
}

impl Server {
    fn answering(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self { answers: Arc::new(Mutex::new(answers.into_iter().collect())), ..Self::default() }
    }

    fn requests(&self) -> Vec<OutboundRequest> {
        self.requests.lock().unwrap().clone()
    }
}

impl HttpTransport for Server {
    fn send(&self, request: OutboundRequest) -> BoxFuture<'static, Result<OutboundResponse, TransportError>> {
        let target = format!("{} {}", request.method, request.url);
        self.requests.lock().unwrap().push(request);
        let answer = self.answers.lock().unwrap().pop_front();
        let answer = answer.unwrap_or_else(|| panic!("no answer is left for {target}"));
        async move {
            let (status, body) = answer?;
            Ok(OutboundResponse { status, headers: HeaderMap::new(), body: SecretBytes::new(body) })
        }
        .boxed()
    }
}

/// Time stands still, and nobody waits.
struct NoWaiting;

impl Clock for NoWaiting {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(1_795_000_000)
    }

    fn sleep_until(&self, _: Timestamp) -> BoxFuture<'static, ()> {
        async {}.boxed()
    }
}

#[derive(Clone, Default)]
struct Written(Rc<RefCell<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Written {
    fn text(&self) -> String {
        String::from_utf8(self.0.borrow().clone()).unwrap()
    }
}

/// What a run left behind.
struct Ran {
    code: u8,
    stdout: String,
    stderr: String,
}

/// Runs a command. The directory is its home and where it looks for files.
fn run_in(
    directory: PathBuf,
    environment: &[(&str, &str)],
    stdin: &str,
    server: &Server,
    arguments: &[&str],
) -> Ran {
    let (stdout, stderr) = (Written::default(), Written::default());
    let home = directory.display().to_string();
    let mut variables = vec![("HOME", home.as_str()), ("VAULT_ADDR", "http://127.0.0.1:8420")];
    variables.extend_from_slice(environment);
    let network = server.clone();
    let mut world = World {
        environment: Environment::of(&variables),
        directory,
        stdin: Box::new(Cursor::new(stdin.to_owned().into_bytes())),
        stdin_is_terminal: false,
        stdout: Box::new(stdout.clone()),
        stdout_is_terminal: false,
        stderr: Box::new(stderr.clone()),
        ask: Box::new(|_| panic!("there is no terminal to ask on")),
        dial: Box::new(move |_, _| Ok(Arc::new(network.clone()))),
        clock: Arc::new(NoWaiting),
    };
    let given = std::iter::once("vestal").chain(arguments.iter().copied()).map(str::to_owned).collect();
    let code = run(given, &mut world);
    Ran { code, stdout: stdout.text(), stderr: stderr.text() }
}
