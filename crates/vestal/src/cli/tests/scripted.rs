//! Behaviour of our own: where flags may stand, where secrets come from, what is retried.

use vestal_logical::TransportError;

use super::{Server, run_in};

const LOOKUP: &str = r#"{"request_id":"r","lease_id":"","lease_duration":0,"renewable":false,"data":{"accessor":"a","policies":["root"],"ttl":0,"renewable":false},"warnings":null}"#;
const DATA: &str = r#"{"request_id":"r","lease_id":"","lease_duration":0,"renewable":false,"data":{"access_token":"at"},"warnings":null}"#;

#[expect(clippy::unnecessary_wraps, reason = "answers may also be errors")]
fn ok(body: &str) -> Result<(u16, String), TransportError> {
    Ok((200, body.to_owned()))
}

#[test]
fn flags_may_stand_anywhere_behind_the_command() {
    for arguments in [
        ["read", "-field=access_token", "oauthapp/creds/a"],
        ["read", "oauthapp/creds/a", "-field=access_token"],
        ["read", "oauthapp/creds/a", "--field=access_token"],
    ] {
        let home = tempfile::tempdir().unwrap();
        let server = Server::answering([ok(DATA)]);
        let ran = run_in(home.path().to_owned(), &[], "", &server, &arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (0, "at"), "{arguments:?}");
        assert_eq!(server.requests()[0].url.as_str(), "http://127.0.0.1:8420/v1/oauthapp/creds/a");
    }
}

#[test]
fn a_login_is_kept_for_the_next_command_and_the_environment_wins_over_it() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::answering([ok(LOOKUP), ok(DATA), ok(DATA)]);
    let run = |environment: &[(&str, &str)], stdin: &str, arguments: &[&str]| {
        run_in(home.path().to_owned(), environment, stdin, &server, arguments)
    };
    assert_eq!(run(&[], "kept\n", &["login", "-"]).code, 0);
    assert_eq!(run(&[], "", &["read", "a/b"]).code, 0);
    let tokens = [("VAULT_TOKEN", "vault"), ("BAO_TOKEN", "bao"), ("VESTAL_TOKEN", "vestal")];
    assert_eq!(run(&tokens, "", &["read", "a/b"]).code, 0);
    let sent: Vec<_> =
        server.requests().iter().map(|request| request.headers["x-vault-token"].clone()).collect();
    assert_eq!(sent, ["kept", "kept", "vestal"]);
    assert!(sent.iter().all(http::HeaderValue::is_sensitive));
}

#[test]
fn what_a_server_cannot_take_is_sent_again_twice() {
    for (status, sent) in [(412, 3), (429, 3), (500, 3), (502, 3), (503, 3), (501, 1), (400, 1), (403, 1)] {
        let home = tempfile::tempdir().unwrap();
        let answers = (0..3).map(|_| Ok((status, r#"{"errors":["no"]}"#.to_owned())));
        let server = Server::answering(answers);
        let ran = run_in(home.path().to_owned(), &[], "", &server, &["write", "a/b", "c=d"]);
        assert_eq!((ran.code, server.requests().len()), (2, sent), "{status}");
    }
    let home = tempfile::tempdir().unwrap();
    let server = Server::answering([Ok((503, r#"{"errors":["no"]}"#.to_owned()))]);
    let ran = run_in(home.path().to_owned(), &[("VAULT_MAX_RETRIES", "0")], "", &server, &["read", "a/b"]);
    assert_eq!((ran.code, server.requests().len()), (2, 1));
}

#[test]
fn a_call_whose_fate_is_unknown_is_not_repeated() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::answering([Err(TransportError::Broken("cut".to_owned()))]);
    let ran = run_in(home.path().to_owned(), &[], "", &server, &["write", "a/b", "c=d"]);
    assert_eq!((ran.code, server.requests().len()), (2, 1));
}

#[test]
fn an_unseal_key_comes_from_standard_input_and_is_shown_nowhere() {
    let status = r#"{"type":"shamir","initialized":true,"sealed":false,"t":1,"n":1,"progress":0,"nonce":"","version":"1"}"#;
    for arguments in [vec!["operator", "unseal"], vec!["operator", "unseal", "-"]] {
        let home = tempfile::tempdir().unwrap();
        let server = Server::answering([ok(status), ok(r#"{"ha_enabled":false}"#)]);
        let ran = run_in(home.path().to_owned(), &[], "top-secret-share\n", &server, &arguments);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let body = String::from_utf8(server.requests()[0].body.expose().to_vec()).unwrap();
        assert!(body.contains(r#""key":"top-secret-share""#), "{body}");
        assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("top-secret-share"));
    }
}

#[test]
fn tokens_come_from_standard_input_wherever_a_dash_stands_for_one() {
    let cases: [&[&str]; 6] = [
        &["token", "lookup", "-"],
        &["token", "renew", "-"],
        &["token", "revoke", "-"],
        &["token", "capabilities", "-", "a/b"],
        &["token", "create", "-id", "-"],
        &["unwrap", "-"],
    ];
    let answer = r#"{"request_id":"r","data":{"capabilities":["read"]}}"#;
    for arguments in cases {
        let home = tempfile::tempdir().unwrap();
        let server = Server::answering([ok(answer)]);
        let token = [("VAULT_TOKEN", "own")];
        let ran = run_in(home.path().to_owned(), &token, "piped-token\n", &server, arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.stderr);
        let body = String::from_utf8(server.requests()[0].body.expose().to_vec()).unwrap();
        assert!(body.contains("\"piped-token\""), "{arguments:?}: {body}");
    }
}

#[test]
fn wrong_use_never_repeats_a_value() {
    let cases: [&[&str]; 6] = [
        &["write", "a/b", "s3cr3t"],
        &["write", "a/b", "-"],
        &["secrets", "enable", "-max-lease-ttl=s3cr3t", "kv"],
        &["kv", "put", "-cas=s3cr3t", "a/b", "c=d"],
        &["login", "s3cr3t", "s3cr3t"],
        &["unwrap", "s3cr3t", "s3cr3t"],
    ];
    for arguments in cases {
        let home = tempfile::tempdir().unwrap();
        let ran = run_in(home.path().to_owned(), &[], r#"{"a": s3cr3t}"#, &Server::default(), arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{arguments:?}");
        assert!(!ran.stderr.is_empty() && !ran.stderr.contains("s3cr3t"), "{arguments:?}: {}", ran.stderr);
    }
}

#[test]
fn a_server_with_a_passphrase_is_initialised_with_the_one_from_standard_input() {
    let sealed = r#"{"type":"passphrase","initialized":false,"sealed":true}"#;
    let made = r#"{"keys":[],"keys_base64":[],"root_token":"s.root"}"#;
    let home = tempfile::tempdir().unwrap();
    let server = Server::answering([ok(sealed), ok(made)]);
    let ran = run_in(home.path().to_owned(), &[], "long enough\n", &server, &["operator", "init"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("Initial Root Token: s.root"), "{}", ran.stdout);
    let body = String::from_utf8(server.requests()[1].body.expose().to_vec()).unwrap();
    assert!(body.contains(r#""passphrase":"long enough""#), "{body}");
}

#[test]
fn every_command_has_a_help_text_and_asks_nobody_for_it() {
    for arguments in [
        vec!["-help"],
        vec!["read", "-h"],
        vec!["kv", "metadata", "put", "--help"],
        vec!["operator", "-help"],
    ] {
        let home = tempfile::tempdir().unwrap();
        let ran = run_in(home.path().to_owned(), &[], "", &Server::default(), &arguments);
        assert_eq!(ran.code, 0);
        assert!(ran.stdout.contains("Usage:"), "{arguments:?}: {}", ran.stdout);
    }
}

#[test]
fn every_command_and_every_argument_is_explained() {
    fn check(command: &clap::Command) {
        let name = command.get_name();
        assert!(
            command.get_about().is_some_and(|about| !about.to_string().contains("how the server is reached")),
            "{name}"
        );
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some(), "{name} {}", argument.get_id());
        }
        command.get_subcommands().for_each(check);
    }
    use clap::CommandFactory as _;
    check(&super::super::CommandLine::command());
}

#[test]
fn a_group_without_a_known_command_is_wrong_use_and_only_an_unknown_command_is_127() {
    let cases: [(&[&str], u8); 7] = [
        (&["secrets"], 1),
        (&["secrets", "nosuch"], 1),
        (&["kv", "metadata"], 1),
        (&["kv", "metadata", "nosuch"], 1),
        (&["print"], 1),
        (&["nosuch"], 127),
        (&[], 127),
    ];
    for (arguments, code) in cases {
        let home = tempfile::tempdir().unwrap();
        let ran = run_in(home.path().to_owned(), &[], "", &Server::default(), arguments);
        assert_eq!(ran.code, code, "{arguments:?}");
        assert!(!ran.stderr.is_empty() && ran.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn settings_that_cannot_be_used_are_2_but_never_look_like_a_sealed_server() {
    let settings = [
        ("VAULT_CLIENT_TIMEOUT", "s3cr3t"),
        ("VAULT_MAX_RETRIES", "s3cr3t"),
        ("VAULT_SKIP_VERIFY", "s3cr3t"),
        ("VAULT_WRAP_TTL", "s3cr3t"),
        ("VAULT_ADDR", "s3cr3t"),
        ("VAULT_PROXY_ADDR", "s3cr3t"),
    ];
    for setting in settings {
        for (arguments, code) in [(["read", "a/b"].as_slice(), 2), (&["status"], 1)] {
            let home = tempfile::tempdir().unwrap();
            let ran = run_in(home.path().to_owned(), &[setting], "", &Server::default(), arguments);
            assert_eq!(ran.code, code, "{setting:?} {arguments:?}");
            assert!(!ran.stderr.is_empty() && !ran.stderr.contains("s3cr3t"), "{}", ran.stderr);
        }
    }
}

#[test]
fn a_time_limit_of_nought_is_none() {
    for (limit, expected) in [("0", None), ("5", Some(5))] {
        let home = tempfile::tempdir().unwrap();
        let server = Server::answering([ok(DATA)]);
        let limit = [("VAULT_CLIENT_TIMEOUT", limit)];
        assert_eq!(run_in(home.path().to_owned(), &limit, "", &server, &["read", "a/b"]).code, 0);
        assert_eq!(server.requests()[0].timeout, expected.map(std::time::Duration::from_secs));
    }
}

#[test]
fn what_an_error_warns_of_is_shown() {
    let home = tempfile::tempdir().unwrap();
    let answer = r#"{"request_id":"r","warnings":["use kv put"],"data":null}"#;
    let server = Server::answering([Ok((404, answer.to_owned()))]);
    let ran = run_in(home.path().to_owned(), &[], "", &server, &["write", "kv/a", "b=c"]);
    assert_eq!(ran.code, 2);
    let expected = "Code: 404. Errors:\n\n\nWARNING! The following warnings were returned from the server:\n\n  * use kv put\n";
    assert!(ran.stderr.contains(expected), "{}", ran.stderr);
}

#[test]
fn the_curl_command_is_the_request_proper_and_safe_to_paste() {
    let mount = r#"{"request_id":"r","data":{"path":"kv/","options":{"version":"2"}}}"#;
    let cases: [(&[&str], Vec<_>, &str); 3] = [
        (
            &["kv", "put", "-output-curl-string", "kv/a", "b=c"],
            vec![ok(mount)],
            "curl -X PUT -H \"x-vault-request: true\" -d '{\"data\":{\"b\":\"c\"},\"options\":{}}' \"http://127.0.0.1:8420/v1/kv/data/a\"\n",
        ),
        (
            &["read", "-output-curl-string", "kv/$(id)"],
            vec![],
            "curl -H \"x-vault-request: true\" \"http://127.0.0.1:8420/v1/kv/\\$(id)\"\n",
        ),
        (
            &["read", "-output-curl-string", "-header=a=`id`\"\\", "kv/a"],
            vec![],
            "curl -H \"a: \\`id\\`\\\"\\\\\" -H \"x-vault-request: true\" \"http://127.0.0.1:8420/v1/kv/a\"\n",
        ),
    ];
    for (arguments, answers, expected) in cases {
        let home = tempfile::tempdir().unwrap();
        let asked = answers.len();
        let server = Server::answering(answers);
        let ran = run_in(home.path().to_owned(), &[], "", &server, arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (0, expected), "{}", ran.stderr);
        assert_eq!(server.requests().len(), asked);
    }
}

#[test]
fn a_token_to_log_in_with_may_come_from_standard_input_or_a_file_by_its_name() {
    for argument in ["token=-", "token=@token.txt", "token=piped-token"] {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("token.txt"), "piped-token\n").unwrap();
        let server = Server::answering([ok(LOOKUP)]);
        let ran = run_in(home.path().to_owned(), &[], "piped-token\n", &server, &["login", argument]);
        assert_eq!(ran.code, 0, "{argument}: {}", ran.stderr);
        assert_eq!(server.requests()[0].headers["x-vault-token"], "piped-token");
    }
}

#[test]
fn a_login_warns_of_a_stronger_token_whatever_the_output() {
    for (arguments, warned) in [
        (&["login", "-format=json", "a"][..], "The VAULT_TOKEN environment"),
        (&["login", "-field=token", "a"], "The VAULT_TOKEN environment"),
        (&["login", "-no-print", "a"], "The VAULT_TOKEN environment"),
        (&["login", "-no-store", "-format=json", "a"], "The token was not kept"),
        (&["login", "-token-only", "a"], ""),
    ] {
        let home = tempfile::tempdir().unwrap();
        let token = [("VAULT_TOKEN", "own")];
        let ran = run_in(home.path().to_owned(), &token, "", &Server::answering([ok(LOOKUP)]), arguments);
        assert_eq!(ran.code, 0);
        assert!(ran.stderr.contains(warned) && ran.stderr.is_empty() == warned.is_empty(), "{}", ran.stderr);
    }
}

#[test]
fn one_field_of_the_status_and_the_details_of_a_list_are_shown_when_asked_for() {
    let status = r#"{"type":"shamir","initialized":true,"sealed":true}"#;
    let list = r#"{"request_id":"r","data":{"keys":["a","b"],"key_info":{"a":{"n":1,"x":"y"},"b":{"n":2}}}}"#;
    let table = "Keys    n    x\n----    -    -\na       1    y\nb       2    n/a\n";
    let cases: [(&[&str], _, u8, &str); 4] = [
        (&["status", "-field=type"], status, 2, "shamir"),
        (&["status", "-field=nosuch"], status, 1, ""),
        (&["list", "-detailed", "x"], list, 0, table),
        (&["list", "x"], list, 0, "Keys\n----\na\nb\n"),
    ];
    for (arguments, answer, code, stdout) in cases {
        let home = tempfile::tempdir().unwrap();
        let ran = run_in(home.path().to_owned(), &[], "", &Server::answering([ok(answer)]), arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (code, stdout), "{arguments:?}: {}", ran.stderr);
    }
}

#[test]
fn a_policy_without_rules_is_none() {
    let home = tempfile::tempdir().unwrap();
    let answer = r#"{"request_id":"r","data":{"name":"root","policy":""}}"#;
    let ran = run_in(
        home.path().to_owned(),
        &[],
        "",
        &Server::answering([ok(answer)]),
        &["policy", "read", "root"],
    );
    assert_eq!((ran.code, ran.stderr.as_str()), (2, "No policy named: root\n"));
}
