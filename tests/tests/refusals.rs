//! What cannot be served says why in one line and ends with an error; what can be mended is mended without being asked.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "everything here is a test")]

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use serde_json::json;
use tempfile::TempDir;
use vestal_e2e::server::{Keys, Server};
use vestal_e2e::{environment, http, process};

/// Starts a server that must refuse to start; answers the one line in which it says why.
fn refusal(config: &Path) -> String {
    let mut command = Command::new(environment::vestal());
    let said = process::say(command.arg("server").arg(format!("-config={}", config.display())));
    let err = said.failed(1);
    // The log stands on stderr as well; its lines begin with an instant.
    let reason: Vec<&str> = err.lines().filter(|line| !line.starts_with("20")).collect();
    assert_eq!(reason.len(), 1, "one line: {reason:?}");
    assert!(!err.contains("panicked"), "{reason:?}");
    reason.concat()
}

#[test]
fn what_cannot_be_started_says_why_in_one_line_and_ends_with_an_error() {
    let folder = TempDir::new().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let free = format!("127.0.0.1:{}", http::free_port());
    let listener =
        |address: &str| format!("listener \"tcp\" {{\n  address = \"{address}\"\n  tls_disable = true\n}}\n");
    let store = folder.path().join("store").display().to_string();
    let sled = format!("storage \"sled\" {{\n  path = \"{store}\"\n}}\n");
    let with_tls = "listener \"tcp\" {\n  tls_cert_file = \"/nowhere/cert.pem\"\n  tls_key_file = \"/nowhere/key.pem\"\n}\n";
    for (name, config, expected) in [
        ("a port in use", format!("storage \"inmem\" {{}}\n{}", listener(&taken)), taken.as_str()),
        (
            "another kind of storage",
            format!("storage \"raft\" {{}}\n{}", listener(&free)),
            "`sled` (durable) or `inmem`",
        ),
        ("no storage", listener(&free), "storage"),
        ("half a configuration", "storage \"sled\" {\n".to_owned(), "line 2"),
        (
            "a store that cannot be",
            format!("storage \"sled\" {{ path = \"/proc/no\" }}\n{}", listener(&free)),
            "/proc/no",
        ),
        ("no certificate", format!("storage \"inmem\" {{}}\n{with_tls}"), "/nowhere/cert.pem"),
        (
            "an address that cannot be read",
            format!("{sled}{}", listener("0.0.0.0:0 ")),
            "`address` on line 5 must be host:port",
        ),
    ] {
        let path = folder.path().join("vestal.hcl");
        std::fs::write(&path, config).unwrap();
        let reason = refusal(&path);
        assert!(reason.contains(expected), "{name}: {reason}");
    }
    let missing = refusal(&folder.path().join("missing.hcl"));
    assert!(missing.contains("missing.hcl"), "{missing}");
}

/// As in Vault: whoever says `tls_disable` gets it anywhere, and is told once that tokens travel unprotected.
#[test]
fn a_plain_listener_beyond_loopback_serves_and_is_warned_of() {
    let folder = TempDir::new().unwrap();
    let port = http::free_port();
    let beyond = format!("listener \"tcp\" {{\n  address = \"0.0.0.0:{port}\"\n  tls_disable = true\n}}\n");
    let mut server = Server::start_with(folder.path(), &beyond);
    assert!(http::ask("GET", &format!("http://127.0.0.1:{port}/v1/sys/health"), &[], None).is_some());
    server.stop();
    let config = std::fs::read_to_string(folder.path().join("vestal.hcl")).unwrap();
    let lines: Vec<&str> = config.lines().collect();
    let line = 1 + lines.iter().rposition(|line| line.starts_with("listener")).unwrap();
    let log = std::fs::read_to_string(server.log()).unwrap();
    let warnings: Vec<&str> = log.lines().filter(|line| line.contains("tokens travel unprotected")).collect();
    // The other listener is one of loopback.
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let expected = format!(
        "WARN vestal::server: configuration: the listener on line {line} speaks plain HTTP to the network"
    );
    assert!(warnings[0].contains(&expected), "{warnings:?}");
}

/// A server with a secret in it.
fn with_a_secret(folder: &Path) -> (Server, Keys) {
    let server = Server::start(folder);
    let keys = server.initialize();
    server.unseal(&keys);
    server.must(&keys.root_token, "POST", "sys/mounts/kv", &json!({ "type": "kv" }));
    for number in 0..200 {
        server.must(&keys.root_token, "PUT", &format!("kv/secret-{number}"), &json!({ "number": number }));
    }
    (server, keys)
}

fn has_everything(server: &Server, keys: &Keys) {
    server.unseal(keys);
    for number in 0..200 {
        let (status, answer) = server.call(&keys.root_token, "GET", &format!("kv/secret-{number}"), None);
        assert_eq!((status, &answer["data"]["number"]), (200, &json!(number)), "{answer}");
    }
}

/// Overwrites every file below a folder with noise of its own length.
fn fill_with_noise(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            fill_with_noise(&path);
        } else {
            let length = std::fs::metadata(&path).unwrap().len();
            let noise: Vec<u8> =
                (0..length).map(|place| u8::try_from((place * 7919 + place / 251) % 256).unwrap()).collect();
            std::fs::write(&path, noise).unwrap();
        }
    }
}

fn truncate_files(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            truncate_files(&path);
        } else {
            std::fs::write(&path, b"").unwrap();
        }
    }
}

#[test]
fn a_store_whose_sled_directory_is_deleted_truncated_or_noise_serves_everything_again() {
    let folder = TempDir::new().unwrap();
    let (mut server, keys) = with_a_secret(folder.path());
    let sled = server.store().join("sled");
    let harms: [(&str, &dyn Fn()); 3] = [
        ("deleted", &|| std::fs::remove_dir_all(&sled).unwrap()),
        ("truncated", &|| truncate_files(&sled)),
        ("filled with noise", &|| fill_with_noise(&sled)),
    ];
    for (name, harm) in harms {
        server.kill();
        assert!(sled.is_dir(), "before it is {name}");
        harm();
        server.restart();
        has_everything(&server, &keys);
    }
    server.stop();
}

#[test]
fn two_servers_cannot_share_a_store_and_a_damaged_log_is_named_not_guessed_at() {
    let folder = TempDir::new().unwrap();
    let (mut server, keys) = with_a_secret(folder.path());
    let config = folder.path().join("vestal.hcl");
    let second = folder.path().join("second.hcl");
    let text = std::fs::read_to_string(&config).unwrap();
    let address = server.address.trim_start_matches("http://");
    std::fs::write(&second, text.replace(address, &format!("127.0.0.1:{}", http::free_port()))).unwrap();
    let second = refusal(&second);
    assert!(second.contains("another process uses"), "{second}");
    has_everything(&server, &keys);

    server.kill();
    let mut segments: Vec<_> =
        std::fs::read_dir(server.store().join("wal")).unwrap().map(|entry| entry.unwrap().path()).collect();
    segments.sort();
    let segment = segments.first().unwrap();
    let mut bytes = std::fs::read(segment).unwrap();
    let middle = bytes.len() / 2;
    for byte in &mut bytes[middle..middle + 64] {
        *byte ^= 0x5a;
    }
    std::fs::write(segment, bytes).unwrap();
    std::fs::remove_dir_all(server.store().join("sled")).unwrap();
    let damaged = refusal(&config);
    let name = segment.file_name().unwrap().to_str().unwrap();
    assert!(damaged.contains(name), "names {name}: {damaged}");
}

#[test]
fn a_wrong_share_opens_nothing_and_says_so() {
    let folder = TempDir::new().unwrap();
    let (mut server, keys) = with_a_secret(folder.path());
    let other = TempDir::new().unwrap();
    let (mut stranger, strange) = with_a_secret(other.path());
    stranger.stop();
    server.kill();
    server.restart();

    let status = |share: &str| server.call("", "PUT", "sys/unseal", Some(&json!({ "key": share })));
    assert_eq!(status(&strange.shares[0]).0, 200, "one share says nothing yet");
    let (code, answer) = status(&strange.shares[1]);
    assert_eq!(code, 400, "{answer}");
    assert!(!answer["errors"][0].as_str().unwrap().contains(&strange.shares[1]), "{answer}");
    assert_eq!(server.call(&keys.root_token, "GET", "kv/secret-0", None).0, 503, "still sealed");
    has_everything(&server, &keys);
    server.stop();
}

#[test]
fn a_vault_that_cannot_unseal_itself_ends_with_the_reason() {
    let folder = TempDir::new().unwrap();
    let key = folder.path().join("seal.key");
    let seal = format!("seal \"file\" {{\n  path = \"{}\"\n}}\n", key.display());
    let mut server = Server::start_with(folder.path(), &seal);
    let root = server.initialize_unattended();
    server.kill();
    let right = std::fs::read(&key).unwrap();
    let config = folder.path().join("vestal.hcl");
    for (harm, expected) in [
        (Some("00".repeat(32)), "does not open this vault"),
        (Some("half a key".to_owned()), "64 hex digits"),
        (None, "cannot open the seal key file"),
    ] {
        match harm {
            Some(text) => std::fs::write(&key, text).unwrap(),
            None => std::fs::remove_file(&key).unwrap(),
        }
        let reason = refusal(&config);
        assert!(reason.contains(expected), "{reason}");
    }
    std::fs::write(&key, right).unwrap();
    server.restart();
    assert_eq!(server.call(&root, "GET", "auth/token/lookup-self", None).0, 200, "nothing was harmed");
    server.stop();
}
