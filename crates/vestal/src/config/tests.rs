//! Configuration as users write it: what is obeyed, what is said, what is refused.

use std::path::PathBuf;
use std::time::Duration;

use vestal_core::SealSettings;

use super::{Config, Storage};

fn read(text: &str) -> Result<Config, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("vestal.hcl");
    std::fs::write(&path, text).expect("written");
    Config::read(&[path]).map_err(|error| format!("{error:#}"))
}

const USUAL: &str = r#"
storage "sled" { path = "/var/lib/vestal" }
listener "tcp" { address = "127.0.0.1:8200" tls_disable = 1 }
"#;

#[test]
fn the_usual_file_is_obeyed() {
    let text = format!(
        "{USUAL}
        seal \"file\" {{ path = \"/etc/vestal/key\" }}
        audit \"file\" \"main\" {{ options {{ file_path = \"/var/log/a.log\" log_raw = false }} }}
        default_lease_ttl = \"1h\" max_lease_ttl = \"2h\"
        disable_mlock = true
        unsafe_allow_api_audit_creation = true"
    );
    let config = read(&text).unwrap();
    assert!(
        matches!(&config.storage, Storage::Sled { path, .. } if path == &PathBuf::from("/var/lib/vestal"))
    );
    assert_eq!(config.listeners[0].address.port(), 8200);
    assert!(!config.listeners[0].is_tls());
    assert_eq!(config.seal, SealSettings::File { path: "/etc/vestal/key".into() });
    assert_eq!(
        (config.audit[0].path.as_str(), config.audit[0].options["log_raw"].as_str()),
        ("main", "false")
    );
    assert_eq!((config.default_lease, config.max_lease), (Duration::from_hours(1), Duration::from_hours(2)));
    assert!(config.audit_anywhere && !config.lock_memory);
    assert!(config.notes.is_empty(), "{:?}", config.notes);
}

#[test]
fn json_says_the_same_and_backend_is_storage() {
    let config = read(
        r#"{"backend":{"sled":{"path":"/d"}},"listener":{"tcp":{"address":"127.0.0.1:1","tls_disable":"true"}},
            "api_addr":"http://x","disable_mlock":true}"#,
    )
    .unwrap();
    assert!(matches!(config.storage, Storage::Sled { .. }));
    assert_eq!(config.notes.len(), 1);
    assert!(config.notes[0].contains("`api_addr`") && config.notes[0].contains("no effect"));
}

#[test]
fn an_audit_stanza_reads_alike_in_both_languages() {
    let json = |audit: &str| {
        format!(
            r#"{{"storage":{{"inmem":{{}}}},"listener":{{"tcp":{{"tls_disable":true}}}},"audit":{audit}}}"#
        )
    };
    let hcl =
        |audit: &str| format!("storage \"inmem\" {{}}\nlistener \"tcp\" {{ tls_disable = true }}\n{audit}");
    for (text, path) in [
        (hcl("audit \"file\" \"main\" { options { file_path = \"/a\" } }"), "main"),
        (hcl("audit \"file\" { options { file_path = \"/a\" } }"), "file"),
        (json(r#"{"file":{"main":{"options":{"file_path":"/a"}}}}"#), "main"),
        (json(r#"{"file":{"main":{"description":"d","options":{"file_path":"/a"}}}}"#), "main"),
        (json(r#"{"file":{"options":{"file_path":"/a"}}}"#), "file"),
    ] {
        let config = read(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let stanza = &config.audit[0];
        assert_eq!(
            (stanza.kind.as_str(), stanza.path.as_str(), config.audit.len()),
            ("file", path, 1),
            "{text}"
        );
        assert_eq!(stanza.options["file_path"], "/a", "{text}");
        assert!(config.notes.is_empty(), "{text}: {:?}", config.notes);
    }
}

#[test]
fn keys_without_effect_and_unknown_keys_are_told_of() {
    let text = r#"
        storage "inmem" {}
        ui = true
        colour = "red"
        listener "tcp" {
          tls_disable = true
          disable_unauthed_rekey_endpoints = false
          adress = "x"
        }"#;
    let notes = read(text).unwrap().notes.join("\n");
    for expected in [
        "`ui` on line 3 is known and has no effect here",
        "`colour` on line 4 is not known",
        "`disable_unauthed_rekey_endpoints` on line 7 is known and has no effect here",
        "`adress` on line 8 is not known",
    ] {
        assert!(notes.contains(expected), "{expected}\n{notes}");
    }
}

#[test]
fn what_cannot_be_obeyed_is_refused_by_name_and_line() {
    let listener = "listener \"tcp\" { tls_disable = true }";
    for (text, expected) in [
        ("", "no storage stanza"),
        ("storage \"inmem\" {}", "no listener stanza"),
        (
            &format!("storage \"raft\" {{ path = \"x\" }}\n{listener}"),
            "must be `sled` (durable) or `inmem` (volatile)",
        ),
        (&format!("storage \"sled\" {{}}\n{listener}"), "needs `path`"),
        ("storage \"inmem\" {}\nlistener \"tcp\" {}", "needs `tls_cert_file` and `tls_key_file`"),
        ("storage \"inmem\" {}\nlistener \"unix\" {}", "must be `tcp`"),
        (&format!("storage \"inmem\" {{}}\nseal \"pkcs11\" {{}}\n{listener}"), "`seal` on line 2"),
        (
            &format!("storage \"inmem\" {{}}\nmax_lease_ttl = \"hunter2\"\n{listener}"),
            "`max_lease_ttl` on line 2",
        ),
        (&format!("{USUAL}\nstorage \"inmem\" {{}}"), "`storage` on line 5 is the second of its kind"),
        (&format!("{USUAL}\nbackend \"inmem\" {{}}"), "`backend` on line 5 is the second"),
        (
            &format!("{USUAL}\nseal \"shamir\" {{}}\nseal \"passphrase\" {{}}"),
            "`seal` on line 6 is the second",
        ),
        (
            &format!("{USUAL}\ndefault_lease_ttl = \"2h\"\nmax_lease_ttl = \"1h\""),
            "`default_lease_ttl` is longer",
        ),
        (&format!("{USUAL}\ndefault_lease_ttl = \"1000h\""), "`default_lease_ttl` is longer"),
        (&format!("{USUAL}\nmax_lease_ttl = -1"), "`max_lease_ttl` on line 5 must not be negative"),
        (&bounded("max_request_size = -1"), "`max_request_size` on line 2 must not be negative"),
        (&bounded("http_idle_timeout = \"-1s\""), "`http_idle_timeout` on line 2 must not be negative"),
        (&format!("storage \"inmem\" {{}}\nlog_format = \"xml\"\n{listener}"), "`log_format` on line 2"),
        ("storage \"inmem\" {", "cannot read"),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

/// A listener with one more key.
fn bounded(line: &str) -> String {
    format!("storage \"inmem\" {{}} listener \"tcp\" {{ tls_disable = true\n{line}\n}}")
}

#[test]
fn nought_asks_for_the_usual_bound() {
    let usual = read(&bounded("")).unwrap().listeners;
    for key in [
        "max_request_size",
        "max_request_json_memory",
        "max_request_json_strings",
        "max_request_duration",
        "http_read_header_timeout",
        "http_write_timeout",
        "http_idle_timeout",
    ] {
        assert_eq!(read(&bounded(&format!("{key} = 0"))).unwrap().listeners, usual, "{key}");
        assert_ne!(read(&bounded(&format!("{key} = 7"))).unwrap().listeners, usual, "{key}");
    }
    let leases = read(&format!("{USUAL}\ndefault_lease_ttl = 0\nmax_lease_ttl = \"0\"")).unwrap();
    assert_eq!(
        (leases.default_lease, leases.max_lease),
        (Duration::from_hours(768), Duration::from_hours(768))
    );
}

#[test]
fn addresses_are_hosts_and_ports() {
    for (text, expected) in [
        ("127.0.0.1:8200", "127.0.0.1:8200"),
        ("localhost:8200", "127.0.0.1:8200"),
        (":8200", "0.0.0.0:8200"),
        ("[::1]:8200", "[::1]:8200"),
    ] {
        assert_eq!(super::located(text).unwrap().unwrap().to_string(), expected);
    }
    assert!(super::located("localhost").is_err());
}

#[test]
fn several_files_add_up() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("1.hcl"), USUAL).unwrap();
    std::fs::write(folder.path().join("2.json"), r#"{"log_level":"debug"}"#).unwrap();
    std::fs::write(folder.path().join("note.txt"), "no configuration").unwrap();
    let config = Config::read(&[folder.path().to_owned()]).unwrap();
    assert_eq!(config.log_level.as_deref(), Some("debug"));
}

/// What guards access must not be left out with a note in the log.
#[test]
fn a_guard_that_is_not_built_is_refused() {
    for (text, named) in [
        (
            r#"listener "tcp" { tls_disable = true tls_require_and_verify_client_cert = true }"#,
            "tls_require_and_verify_client_cert",
        ),
        (r#"seal "file" { path = "/k" disabled = "true" }"#, "disabled"),
    ] {
        let error = read(&format!("{USUAL}\n{text}")).unwrap_err();
        assert!(error.contains(named) && error.contains("not supported"), "{error}");
    }
    let harmless = r#"listener "tcp" { tls_disable = true tls_require_and_verify_client_cert = false }"#;
    assert!(read(&format!("{USUAL}\n{harmless}")).is_ok());
}
