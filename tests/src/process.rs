//! Other programs: those that run beside a test, and those that are run once and have something to say.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// A program that runs beside the test and ends with it, at the latest.
pub struct Running {
    child: Child,
}

impl Running {
    /// Starts a program whose output is appended to a file.
    pub fn start(command: &mut Command, log: &Path) -> Self {
        let log = OpenOptions::new().create(true).append(true).open(log).expect("a log can be opened");
        let errors: File = log.try_clone().expect("a log can be opened twice");
        let child = command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn();
        Self { child: child.unwrap_or_else(|error| panic!("cannot start {command:?}: {error}")) }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL: the program learns nothing of it.
    pub fn kill(mut self) {
        self.end();
    }

    /// SIGTERM, and what it made of it.
    pub fn terminate(self) -> ExitStatus {
        self.signal(Signal::TERM)
    }

    /// SIGINT, as Ctrl-C sends it, and what it made of it.
    pub fn interrupt(self) -> ExitStatus {
        self.signal(Signal::INT)
    }

    fn signal(mut self, signal: Signal) -> ExitStatus {
        kill_process(Pid::from_child(&self.child), signal).expect("a child can be told");
        self.child.wait().expect("a child can be waited for")
    }

    /// Whether it has ended by itself.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be asked")
    }

    fn end(&mut self) {
        // It may have ended already; that is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// What a program said, and how it ended.
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
    line: String,
}

impl Said {
    /// Its output, once it has ended well.
    pub fn ok(self) -> String {
        assert!(self.code == Some(0), "{}: {:?}\n{}\n{}", self.line, self.code, self.out, self.err);
        self.out
    }

    /// What it complained about, once it has ended with this code.
    pub fn failed(self, code: i32) -> String {
        assert!(self.code == Some(code), "{}: {:?}\n{}\n{}", self.line, self.code, self.out, self.err);
        self.err
    }
}

/// Runs a program to its end.
pub fn say(command: &mut Command) -> Said {
    say_to(command, "")
}

/// Runs a program to its end with something to read.
pub fn say_to(command: &mut Command, input: &str) -> Said {
    use std::io::Write;

    let line = format!("{command:?}");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {line}: {error}"));
    let mut stdin = child.stdin.take().expect("its input is a pipe");
    // A program need not read what it is given.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("a child can be waited for");
    Said {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
        line,
    }
}
