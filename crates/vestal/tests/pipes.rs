//! The server keeps serving when nobody reads what it says any more.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

#[test]
fn a_reader_that_goes_away_ends_no_server() {
    let mut server = Command::new(env!("CARGO_BIN_EXE_vestal"))
        .args(["server", "-dev", "-dev-no-store-token", "-dev-listen-address=127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut said =
        BufReader::new(server.stdout.take().expect("a pipe")).lines().map(|line| line.expect("text"));
    let address = said.find_map(|line| Some(line.split_once("http://")?.1.trim_end_matches('\'').to_owned()));
    let address = address.expect("it says where it listens");
    drop((said, server.stderr.take()));

    let pid = Pid::from_child(&server);
    kill_process(pid, Signal::HUP).expect("it is alive");
    let mut connection = TcpStream::connect(address).expect("it listens");
    connection.write_all(b"GET /v1/sys/health HTTP/1.0\r\n\r\n").expect("sent");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("answered");
    assert!(answer.contains("200 OK"), "{answer}");
    kill_process(pid, Signal::TERM).expect("it is alive");
    assert_eq!(server.wait().expect("it ends").code(), Some(0));
}
