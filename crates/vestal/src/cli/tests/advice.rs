//! What an error tells to do, on one line behind what happened.

use vestal_logical::TransportError;

use super::{Server, run_in};

#[test]
fn errors_say_what_to_do_next() {
    let refused = |text: &str| Err(TransportError::NotSent(text.to_owned()));
    let status = |status, error: &str| Ok((status, format!(r#"{{"errors":["{error}"]}}"#)));
    let none: &[(&str, &str)] = &[("VAULT_MAX_RETRIES", "0")];
    let token: &[(&str, &str)] = &[("VAULT_MAX_RETRIES", "0"), ("BAO_TOKEN", "t0k3n")];
    let cases = [
        (
            none,
            refused("connection refused (127.0.0.1)"),
            "Nothing listens at http://127.0.0.1:8420 (from VAULT_ADDR)",
        ),
        (
            none,
            refused("no such host (127.0.0.1)"),
            "Check the host name in http://127.0.0.1:8420 (from VAULT_ADDR)",
        ),
        (none, refused("the server does not speak TLS (127.0.0.1)"), "use an address with http://"),
        (none, refused("the server's certificate is not accepted (127.0.0.1)"), "-ca-cert or VESTAL_CACERT"),
        (none, status(403, "permission denied"), "No token is set: run `vestal login`"),
        (token, status(403, "permission denied"), "The token (from BAO_TOKEN) is not valid or its policies"),
        (none, status(503, "Vault is sealed"), "unseal it with `vestal operator unseal`"),
        (
            none,
            Ok((400, "Client sent an HTTP request to an HTTPS server.\n".to_owned())),
            "use an address with https://",
        ),
    ];
    for (environment, answer, advice) in cases {
        let home = tempfile::tempdir().unwrap();
        let ran =
            run_in(home.path().to_owned(), environment, "", &Server::answering([answer]), &["read", "a/b"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{advice}");
        let last = ran.stderr.trim_end().lines().next_back().unwrap();
        assert!(last.contains(advice), "{advice}: {}", ran.stderr);
        assert!(ran.stderr.starts_with("Error reading a/b: "), "{}", ran.stderr);
        assert!(!ran.stderr.contains("t0k3n"));
    }
}

#[test]
fn advice_accuses_nobody_who_may_be_innocent() {
    let denied = || Ok((403, r#"{"errors":["permission denied"]}"#.to_owned()));
    let certificate =
        || Err(TransportError::NotSent("the server's certificate is not accepted (127.0.0.1)".to_owned()));
    let cases: [(&[&str], Result<_, _>, &str); 5] = [
        (&["login", "other"], denied(), "What was given to log in with is not valid"),
        (
            &["login", "-method=userpass", "username=a", "password=b"],
            denied(),
            "What was given to log in with is not valid",
        ),
        (
            &["token", "lookup", "other"],
            denied(),
            "The token in the argument is not valid, or the one in use",
        ),
        (&["token", "lookup"], denied(), "The token (from BAO_TOKEN) is not valid"),
        (
            &["read", "-ca-cert=ca.pem", "a/b"],
            certificate(),
            "None of the named CA certificates vouches for it",
        ),
    ];
    for (arguments, answer, advice) in cases {
        let home = tempfile::tempdir().unwrap();
        let token = [("BAO_TOKEN", "t0k3n")];
        let ran = run_in(home.path().to_owned(), &token, "", &Server::answering([answer]), arguments);
        assert!(ran.stderr.trim_end().lines().next_back().unwrap().contains(advice), "{}", ran.stderr);
    }
}

#[test]
fn a_seal_that_is_not_ready_at_init_is_no_matter_of_unsealing() {
    let home = tempfile::tempdir().unwrap();
    let status = r#"{"type":"file","initialized":false,"sealed":true}"#.to_owned();
    let server =
        Server::answering([Ok((200, status)), Ok((503, r#"{"errors":["no key file"]}"#.to_owned()))]);
    let environment = [("VAULT_MAX_RETRIES", "0")];
    let ran = run_in(home.path().to_owned(), &environment, "", &server, &["operator", "init"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("no key file") && !ran.stderr.contains("unseal it with"), "{}", ran.stderr);
}
