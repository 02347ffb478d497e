//! Who is asked when the environment names a proxy: a token is shown to nobody but its server.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

/// Answers every request with an empty secret, and takes down its first line.
fn listener() -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let seen = Arc::new(Mutex::new(Vec::new()));
    let taken = Arc::clone(&seen);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let lines = BufReader::new(stream.try_clone().expect("a handle")).lines();
            let head: Vec<String> =
                lines.map(|line| line.expect("text")).take_while(|line| !line.is_empty()).collect();
            taken.lock().expect("no panic").push(head[0].clone());
            let answer =
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 18\r\n\r\n{\"data\":{\"a\":\"b\"}}";
            stream.write_all(answer.as_bytes()).expect("taken");
        }
    });
    (address, seen)
}

fn vestal(variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    let home = tempfile::tempdir().expect("a home");
    let mut command = Command::new(env!("CARGO_BIN_EXE_vestal"));
    command.args(arguments).env_clear().env("HOME", home.path()).env("VAULT_TOKEN", "s.token");
    command.envs(variables.iter().copied()).output().expect("it runs")
}

#[test]
fn the_environments_proxy_is_left_aside_for_this_machine_and_asked_for_others() {
    let (server, at_server) = listener();
    let (proxy, at_proxy) = listener();
    let (server, proxy) = (format!("http://{server}"), format!("http://{proxy}"));
    let own = vestal(&[("HTTP_PROXY", &proxy), ("VAULT_ADDR", &server)], &["read", "a/b"]);
    assert!(own.status.success(), "{own:?}");
    assert_eq!(*at_server.lock().expect("no panic"), ["GET /v1/a/b HTTP/1.1"]);
    assert!(at_proxy.lock().expect("no panic").is_empty());
    let far = [("HTTP_PROXY", proxy.as_str()), ("VAULT_ADDR", "http://vault.invalid:8200")];
    assert!(vestal(&far, &["read", "a/b"]).status.success());
    assert_eq!(*at_proxy.lock().expect("no panic"), ["GET http://vault.invalid:8200/v1/a/b HTTP/1.1"]);
}

#[test]
fn a_proxy_that_was_named_for_this_program_is_asked_wherever_the_server_is() {
    let (proxy, at_proxy) = listener();
    let proxy = format!("http://{proxy}");
    let stronger = [("VAULT_PROXY_ADDR", proxy.as_str()), ("VAULT_HTTP_PROXY", "http://127.0.0.1:1")];
    let address = [("VAULT_ADDR", "http://127.0.0.1:1")];
    for named in [&stronger[..], &[("VAULT_HTTP_PROXY", proxy.as_str())]] {
        let ran = vestal(&[named, &address].concat(), &["read", "a/b"]);
        assert!(ran.status.success(), "{ran:?}");
    }
    assert_eq!(at_proxy.lock().expect("no panic").len(), 2);
}

#[test]
fn the_demonstration_needs_no_proxy() {
    let nowhere = [("HTTP_PROXY", "http://127.0.0.1:1"), ("ALL_PROXY", "http://127.0.0.1:1")];
    let ran = vestal(&nowhere, &["demo", "-listen=localhost:0", "-seconds=0"]);
    assert!(ran.status.success(), "{ran:?}");
}
