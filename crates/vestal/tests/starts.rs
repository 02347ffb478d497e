//! How a server begins, and what it refuses to begin with.

#![expect(clippy::expect_used, reason = "a test")]

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};

fn vestal(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vestal"));
    command.args(arguments).env_clear();
    command
}

/// A configuration with its store in `folder`.
fn configure(folder: &Path, address: &str, more: &str) -> String {
    let (file, store) = (folder.join("vestal.hcl"), folder.join("store"));
    let text = format!(
        "storage \"sled\" {{ path = \"{}\" }}\nlistener \"tcp\" {{ address = \"{address}\" tls_disable = true }}\ndisable_mlock = true\n{more}",
        store.display()
    );
    std::fs::write(&file, text).expect("written");
    format!("-config={}", file.display())
}

/// Starts a server and tells where it listens.
fn start(config: &str) -> (Child, String) {
    let mut server = vestal(&["server", config]).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut lines =
        BufReader::new(server.stdout.as_mut().expect("a pipe")).lines().map(|line| line.expect("text"));
    let address = lines.find_map(|line| Some(line.split_once("addr: \"")?.1.split_once('"')?.0.to_owned()));
    let started = lines.any(|line| line.contains("server started"));
    assert!(started);
    (server, address.expect("it says where it listens"))
}

fn stop(mut server: Child) {
    kill_process(Pid::from_child(&server), Signal::TERM).expect("it is alive");
    assert_eq!(server.wait().expect("it ends").code(), Some(0));
}

fn refused(config: &str) -> String {
    let Output { status, stderr, .. } = vestal(&["server", config]).output().expect("it runs");
    assert_eq!(status.code(), Some(1));
    String::from_utf8(stderr).expect("text")
}

#[test]
fn a_port_that_is_taken_is_told_before_a_store_is_made() {
    let folder = tempfile::tempdir().expect("a folder");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let said = refused(&configure(folder.path(), &address, ""));
    assert!(said.contains(&format!("cannot listen on {address}")), "{said}");
    assert!(!folder.path().join("store").exists());
}

#[test]
fn a_vault_does_not_go_on_under_another_seal_than_the_configuration_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let (server, address) = start(&configure(folder.path(), "127.0.0.1:0", ""));
    let address = format!("-address=http://{address}");
    let made = vestal(&["operator", "init", &address]).output().expect("it runs");
    assert!(made.status.success(), "{made:?}");
    stop(server);
    let said = refused(&configure(folder.path(), "127.0.0.1:0", "seal \"passphrase\" {}"));
    assert!(said.contains("initialised with the seal `shamir`") && said.contains("`passphrase`"), "{said}");
    let (server, _) = start(&configure(folder.path(), "127.0.0.1:0", ""));
    stop(server);
}

#[test]
fn a_root_token_of_development_that_cannot_be_one_is_told_with_its_flag() {
    let flags = [
        "server",
        "-dev",
        "-dev-no-store-token",
        "-dev-listen-address=localhost:0",
        "-dev-root-token-id=s3.cr3t",
    ];
    let Output { status, stderr, .. } = vestal(&flags).output().expect("it runs");
    let said = String::from_utf8(stderr).expect("text");
    assert_eq!(status.code(), Some(1));
    assert!(said.contains("-dev-root-token-id") && !said.contains("s3.cr3t"), "{said}");
}

#[test]
fn a_word_that_is_no_log_level_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = configure(folder.path(), "127.0.0.1:0", "log_level = \"bogus\"");
    assert!(refused(&config).contains("the levels are trace"));
    let mut from_environment = vestal(&["server", &configure(folder.path(), "127.0.0.1:0", "")]);
    let ran = from_environment.env("VAULT_LOG_LEVEL", "bogus").output().expect("it runs");
    assert_eq!(ran.status.code(), Some(1));
}
