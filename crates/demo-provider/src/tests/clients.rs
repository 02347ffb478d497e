use axum::body::Body;
use axum::http::Request;

use super::{Fields, form, posted, two_clients, world};
use crate::{Client, ClientAuth, Options};

const GRANT: (&str, &str) = ("grant_type", "client_credentials");

#[tokio::test]
async fn a_client_proves_itself_in_exactly_one_place() {
    let world = world(two_clients());
    let cases: &[(&str, Option<&str>, Fields, u16, &str)] = &[
        ("header", Some("demo-client:demo-secret"), &[], 200, ""),
        (
            "header and same id in body",
            Some("demo-client:demo-secret"),
            &[("client_id", "demo-client")],
            200,
            "",
        ),
        ("body", None, &[("client_id", "demo-client"), ("client_secret", "demo-secret")], 200, ""),
        ("nothing", None, &[], 401, "invalid_client"),
        ("id alone", None, &[("client_id", "demo-client")], 401, "invalid_client"),
        ("id alone in header", Some("demo-client:"), &[], 401, "invalid_client"),
        ("wrong secret", Some("demo-client:wrong"), &[], 401, "invalid_client"),
        ("unknown client", Some("nobody:demo-secret"), &[], 401, "invalid_client"),
        ("no colon", Some("demo-client"), &[], 401, "invalid_client"),
        (
            "both",
            Some("demo-client:demo-secret"),
            &[("client_secret", "demo-secret")],
            400,
            "invalid_request",
        ),
        ("two ids", Some("demo-client:demo-secret"), &[("client_id", "app")], 400, "invalid_request"),
    ];
    for (what, basic, extra, status, error) in cases {
        let answer = world.send(posted("/token", *basic, &[&[GRANT], *extra].concat())).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.error().as_str()), (*status, *error), "{what}");
        assert_eq!(answer.header("www-authenticate").is_empty(), *status != 401, "{what}");
    }
}

#[tokio::test]
async fn header_values_are_form_decoded() {
    let odd = Client::confidential("cli:ent & co", "p%20 ü+&=");
    let world = world(Options { clients: vec![odd], ..Options::default() });
    let encode = |value| form(&[("v", value)])[2..].to_owned();
    let pair = format!("{}:{}", encode("cli:ent & co"), encode("p%20 ü+&="));
    assert_eq!(world.send(posted("/token", Some(&pair), &[GRANT])).await.unwrap().status, 200);
}

#[tokio::test]
async fn any_of_several_secrets_opens() {
    let client =
        Client { secrets: vec!["old".to_owned(), "new".to_owned()], ..Client::confidential("c", "") };
    let world = world(Options { clients: vec![client], ..Options::default() });
    for (pair, status) in [("c:old", 200), ("c:new", 200), ("c:", 401), ("c:other", 401)] {
        assert_eq!(
            world.send(posted("/token", Some(pair), &[GRANT])).await.unwrap().status,
            status,
            "{pair}"
        );
    }
}

#[tokio::test]
async fn a_provider_may_take_one_form_of_authentication_only() {
    let world = world(Options::default());
    let header = || posted("/token", Some("demo-client:demo-secret"), &[GRANT]);
    let body = || {
        let fields = [GRANT, ("client_id", "demo-client"), ("client_secret", "demo-secret")];
        posted("/token", None, &fields)
    };
    for (accepted, by_header, by_body, method) in [
        (ClientAuth::Any, 200, 200, "client_secret_basic"),
        (ClientAuth::Header, 200, 401, "client_secret_basic"),
        (ClientAuth::Parameters, 401, 200, "client_secret_post"),
    ] {
        world.provider.control().set_client_auth(accepted);
        assert_eq!(world.send(header()).await.unwrap().status, by_header, "{accepted:?}");
        assert_eq!(world.send(body()).await.unwrap().status, by_body, "{accepted:?}");
        let discovered = world.get("/.well-known/openid-configuration", &[]).await.json();
        assert_eq!(discovered["token_endpoint_auth_methods_supported"][0], method);
    }
}

#[tokio::test]
async fn malformed_token_calls_are_refused_and_recorded() {
    let world = world(Options::default());
    let basic = Some("demo-client:demo-secret");
    let answers = [
        (posted("/token", basic, &[]), "invalid_request"),
        (posted("/token", basic, &[("grant_type", "")]), "invalid_request"),
        (posted("/token", basic, &[("grant_type", "password")]), "unsupported_grant_type"),
        (posted("/token", basic, &[GRANT, GRANT]), "invalid_request"),
        (posted("/token", basic, &[GRANT, ("scope", "a"), ("scope", "a")]), "invalid_request"),
    ];
    for (request, error) in answers {
        assert_eq!(world.send(request).await.unwrap().error(), error);
    }
    let json =
        Request::post("/token").header("content-type", "application/json").body(Body::from("{}")).unwrap();
    assert_eq!(world.send(json).await.unwrap().error(), "invalid_request");
    assert_eq!(world.ledger().totals.refused, 6);

    assert_eq!(world.get("/token", &[GRANT]).await.status, 405);
    let long = "x".repeat(70_000);
    assert_eq!(world.call("/token", &[("grant_type", &long)]).await.status, 413);
    assert_eq!(world.get("/nowhere", &[]).await.status, 404);
}

#[test]
fn a_client_shows_no_secret_when_printed() {
    assert!(!format!("{:?}", Client::demo()).contains("demo-secret"));
}
