use std::time::Duration;

use super::{posted, text, two_clients, world};
use crate::{End, Options, Rotation};

#[tokio::test]
async fn only_a_live_access_token_opens_the_resource() {
    let world = world(Options::default());
    let tokens = world.connect().await;
    assert_eq!(world.bearer("/me", text(&tokens, "access_token")).await.status, 200);
    for wrong in [text(&tokens, "refresh_token"), "demo_at_guessed", ""] {
        assert_eq!(world.bearer("/me", wrong).await.status, 401, "{wrong}");
    }
    let bare = world.get("/me", &[]).await;
    assert_eq!(bare.status, 401);
    assert!(!bare.header("www-authenticate").contains("error"), "no token, so no error (RFC 6750, 3.1)");
}

#[tokio::test]
async fn introspection_says_which_token_it_is_and_whether_it_lives() {
    let world = world(Options { rotation: Rotation::Single, ..Options::default() });
    let tokens = world.connect().await;
    let second = world.refresh(text(&tokens, "refresh_token")).await.json();
    let access = world.call("/introspect", &[("token", text(&second, "access_token"))]).await.json();
    assert_eq!(
        (&access["active"], &access["serial"], &access["family"]),
        (&true.into(), &2.into(), &1.into())
    );
    assert_eq!((&access["client_id"], &access["exp"]), (&"demo-client".into(), &1_700_000_020.into()));
    let refresh = world.call("/introspect", &[("token", text(&second, "refresh_token"))]).await.json();
    assert_eq!((&refresh["active"], &refresh["token_type"]), (&true.into(), &"refresh_token".into()));
    for dead in [text(&tokens, "refresh_token"), "unknown"] {
        assert_eq!(world.call("/introspect", &[("token", dead)]).await.json()["active"], false);
    }
    world.pass(Duration::from_secs(20));
    let late = world.call("/introspect", &[("token", text(&second, "access_token"))]).await.json();
    assert_eq!(late["active"], false);
    assert_eq!(world.post("/introspect", &[("token", "x")]).await.error(), "invalid_client");
    assert_eq!(world.call("/introspect", &[]).await.error(), "invalid_request");
}

#[tokio::test]
async fn revoking_a_refresh_token_ends_its_family() {
    let world = world(Options::default());
    let (tokens, other) = (world.connect().await, world.connect().await);
    assert_eq!(world.call("/revoke", &[("token", text(&tokens, "refresh_token"))]).await.status, 200);
    assert_eq!(world.bearer("/me", text(&tokens, "access_token")).await.status, 401);
    assert_eq!(world.refresh(text(&tokens, "refresh_token")).await.error(), "invalid_grant");
    assert_eq!(world.refresh(text(&other, "refresh_token")).await.status, 200);
    let ended: Vec<_> = world.ledger().families.iter().map(|family| family.ended).collect();
    assert_eq!(ended, [Some(End::RevokedByClient), None]);
}

#[tokio::test]
async fn revoking_an_access_token_leaves_the_refresh_token() {
    let world = world(Options::default());
    let tokens = world.connect().await;
    assert_eq!(world.call("/revoke", &[("token", text(&tokens, "access_token"))]).await.status, 200);
    assert_eq!(world.bearer("/me", text(&tokens, "access_token")).await.status, 401);
    assert_eq!(world.refresh(text(&tokens, "refresh_token")).await.status, 200);
}

#[tokio::test]
async fn revocation_is_for_the_tokens_owner_and_forgives_the_unknown() {
    let world = world(two_clients());
    let tokens = world.connect().await;
    let stranger = [("client_id", "app"), ("token", text(&tokens, "refresh_token"))];
    assert_eq!(world.post("/revoke", &stranger).await.error(), "unauthorized_client");
    assert_eq!(world.call("/revoke", &[("token", "unknown")]).await.status, 200);
    assert_eq!(world.call("/revoke", &[]).await.error(), "invalid_request");
    let wrong = posted("/revoke", Some("demo-client:wrong"), &[("token", "x")]);
    assert_eq!(world.send(wrong).await.unwrap().status, 401);
    assert_eq!(world.refresh(text(&tokens, "refresh_token")).await.status, 200);
}
