use std::time::Duration;

use super::{CALLBACK, Fields, two_clients, world};
use crate::{Client, Options, Redirects};

const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

#[tokio::test]
async fn a_person_who_agrees_is_sent_back_with_a_code_the_state_and_the_issuer() {
    let world = world(Options::default());
    let asked = [
        ("response_type", "code"),
        ("client_id", "demo-client"),
        ("redirect_uri", "http://localhost:5000/callback?keep=1"),
        ("state", "a&b=c d"),
    ];
    let ticket = world.get("/authorize", &asked).await.ticket();
    let answer = world.post("/authorize/decide", &[("ticket", &ticket), ("decision", "allow")]).await;
    assert_eq!(answer.status, 303);
    assert!(answer.header("location").starts_with("http://localhost:5000/callback?keep=1&code=demo_code_"));
    assert_eq!(answer.returned("state").as_deref(), Some("a&b=c d"));
    assert_eq!(answer.returned("iss").as_deref(), Some("http://provider.test"));
}

#[tokio::test]
async fn a_person_who_denies_is_sent_back_with_access_denied() {
    let world = world(Options::default());
    let asked =
        [("response_type", "code"), ("client_id", "demo-client"), ("redirect_uri", CALLBACK), ("state", "s")];
    let ticket = world.get("/authorize", &asked).await.ticket();
    let answer = world.post("/authorize/decide", &[("ticket", &ticket), ("decision", "deny")]).await;
    assert_eq!(answer.returned("error").as_deref(), Some("access_denied"));
    assert_eq!(answer.returned("state").as_deref(), Some("s"));
    assert_eq!(answer.returned("code"), None);
}

#[tokio::test]
async fn with_auto_approve_the_redirect_comes_at_once() {
    let world = world(Options { auto_approve: true, ..Options::default() });
    let asked = [("response_type", "code"), ("client_id", "demo-client"), ("redirect_uri", CALLBACK)];
    let answer = world.get("/authorize", &asked).await;
    assert!(answer.returned("code").is_some());
    world.provider.control().set_auto_approve(false);
    assert_eq!(world.get("/authorize", &asked).await.status, 200);
}

#[tokio::test]
async fn a_login_is_answered_once_and_not_after_ten_minutes() {
    let world = world(Options::default());
    let asked = [("response_type", "code"), ("client_id", "demo-client"), ("redirect_uri", CALLBACK)];
    let ticket = world.get("/authorize", &asked).await.ticket();
    let fields = [("ticket", ticket.as_str()), ("decision", "allow")];
    assert_eq!(world.post("/authorize/decide", &fields).await.status, 303);
    assert_eq!(world.post("/authorize/decide", &fields).await.status, 400);

    let ticket = world.get("/authorize", &asked).await.ticket();
    world.pass(Duration::from_mins(10));
    let late = world.post("/authorize/decide", &[("ticket", &ticket), ("decision", "allow")]).await;
    assert_eq!(late.status, 400);
    assert_eq!(late.header("location"), "");
}

#[tokio::test]
async fn mistakes_of_a_known_client_are_reported_to_its_address() {
    let world = world(two_clients());
    let cases: &[(&str, Fields, &str)] = &[
        ("demo-client", &[], "invalid_request"),
        ("demo-client", &[("response_type", "token")], "unsupported_response_type"),
        ("demo-client", &[("response_type", "code"), ("response_mode", "form_post")], "invalid_request"),
        ("demo-client", &[("response_type", "code"), ("code_challenge", CHALLENGE)], "invalid_request"),
        (
            "demo-client",
            &[("response_type", "code"), ("code_challenge", CHALLENGE), ("code_challenge_method", "plain")],
            "invalid_request",
        ),
        (
            "demo-client",
            &[("response_type", "code"), ("code_challenge", "short"), ("code_challenge_method", "S256")],
            "invalid_request",
        ),
        ("demo-client", &[("response_type", "code"), ("code_challenge_method", "S256")], "invalid_request"),
        ("demo-client", &[("response_type", "code"), ("prompt", "none")], "login_required"),
        ("app", &[("response_type", "code")], "invalid_request"),
    ];
    for (client, extra, error) in cases {
        let mut query = vec![("client_id", *client), ("redirect_uri", CALLBACK), ("state", "s")];
        query.extend_from_slice(extra);
        let answer = world.get("/authorize", &query).await;
        assert_eq!(answer.returned("error").as_deref(), Some(*error), "{client} {extra:?}");
        assert_eq!(answer.returned("state").as_deref(), Some("s"), "{client} {extra:?}");
    }
}

#[tokio::test]
async fn nobody_is_sent_to_an_address_that_is_not_the_clients() {
    let below = |root: &str| Redirects::Below(vec![root.to_owned()]);
    let named = |id: &str, redirects| Client { redirects, ..Client::confidential(id, "x") };
    let world = world(Options {
        clients: vec![
            Client::demo(),
            named("web", below("https://app.example/cb")),
            named("folder", below("https://app.example/cb/")),
            named("native", below("com.example.app:/back")),
        ],
        ..Options::default()
    });
    let cases = [
        ("demo-client", "http://127.0.0.1:9/x", true),
        ("demo-client", "http://[::1]:9/x", true),
        ("demo-client", "https://app.localhost/x", true),
        ("demo-client", "http://localhost.evil.example/", false),
        ("demo-client", "http://localhost@evil.example/", false),
        ("demo-client", "http://localhost:5000/#fragment", false),
        ("demo-client", "ftp://localhost/", false),
        ("demo-client", "javascript:alert(1)", false),
        ("demo-client", "/callback", false),
        ("web", "https://app.example/cb", true),
        ("web", "https://app.example/cb?x=1", true),
        ("web", "https://app.example/cb/more", true),
        ("web", "https://app.example/cbx", false),
        ("web", "https://app.example/cb/../other", false),
        ("web", "https://app.example:444/cb", false),
        ("web", "http://app.example/cb", false),
        ("web", "https://user@app.example/cb", false),
        ("folder", "https://app.example/cb/deep", true),
        ("folder", "https://app.example/cb", false),
        ("native", "com.example.app:/back", true),
        ("native", "com.example.other:/back", false),
    ];
    for (client, redirect, allowed) in cases {
        let query = [("response_type", "code"), ("client_id", client), ("redirect_uri", redirect)];
        let answer = world.get("/authorize", &query).await;
        assert_eq!(answer.status, if allowed { 200 } else { 400 }, "{client} {redirect}");
        assert_eq!(answer.header("location"), "", "{client} {redirect}");
    }
}

#[tokio::test]
async fn a_request_that_names_no_address_goes_to_the_only_registered_one() {
    let only = Redirects::Below(vec!["https://app.example/cb".to_owned()]);
    let web = Client { redirects: only, ..Client::confidential("demo-client", "demo-secret") };
    let world = world(Options { clients: vec![web], auto_approve: true, ..Options::default() });
    let answer = world.get("/authorize", &[("response_type", "code"), ("client_id", "demo-client")]).await;
    assert!(answer.header("location").starts_with("https://app.example/cb?code="));
    let code = answer.returned("code").unwrap();
    // Left out there, so it may be left out here (RFC 6749, section 4.1.3).
    let bought = world.call("/token", &[("grant_type", "authorization_code"), ("code", &code)]).await;
    assert_eq!(bought.status, 200);
}

#[tokio::test]
async fn unknown_clients_and_repeated_parameters_get_a_page_not_a_redirect() {
    let world = world(Options::default());
    let base = [("response_type", "code"), ("redirect_uri", CALLBACK)];
    for extra in [
        vec![],
        vec![("client_id", "nobody")],
        vec![("client_id", "demo-client"), ("client_id", "demo-client")],
        vec![("client_id", "demo-client"), ("state", "a"), ("state", "b")],
    ] {
        let answer = world.get("/authorize", &[&base[..], &extra[..]].concat()).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (400, ""), "{extra:?}");
    }
    let no_address = [("response_type", "code"), ("client_id", "demo-client")];
    assert_eq!(world.get("/authorize", &no_address).await.status, 400);
}
