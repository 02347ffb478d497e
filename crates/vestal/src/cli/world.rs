//! Everything outside a command: environment, files, streams, the network, the clock. Tests hand in their own.

use std::io::{self, IsTerminal as _, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use vestal_client::transport::{Route, TlsOptions, Transport};
use vestal_crypto::SecretString;
use vestal_logical::{Clock, HttpTransport, SystemClock};

use super::environment::Environment;

type Ask = Box<dyn FnMut(&str) -> io::Result<SecretString>>;
type Dial = Box<dyn Fn(&TlsOptions, &Route) -> Result<Arc<dyn HttpTransport>, String>>;

/// The outside.
pub(crate) struct World {
    pub(crate) environment: Environment,
    /// Where relative file names start.
    pub(crate) directory: PathBuf,
    pub(crate) stdin: Box<dyn Read>,
    pub(crate) stdin_is_terminal: bool,
    pub(crate) stdout: Box<dyn Write>,
    pub(crate) stdout_is_terminal: bool,
    pub(crate) stderr: Box<dyn Write>,
    /// Asks on the terminal, without echo.
    pub(crate) ask: Ask,
    /// Prepares the network.
    pub(crate) dial: Dial,
    pub(crate) clock: Arc<dyn Clock>,
}

impl World {
    /// The real one.
    pub(crate) fn of_process() -> Self {
        Self {
            environment: Environment::of_process(),
            directory: PathBuf::from("."),
            stdin: Box::new(io::stdin()),
            stdin_is_terminal: io::stdin().is_terminal(),
            stdout: Box::new(io::stdout()),
            stdout_is_terminal: io::stdout().is_terminal(),
            stderr: Box::new(io::stderr()),
            ask: Box::new(|question| rpassword::prompt_password(question).map(SecretString::from)),
            dial: Box::new(|tls, route| match Transport::with(tls, route) {
                Ok(transport) => Ok(Arc::new(transport)),
                Err(error) => Err(error.to_string()),
            }),
            clock: Arc::new(SystemClock),
        }
    }

    /// The file that keeps the token, when there is a home for it.
    pub(crate) fn token_file(&self) -> Option<PathBuf> {
        self.environment.plain("HOME").map(|home| super::token_file::location(Path::new(home)))
    }

    /// All of standard input.
    pub(crate) fn read_stdin(&mut self) -> io::Result<String> {
        let mut text = String::new();
        self.stdin.read_to_string(&mut text)?;
        Ok(text)
    }

    /// A secret from the terminal, or the first line of standard input when that is no terminal.
    pub(crate) fn secret(&mut self, question: &str) -> io::Result<SecretString> {
        if self.stdin_is_terminal {
            return (self.ask)(question);
        }
        let text = SecretString::from(self.read_stdin()?);
        Ok(SecretString::from(text.expose().lines().next().unwrap_or_default().trim()))
    }

    /// Writes lines to stdout. A reader that has gone away is no error: it has seen enough.
    pub(crate) fn out(&mut self, text: &str) {
        let _ = writeln!(self.stdout, "{text}");
    }

    /// Writes text to stdout as it is; on a terminal a line end follows.
    pub(crate) fn out_raw(&mut self, text: &str) {
        let _ = write!(self.stdout, "{text}");
        if self.stdout_is_terminal && !text.ends_with('\n') {
            let _ = writeln!(self.stdout);
        }
        let _ = self.stdout.flush();
    }

    /// Writes lines to stderr.
    pub(crate) fn err(&mut self, text: &str) {
        let _ = writeln!(self.stderr, "{text}");
    }
}
