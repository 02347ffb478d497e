use std::time::Duration;

use super::{CALLBACK, Fields, posted, text, two_clients, world};
use crate::{End, Grant, Options, Outcome};

// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const PKCE: [(&str, &str); 2] = [("code_challenge", CHALLENGE), ("code_challenge_method", "S256")];

#[tokio::test]
async fn a_code_buys_tokens_that_work_until_they_expire() {
    let world = world(Options::default());
    let code = world.code(&[("scope", "spark:people_read spark:rooms_read")]).await;
    let bought = world.exchange(&code, &[]).await;
    assert_eq!(bought.header("cache-control"), "no-store");
    assert_eq!(bought.header("content-type"), "application/json");
    let tokens = bought.json();
    assert_eq!(text(&tokens, "token_type"), "Bearer");
    assert_eq!(text(&tokens, "scope"), "spark:people_read spark:rooms_read");
    assert_eq!(tokens["expires_in"], 20);
    assert!(text(&tokens, "access_token").starts_with("demo_at_"));
    assert!(text(&tokens, "refresh_token").starts_with("demo_rt_"));
    assert!(tokens.get("id_token").is_none(), "nobody asked for one");

    let token = text(&tokens, "access_token");
    world.pass(Duration::from_millis(19_999));
    assert_eq!(text(&world.bearer("/me", token).await.json(), "displayName"), "Jane Doe");
    world.pass(Duration::from_millis(1));
    let late = world.bearer("/me", token).await;
    assert_eq!(late.status, 401);
    assert!(late.header("www-authenticate").contains("invalid_token"));
}

#[tokio::test]
async fn a_code_that_comes_again_revokes_what_it_bought() {
    let world = world(Options::default());
    let code = world.code(&[]).await;
    let tokens = world.exchange(&code, &[]).await.json();
    let again = world.exchange(&code, &[]).await;
    assert_eq!((again.status.as_u16(), again.error().as_str()), (400, "invalid_grant"));
    assert_eq!(world.bearer("/me", text(&tokens, "access_token")).await.status, 401);
    assert_eq!(world.refresh(text(&tokens, "refresh_token")).await.error(), "invalid_grant");
    assert_eq!(world.ledger().family(1).unwrap().ended, Some(End::CodeReused));
}

#[tokio::test]
async fn a_code_is_refused_without_what_belongs_to_it() {
    let cases: &[(&str, Fields, Fields, u16, &str)] = &[
        ("verifier matches", &PKCE, &[("code_verifier", VERIFIER)], 200, ""),
        ("verifier differs", &PKCE, &[("code_verifier", CHALLENGE)], 400, "invalid_grant"),
        ("verifier missing", &PKCE, &[], 400, "invalid_grant"),
        ("verifier uninvited", &[], &[("code_verifier", VERIFIER)], 400, "invalid_grant"),
        ("no pkce at all", &[], &[], 200, ""),
    ];
    for (what, asked, sent, status, error) in cases {
        let world = world(Options::default());
        let code = world.code(asked).await;
        let answer = world.exchange(&code, sent).await;
        assert_eq!((answer.status.as_u16(), answer.error().as_str()), (*status, *error), "{what}");
    }
}

#[tokio::test]
async fn a_refused_exchange_leaves_the_code_for_its_owner() {
    let world = world(two_clients());
    let code = world.code(&[]).await;
    let grant = [("grant_type", "authorization_code"), ("code", code.as_str())];
    let attempts = [
        ("another client", None, vec![("client_id", "app"), ("redirect_uri", CALLBACK)]),
        (
            "another address",
            Some("demo-client:demo-secret"),
            vec![("redirect_uri", "http://localhost:5000/x")],
        ),
        ("no address", Some("demo-client:demo-secret"), vec![]),
    ];
    for (what, basic, extra) in attempts {
        let fields = [&grant[..], &extra[..]].concat();
        let answer = world.send(posted("/token", basic, &fields)).await.unwrap();
        assert_eq!(answer.error(), "invalid_grant", "{what}");
    }
    assert_eq!(world.exchange("demo_code_guessed", &[]).await.error(), "invalid_grant");
    assert_eq!(world.exchange(&code, &[]).await.status, 200);
}

#[tokio::test]
async fn a_code_expires() {
    let world = world(Options { code_life: Duration::from_secs(30), ..Options::default() });
    let (early, late) = (world.code(&[]).await, world.code(&[]).await);
    world.pass(Duration::from_millis(29_999));
    assert_eq!(world.exchange(&early, &[]).await.status, 200);
    world.pass(Duration::from_millis(1));
    assert_eq!(world.exchange(&late, &[]).await.error(), "invalid_grant");
}

#[tokio::test]
async fn a_public_client_gets_tokens_with_pkce_and_no_secret() {
    let world = world(Options { auto_approve: true, ..two_clients() });
    let mut query = vec![("response_type", "code"), ("client_id", "app"), ("redirect_uri", CALLBACK)];
    query.extend(PKCE);
    let code = world.get("/authorize", &query).await.returned("code").unwrap();
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", "app"),
        ("code", &code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let tokens = world.post("/token", &fields).await.json();
    let fields = [
        ("grant_type", "refresh_token"),
        ("client_id", "app"),
        ("refresh_token", text(&tokens, "refresh_token")),
    ];
    assert_eq!(world.post("/token", &fields).await.status, 200);
}

#[tokio::test]
async fn client_credentials_buy_an_access_token_and_nothing_else() {
    let world = world(two_clients());
    let tokens =
        world.call("/token", &[("grant_type", "client_credentials"), ("scope", "openid bots")]).await.json();
    assert!(tokens.get("refresh_token").is_none());
    assert!(tokens.get("id_token").is_none(), "no person agreed");
    assert_eq!(text(&tokens, "scope"), "openid bots");
    let me = world.bearer("/me", text(&tokens, "access_token")).await.json();
    assert_eq!(text(&me, "name"), "demo-client");
    let ledger = world.ledger();
    assert_eq!(ledger.entries[0].grant, Grant::ClientCredentials);
    assert_eq!(ledger.entries[0].outcome, Outcome::Issued { access: 1, refresh: None });

    let public = world.post("/token", &[("grant_type", "client_credentials"), ("client_id", "app")]).await;
    assert_eq!(public.error(), "unauthorized_client");
}
