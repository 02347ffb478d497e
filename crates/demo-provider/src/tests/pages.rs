use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::{Seen, World, text, world};
use crate::Options;

async fn login_page(world: &World, redirect: &str, scope: &str) -> Seen {
    let query = [
        ("response_type", "code"),
        ("client_id", "demo-client"),
        ("redirect_uri", redirect),
        ("scope", scope),
    ];
    world.get("/authorize", &query).await
}

#[tokio::test]
async fn the_policy_allows_the_inline_parts_and_nothing_else() {
    let world = world(Options::default());
    let page = login_page(&world, "http://localhost:5000/cb", "a").await;
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none';"), "{policy}");
    let html = page.text();
    for (tag, directive) in [("style", "style-src"), ("script", "script-src")] {
        let (_, rest) = html.split_once(&format!("<{tag}>")).unwrap();
        let (inline, _) = rest.split_once(&format!("</{tag}>")).unwrap();
        let hash = STANDARD.encode(Sha256::digest(inline));
        assert!(policy.contains(&format!("{directive} 'sha256-{hash}'")), "{tag}");
    }
    for foreign in ["src=", "href=", "http-equiv", "style=\"", "onclick"] {
        assert!(!html.contains(foreign), "{foreign}");
    }
    assert_eq!(page.header("x-frame-options"), "DENY");
    assert_eq!(page.header("cache-control"), "no-store");
}

#[tokio::test]
async fn a_form_may_lead_to_the_clients_address() {
    let world = world(Options::default());
    for (redirect, source) in [
        ("http://localhost:5000/cb", "form-action 'self' http://localhost:5000;"),
        ("https://127.0.0.1/cb", "form-action 'self' https://127.0.0.1;"),
        ("http://[::1]:5000/cb", "form-action 'self' http:;"),
    ] {
        let page = login_page(&world, redirect, "a").await;
        assert!(page.header("content-security-policy").contains(source), "{redirect}");
    }
}

#[tokio::test]
async fn what_comes_from_outside_is_escaped() {
    let world = world(Options { person: "O'Hara <&\">".to_owned(), ..Options::default() });
    let html = login_page(&world, "http://localhost/", "<script>alert(1)</script> \"x").await.text();
    assert!(!html.contains("<script>alert"));
    assert!(html.contains("<code>&lt;script&gt;alert(1)&lt;/script&gt;</code>"));
    assert!(html.contains("value=\"O&#39;Hara &lt;&amp;&quot;&gt;\""));
}

#[tokio::test]
async fn whoever_types_a_name_is_that_person() {
    let world = world(Options::default());
    for (typed, name) in [("  Zoë O'Neil ", "Zoë O'Neil"), ("   ", "Jane Doe")] {
        let ticket = login_page(&world, "http://localhost:5000/callback", "a").await.ticket();
        let fields = [("ticket", ticket.as_str()), ("name", typed), ("decision", "allow")];
        let code = world.post("/authorize/decide", &fields).await.returned("code").unwrap();
        let tokens = world.exchange(&code, &[]).await.json();
        assert_eq!(text(&world.bearer("/me", text(&tokens, "access_token")).await.json(), "name"), name);
    }
}

#[tokio::test]
async fn a_form_without_a_decision_grants_nothing() {
    let world = world(Options::default());
    let ticket = login_page(&world, "http://localhost:5000/callback", "a").await.ticket();
    let answer = world.post("/authorize/decide", &[("ticket", &ticket)]).await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (400, ""));
}
