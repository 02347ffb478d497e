//! The binary: what it prints, how it ends. Unix only, for it is ended by signals.
#![cfg(unix)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

const BINARY: &str = env!("CARGO_BIN_EXE_vestal-demo-provider");

/// Ends the process when a test fails half-way.
struct Provider(Child);

impl Drop for Provider {
    fn drop(&mut self) {
        // It may have ended already, as it should.
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

#[test]
fn it_prints_its_address_serves_and_ends_cleanly_when_asked() {
    for signal in [Signal::INT, Signal::TERM] {
        let started = Command::new(BINARY).arg("--control").stdout(Stdio::piped()).spawn().unwrap();
        let mut provider = Provider(started);
        let mut first = String::new();
        BufReader::new(provider.0.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let address = first.trim_end().strip_prefix("http://").unwrap().to_owned();

        let mut stream = TcpStream::connect(&address).unwrap();
        stream.write_all(b"GET /_control/ledger HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("\"entries\":[]"), "{answer}");

        kill_process(Pid::from_child(&provider.0), signal).unwrap();
        assert!(provider.0.wait().unwrap().success(), "{signal:?}");
        assert!(TcpStream::connect(&address).is_err());
    }
}

#[test]
fn a_flag_it_does_not_know_ends_it_with_two() {
    let run = |flag| Command::new(BINARY).arg(flag).output().unwrap();
    let refused = run("--acess-ttl=5");
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--acess-ttl"));
    let helped = run("--help");
    assert_eq!(helped.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&helped.stdout).contains("--rotation"));
}
