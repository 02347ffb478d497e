//! What becomes of tokens that are good, and of ID tokens that are not.

use super::issuer::{Key, claims};
use super::*;

const ALL: &str = "id_token, id_token_claims,user_info";

#[tokio::test]
async fn row_060_a_code_brings_token_claims_and_user_info() {
    let idp = Idp::new();
    let server = server(&idp, ALL).await;
    let issued = server.exchange(code(Some("baz")), allow(START)).await.unwrap();
    assert_eq!(issued.tokens.access_token.expose(), "a-1");
    assert_eq!(issued.tokens.token_type, "Bearer");
    assert_eq!(issued.tokens.refresh_token.as_ref().map(SecretString::expose), Some("r-2"));
    let shown = extra(&issued);
    assert_eq!(shown["id_token"], idp.with(|state| state.token["id_token"].clone()));
    assert_eq!(shown["id_token_claims"]["sub"], "user-1");
    assert_eq!(shown["id_token_claims"]["iss"], ISSUER);
    assert_eq!(shown["user_info"]["email"], "user@example.com");
    assert_eq!(issued.warning, None);
    assert_eq!(idp.with(|state| state.authorizations.clone()), ["Bearer a-1"]);
    let kept = server.kept_options(&options(&[("nonce", "baz"), ("other", "x")]));
    assert_eq!(kept, options(&[("other", "x")]), "the nonce is never stored");
}

#[tokio::test]
async fn rows_061_and_063_a_refresh_replaces_the_id_token_only_when_it_brings_one() {
    let idp = Idp::new();
    let server = server(&idp, "id_token,id_token_claims").await;
    let first = server.exchange(code(None), allow(START)).await.unwrap();
    let mut later = claims();
    later["exp"] = json!(START.seconds() + 900);
    idp.grants("a-2", Some(&later));
    let second = server.exchange(refresh(Some(extra(&first))), allow(START)).await.unwrap();
    assert_eq!(second.tokens.access_token.expose(), "a-2");
    assert_ne!(extra(&second)["id_token"], extra(&first)["id_token"]);
    assert_eq!(extra(&second)["id_token_claims"]["exp"], later["exp"]);

    idp.grants("a-3", None);
    let third = server.exchange(refresh(Some(extra(&second))), allow(START)).await.unwrap();
    assert_eq!(third.tokens.access_token.expose(), "a-3");
    assert_eq!(extra(&third), extra(&second));
}

#[tokio::test]
async fn a_credential_that_began_with_a_refresh_token_shows_what_it_never_had_as_null() {
    let idp = Idp::new();
    let server = server(&idp, "id_token,id_token_claims").await;
    idp.grants("a-1", None);
    let issued = server.exchange(refresh(None), allow(START)).await.unwrap();
    assert_eq!(extra(&issued), json!({ "id_token": null, "id_token_claims": null }));
}

#[tokio::test]
async fn without_chosen_fields_there_is_no_extra_data_and_user_info_is_not_asked() {
    let idp = Idp::new();
    let server = server(&idp, "").await;
    let issued = server.exchange(code(None), allow(START)).await.unwrap();
    assert_eq!(issued.tokens.extra, None);
    assert_eq!(idp.asked(), ["/.well-known/openid-configuration", "/token", "/keys"]);
    let refreshed = server.exchange(refresh(None), allow(START)).await.unwrap();
    assert_eq!(refreshed.tokens.extra, None);
}

#[tokio::test]
async fn x29_an_id_token_that_does_not_say_what_it_must_is_refused() {
    let past = START.seconds() - 1;
    let cases: [(&str, Value, &str); 9] = [
        ("iss", json!("https://other.example"), "id token issued by a different provider"),
        ("iss", json!("https://idp.example/"), "id token issued by a different provider"),
        ("aud", json!("bar"), "the id token's audience is not this client"),
        ("aud", json!(["a", "b"]), "the id token's audience is not this client"),
        ("aud", json!(null), "the id token's audience is not this client"),
        ("exp", json!(past), "token is expired"),
        ("exp", json!("soon"), "token is expired"),
        ("exp", json!(null), "token is expired"),
        ("nbf", json!(START.seconds() + 61), "the id token is not valid yet"),
    ];
    let idp = Idp::new();
    let server = server(&idp, ALL).await;
    for (claim, value, text) in cases {
        let mut wrong = claims();
        wrong[claim] = value;
        idp.grants("a-1", Some(&wrong));
        let result = server.exchange(code(None), allow(START)).await;
        assert_eq!(unacceptable(&result), format!("oidc: verification error: oidc: {text}"), "{claim}");
    }
    for (claim, value) in [
        ("aud", json!(["other", "foo"])),
        ("exp", json!(START.seconds())),
        ("exp", json!(START.seconds().to_string().parse::<f64>().unwrap() + 0.5)),
        ("nbf", json!(START.seconds() + 60)),
    ] {
        let mut right = claims();
        right[claim] = value;
        idp.grants("a-1", Some(&right));
        assert!(server.exchange(code(None), allow(START)).await.is_ok(), "{claim}");
    }
}

#[tokio::test]
async fn x29_the_nonce_must_match_when_one_is_given_and_the_id_token_must_be_there() {
    let idp = Idp::new();
    let server = server(&idp, ALL).await;
    for wrong in ["other", ""] {
        let result = server.exchange(code(Some(wrong)), allow(START)).await;
        assert_eq!(unacceptable(&result), "oidc: nonce does not match");
    }
    let mut without = claims();
    without.as_object_mut().unwrap().remove("nonce");
    idp.grants("a-1", Some(&without));
    let result = server.exchange(code(Some("baz")), allow(START)).await;
    assert_eq!(unacceptable(&result), "oidc: nonce does not match");
    assert!(server.exchange(code(None), allow(START)).await.is_ok());
    idp.grants("a-1", None);
    let result = server.exchange(code(None), allow(START)).await;
    assert_eq!(unacceptable(&result), "oidc: missing ID token in response");
}

#[tokio::test]
async fn an_id_token_is_believed_only_with_a_signature_that_fits() {
    let idp = Idp::new();
    let server = server(&idp, ALL).await;
    let (stranger, claims) = (Key::new("k-1"), claims());
    let good = idp.with(|state| state.token["id_token"].as_str().unwrap().to_owned());
    let signed = |key: &Key, alg: &str, kid: Option<&str>| {
        let mut header = json!({ "alg": alg });
        if let Some(kid) = kid {
            header["kid"] = json!(kid);
        }
        key.sign(&header, &claims)
    };
    let own = |alg: &str, kid| idp.with(|state| signed(&state.key, alg, kid));
    let body = good.rsplit_once('.').unwrap().0;
    let cases = [
        (signed(&stranger, "ES256", Some("k-1")), "failed to verify signature: no key of the provider fits"),
        (own("ES256", Some("k-9")), "failed to verify signature: no key of the provider fits"),
        (own("RS256", Some("k-1")), "oidc: the id token is signed with an unsupported algorithm"),
        (own("HS256", Some("k-1")), "oidc: the id token is signed with an unsupported algorithm"),
        (own("none", None), "oidc: the id token is signed with an unsupported algorithm"),
        (format!("{body}."), "failed to verify signature: no key of the provider fits"),
        (body.to_owned(), "oidc: malformed jwt"),
        (format!("{good}.{good}"), "oidc: malformed jwt"),
        ("a.b.c".to_owned(), "oidc: malformed jwt"),
        ("x".to_owned(), "oidc: malformed jwt"),
    ];
    for (token, text) in cases {
        idp.grants_raw(&token);
        let result = server.exchange(code(None), allow(START)).await;
        assert_eq!(unacceptable(&result), format!("oidc: verification error: {text}"));
    }
    idp.grants_raw(&own("ES256", None));
    assert!(server.exchange(code(None), allow(START)).await.is_ok(), "any key will do when none is named");
}

#[test]
fn any_text_is_an_id_token_or_malformed() {
    use proptest::prelude::*;
    let expected =
        crate::providers::id_token::Expected { issuer: "i", audience: "a", algorithms: &[], now: START };
    proptest!(|(text in "[a-zA-Z0-9._-]{0,200}|.{0,60}", claims in "[ -~]{0,80}")| {
        use base64::Engine as _;
        use base64::engine::general_purpose::URL_SAFE_NO_PAD;
        let near = format!("{}.{}.sig", URL_SAFE_NO_PAD.encode("{}"), URL_SAFE_NO_PAD.encode(claims));
        for token in [text, near] {
            if let Ok(unverified) = crate::providers::id_token::Unverified::read(&token) {
                prop_assert!(unverified.check(&expected).is_err());
            }
        }
    });
}
