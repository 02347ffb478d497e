use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::{World, text, world};
use crate::{IdTokenAlgorithm, Options};

fn decoded(part: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(part).unwrap()
}

/// Header and claims, once the signature was checked with the published key.
async fn verified(world: &World, token: &str) -> (Value, Value) {
    let (message, signature) = token.rsplit_once('.').unwrap();
    let (head, claims) = message.split_once('.').unwrap();
    let head: Value = serde_json::from_slice(&decoded(head)).unwrap();
    let jwks = world.get("/jwks", &[]).await.json();
    let key = &jwks["keys"][0];
    assert_eq!((&key["kid"], &key["alg"], &key["use"]), (&head["kid"], &head["alg"], &"sig".into()));
    let (message, signature) = (message.as_bytes(), decoded(signature));
    let field = |name| decoded(text(key, name));
    if text(key, "kty") == "EC" {
        let point = [vec![4], field("x"), field("y")].concat();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, &signature).unwrap();
    } else {
        let public = RsaPublicKeyComponents { n: field("n"), e: field("e") };
        public.verify(&RSA_PKCS1_2048_8192_SHA256, message, &signature).unwrap();
    }
    (head, serde_json::from_slice(&decoded(claims)).unwrap())
}

#[tokio::test]
async fn an_id_token_is_signed_with_the_published_key_and_says_who_agreed() {
    for (algorithm, name) in [(IdTokenAlgorithm::Es256, "ES256"), (IdTokenAlgorithm::Rs256, "RS256")] {
        let world = world(Options { id_token_algorithm: algorithm, ..Options::default() });
        let code = world.code(&[("scope", "openid email"), ("nonce", "n-0S6")]).await;
        let tokens = world.exchange(&code, &[]).await.json();
        let (head, claims) = verified(&world, text(&tokens, "id_token")).await;
        assert_eq!(head["alg"], name);
        assert_eq!((&claims["iss"], &claims["aud"]), (&"http://provider.test".into(), &"demo-client".into()));
        assert_eq!((&claims["nonce"], &claims["name"]), (&"n-0S6".into(), &"Jane Doe".into()));
        assert_eq!((&claims["iat"], &claims["exp"]), (&1_700_000_000.into(), &1_700_000_020.into()));

        let userinfo = world.bearer("/userinfo", text(&tokens, "access_token")).await.json();
        assert_eq!(userinfo["sub"], claims["sub"]);
        assert_eq!(userinfo["email"], "jane.doe@example.com");

        let refreshed = world.refresh(text(&tokens, "refresh_token")).await.json();
        let (_, claims) = verified(&world, text(&refreshed, "id_token")).await;
        assert_eq!(claims.get("nonce"), None, "a nonce answers one request");
        let discovered = world.get("/.well-known/openid-configuration", &[]).await.json();
        assert_eq!(discovered["id_token_signing_alg_values_supported"][0], name);
    }
}

#[tokio::test]
async fn discovery_names_endpoints_that_exist() {
    let world = world(Options::default());
    let found = world.get("/.well-known/openid-configuration", &[]).await.json();
    assert_eq!(text(&found, "issuer"), "http://provider.test");
    let endpoints = [
        "authorization_endpoint",
        "token_endpoint",
        "device_authorization_endpoint",
        "userinfo_endpoint",
        "jwks_uri",
        "revocation_endpoint",
        "introspection_endpoint",
    ];
    for name in endpoints {
        let path = text(&found, name).strip_prefix("http://provider.test").unwrap();
        assert_ne!(world.get(path, &[]).await.status, 404, "{name}");
    }
    assert_eq!(found, world.get("/.well-known/oauth-authorization-server", &[]).await.json());
}
