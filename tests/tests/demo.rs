//! `vestal demo`, as somebody sees it who has just built it: what it prints works when pasted, and nothing stays behind.
#![expect(clippy::unwrap_used, clippy::panic, reason = "everything here is a test")]

use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use vestal_e2e::process::{self, Running};
use vestal_e2e::until::until;
use vestal_e2e::{environment, http};

/// A demonstration whose output is a file, in a home of its own.
struct Demo {
    running: Running,
    folder: TempDir,
    address: String,
}

impl Demo {
    fn start(arguments: &[&str]) -> Self {
        let folder = TempDir::with_prefix("vestal-demo-").unwrap();
        let address = format!("127.0.0.1:{}", http::free_port());
        for name in ["home", "tmp"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let mut command = Command::new(environment::vestal());
        command.arg("demo").args(arguments).args(["--listen", &address]);
        command.env("HOME", folder.path().join("home")).env("TMPDIR", folder.path().join("tmp"));
        let running = Running::start(&mut command, &folder.path().join("out"));
        Self { running, folder, address }
    }

    fn output(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("out")).unwrap()
    }

    /// The output, once a line of it starts so.
    fn shows(&mut self, start: &str) -> String {
        until(start, 60, || {
            let text = self.output();
            assert!(self.running.ended().is_none(), "the demonstration has ended: {text}");
            text.lines().any(|line| line.trim_start().starts_with(start)).then_some(text)
        })
    }

    /// Ctrl-C: it says so, ends well, and neither socket nor file is left.
    fn ends(self) {
        let Self { running, folder, address } = self;
        assert!(running.interrupt().success(), "Ctrl-C is a good end");
        let text = std::fs::read_to_string(folder.path().join("out")).unwrap();
        assert!(text.contains("Nothing is left behind"), "{text}");
        assert!(!text.contains('\u{1b}'), "a file is no terminal, so no escape codes: {text}");
        assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
        for name in ["home", "tmp"] {
            let left: Vec<_> = std::fs::read_dir(folder.path().join(name)).unwrap().collect();
            assert!(left.is_empty(), "left in {name}: {left:?}");
        }
    }
}

/// What a line prints that is pasted into a shell.
fn pasted(line: &str, home: &Path) -> String {
    process::say(Command::new("sh").args(["-c", line]).env("PATH", environment::path()).env("HOME", home))
        .ok()
}

/// The access token that stands in some output.
fn access_token(text: &str) -> &str {
    let start = text.find("demo_at_").unwrap_or_else(|| panic!("no access token in: {text}"));
    let rest = text.get(start..).unwrap();
    rest.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')).next().unwrap()
}

#[test]
fn the_demonstration_shows_a_token_being_kept_fresh_and_every_line_of_it_works_when_pasted() {
    let elsewhere = TempDir::new().unwrap();
    let mut demo = Demo::start(&[]);
    let text = demo.shows("token ");
    let lines: Vec<&str> = text.lines().filter(|line| line.contains("oauthapp/creds/jane")).collect();
    for tool in ["curl ", "bao ", "vestal ", "python3 "] {
        assert!(lines.iter().any(|line| line.contains(tool)), "no line for {tool}in: {text}");
    }
    let mut first = String::new();
    for line in &lines {
        let printed = pasted(line, elsewhere.path());
        first = access_token(&printed).to_owned();
    }

    until("a second refresh", 90, || demo.output().contains("refreshed 2 times").then_some(()));
    let line = lines.first().unwrap();
    assert_ne!(access_token(&pasted(line, elsewhere.path())), first, "kept fresh by itself");
    demo.ends();
}

#[test]
fn a_person_can_log_in_by_hand_in_the_demonstration() {
    let mut demo = Demo::start(&["--browser"]);
    let text = demo.shows("http://");
    let link = text.lines().map(str::trim).find(|line| line.contains("/authorize?")).unwrap();
    let seen = environment::agree(link);
    assert_ne!(seen["page"], "", "the browser ends at a page that says something");
    demo.shows("token ");
    demo.ends();
}
