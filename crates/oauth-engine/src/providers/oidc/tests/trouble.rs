//! What happens when the issuer is out of reach, has moved, or changes its keys.

use super::issuer::{Key, claims};
use super::*;

const HOUR: Duration = Duration::from_hours(1);

#[tokio::test]
async fn x28_the_issuer_must_match_to_the_letter() {
    let idp = Idp::new();
    for (given, shown) in
        [("https://idp.example/", "https://idp.example/"), ("https://IDP.example", "https://IDP.example")]
    {
        let error = made(&idp, &options(&[("issuer_url", given)])).await.err().unwrap();
        assert_eq!(
            error,
            format!(
                "option \"issuer_url\": error creating OIDC provider with given issuer URL: oidc: issuer did not match \
                 the issuer returned by provider, expected \"{shown}\" got \"https://idp.example\""
            )
        );
    }
}

#[tokio::test]
async fn options_are_checked_before_anyone_is_asked() {
    let cases: [(&[(&str, &str)], &str); 6] = [
        (&[], "option \"issuer_url\": issuer URL is required"),
        (&[("issuer_url", "")], "option \"issuer_url\": issuer URL is required"),
        (
            &[("issuer_url", ISSUER), ("extra_data_fields", "id_token,x")],
            "option \"extra_data_fields\": unknown extra data field \"x\"",
        ),
        (&[("issuer_url", ISSUER), ("rotation", "never")], "option \"rotation\": "),
        (&[("issuer_url", ISSUER), ("allow_link_local", "never")], "option \"allow_link_local\": "),
        (
            &[("issuer_url", "http://idp.example")],
            "option \"issuer_url\": error creating OIDC provider with given issuer URL: http is allowed to this machine only",
        ),
    ];
    let idp = Idp::new();
    for (given, text) in cases {
        let error = made(&idp, &options(given)).await.err().unwrap();
        assert!(error.starts_with(text), "{error}");
    }
    assert!(idp.asked().is_empty());
}

#[tokio::test]
async fn a_discovery_that_cannot_be_used_says_why_without_its_body() {
    let idp = Idp::new();
    let prefix = "option \"issuer_url\": error creating OIDC provider with given issuer URL: ";
    let error = async |text: &str| {
        let found = made(&idp, &options(&[("issuer_url", ISSUER)])).await.err().unwrap();
        assert_eq!(found, format!("{prefix}{text}"));
    };
    idp.with(|state| state.document_status = 404);
    error("404 Not Found").await;
    idp.with(|state| state.document_status = 302);
    error("302 Found").await;
    idp.with(|state| {
        state.document_status = 200;
        state.document["token_endpoint"] = json!("http://elsewhere.example/token");
    });
    error("oidc: token_endpoint of the provider: http is allowed to this machine only; use https or set the option \"allow_insecure_http\"").await;
    idp.with(|state| state.document["token_endpoint"] = json!("http://127.0.0.1/token"));
    error("oidc: token_endpoint of the provider: an https issuer must not name http addresses").await;
    idp.with(|state| drop(state.document.as_object_mut().unwrap().remove("token_endpoint")));
    error("oidc: the provider names no token_endpoint").await;
    idp.with(|state| state.document = json!(["s3cret"]));
    error("oidc: failed to decode provider discovery object").await;
    idp.with(|state| state.down = true);
    error("Get \"https://idp.example/.well-known/openid-configuration\": connection refused").await;
}

#[tokio::test]
async fn the_document_decides_how_the_client_shows_itself() {
    for (methods, in_body) in [
        (json!(["client_secret_post", "x"]), true),
        (json!(["client_secret_basic"]), false),
        (json!(null), false),
    ] {
        let idp = Idp::new();
        idp.with(|state| state.document["token_endpoint_auth_methods_supported"] = methods);
        let server = server(&idp, "").await;
        let issued = server.exchange(code(None), allow(START)).await.unwrap();
        assert_eq!(issued.learned, None);
        assert_eq!(idp.with(|state| state.forms[0].contains("client_secret=bar")), in_body);
    }
}

#[tokio::test]
async fn w03_a_refresh_keeps_its_tokens_when_user_info_is_out_of_reach_and_a_code_is_refused() {
    let idp = Idp::new();
    let server = server(&idp, "id_token_claims,user_info").await;
    let first = server.exchange(code(None), allow(START)).await.unwrap();
    let answers = [
        ((503, "s3cret".to_owned()), "oidc: error fetching user info: 503 Service Unavailable"),
        ((200, "s3cret".to_owned()), "oidc: error parsing user info: not a json object"),
        (
            (200, json!({ "sub": "user-2" }).to_string()),
            "oidc: error parsing user info: its subject is not that of the ID token",
        ),
    ];
    for (answer, warning) in answers {
        idp.with(|state| state.user = answer);
        idp.grants("a-2", Some(&claims()));
        let second = server.exchange(refresh(Some(extra(&first))), allow(START)).await.unwrap();
        assert_eq!(second.tokens.access_token.expose(), "a-2");
        assert_eq!(second.warning.as_deref(), Some(warning));
        assert_eq!(extra(&second), extra(&first), "what was known stays");
        let handed_in = server.exchange(refresh(None), allow(START)).await.unwrap();
        assert_eq!(handed_in.warning.as_deref(), Some(warning));
        assert_eq!(extra(&handed_in)["id_token_claims"]["sub"], "user-1");
        assert_eq!(unacceptable(&server.exchange(code(None), allow(START)).await), warning);
    }
    idp.with(|state| drop(state.document.as_object_mut().unwrap().remove("userinfo_endpoint")));
    let server = super::server(&idp, "user_info").await;
    let text = "oidc: error fetching user info: oidc: user info endpoint is not supported by this provider";
    assert_eq!(unacceptable(&server.exchange(code(None), allow(START)).await), text);
}

#[tokio::test]
async fn user_info_of_someone_else_is_not_taken_though_the_refresh_brings_no_id_token() {
    let idp = Idp::new();
    let server = server(&idp, "id_token_claims,user_info").await;
    let first = server.exchange(code(None), allow(START)).await.unwrap();
    idp.grants("a-2", None);
    idp.with(|state| state.user.1 = json!({ "sub": "user-2" }).to_string());
    let second = server.exchange(refresh(Some(extra(&first))), allow(START)).await.unwrap();
    assert_eq!(extra(&second), extra(&first));
    assert!(second.warning.unwrap().ends_with("its subject is not that of the ID token"));
}

#[tokio::test]
async fn a_refresh_survives_that_the_keys_are_out_of_reach_and_a_code_does_not() {
    let idp = Idp::new();
    idp.with(|state| state.keys_status = 500);
    let server = server(&idp, "id_token").await;
    let text =
        "oidc: verification error: failed to verify signature: fetching keys: 500 Internal Server Error";
    let previous = json!({ "id_token": "old" });
    let issued = server.exchange(refresh(Some(previous.clone())), allow(START)).await.unwrap();
    assert_eq!(issued.tokens.access_token.expose(), "a-1");
    assert_eq!(issued.warning.as_deref(), Some(text));
    assert_eq!(extra(&issued), previous, "an ID token that was not verified is not shown");
    assert_eq!(unacceptable(&server.exchange(code(None), allow(START)).await), text);
}

#[tokio::test]
async fn keys_are_kept_as_long_as_the_issuer_says_and_fetched_when_they_do_not_fit() {
    let idp = Idp::new();
    let server = server(&idp, "id_token").await;
    let long = |state: &mut super::issuer::State| state.document["x"] = json!(1);
    idp.with(long);
    let mut claims = claims();
    claims["exp"] = json!(START.seconds() + 86_400);
    idp.grants("a-1", Some(&claims));
    let keys = |idp: &Idp| idp.asked().iter().filter(|path| *path == "/keys").count();
    for after in [0, 60, 120] {
        let now = START.plus(Duration::from_secs(after));
        assert!(server.exchange(code(None), allow(now)).await.is_ok());
    }
    assert_eq!(keys(&idp), 1, "asked once and kept");
    // The issuer changes its key long before the old ones were to expire.
    idp.with(|state| state.key = Key::new("k-2"));
    idp.grants("a-2", Some(&claims));
    assert!(server.exchange(code(None), allow(START.plus(Duration::from_secs(180)))).await.is_ok());
    assert_eq!(keys(&idp), 1);
    // What fits no key causes no storm of fetches.
    let stranger = Key::new("k-3");
    idp.grants_raw(&stranger.sign(&json!({ "alg": "ES256", "kid": "k-3" }), &claims));
    for _ in 0..5 {
        let result = server.exchange(code(None), allow(START.plus(Duration::from_secs(190)))).await;
        assert!(unacceptable(&result).ends_with("no key of the provider fits"));
    }
    assert_eq!(keys(&idp), 0);
}

#[tokio::test]
async fn discovery_is_asked_anew_when_old_and_an_issuer_that_is_down_is_used_as_it_was() {
    let idp = Idp::new();
    let server = server(&idp, "").await;
    let discoveries = |idp: &Idp| idp.asked().iter().filter(|path| path.starts_with("/.well-known")).count();
    assert_eq!(discoveries(&idp), 1);
    idp.grants("a-1", None);
    for hours in [0, 1, 23] {
        assert!(server.exchange(refresh(None), allow(START.plus(HOUR * hours))).await.is_ok());
    }
    assert_eq!(discoveries(&idp), 0);
    idp.with(|state| state.document_status = 503);
    let later = START.plus(HOUR * 25);
    for minutes in [0, 1, 9] {
        let now = later.plus(Duration::from_mins(minutes));
        assert!(server.exchange(refresh(None), allow(now)).await.is_ok());
    }
    assert_eq!(discoveries(&idp), 1, "not more than once in ten minutes");
    idp.with(|state| {
        state.document_status = 200;
        state.document["token_endpoint"] = json!("https://idp.example/moved");
    });
    let moved = server.exchange(refresh(None), allow(later.plus(Duration::from_mins(11)))).await;
    assert!(
        matches!(moved, Err(ProviderError::Refused { text, spent: false, .. }) if text.ends_with("404 Not Found"))
    );
    assert!(idp.asked().contains(&"/moved".to_owned()), "a new path of the same origin is followed");
}

#[tokio::test]
async fn a_token_endpoint_at_another_origin_is_not_followed() {
    let idp = Idp::new();
    let server = server(&idp, "").await;
    assert_eq!(server.origin(), "https://idp.example");
    idp.grants("a-1", None);
    idp.with(|state| state.document["token_endpoint"] = json!("https://elsewhere.example/stolen"));
    assert!(server.exchange(refresh(None), allow(START.plus(HOUR * 30))).await.is_ok());
    let asked = idp.asked();
    assert!(!asked.contains(&"/stolen".to_owned()) && asked.contains(&"/token".to_owned()));
}

#[tokio::test]
async fn a_token_endpoint_that_is_gone_makes_the_next_refresh_look_where_it_went() {
    let idp = Idp::new();
    let server = server(&idp, "").await;
    idp.grants("a-1", None);
    idp.with(|state| state.down = true);
    let now = START.plus(HOUR);
    let refused = server.exchange(refresh(None), allow(now)).await;
    let text = "transient: Post \"https://idp.example/token\": connection refused";
    assert!(matches!(refused, Err(ProviderError::NotSent(found)) if found == text));
    idp.with(|state| state.down = false);
    idp.asked();
    assert!(server.exchange(refresh(None), allow(now)).await.is_ok());
    assert_eq!(idp.asked(), ["/.well-known/openid-configuration", "/token"]);
}

#[tokio::test]
async fn a_record_without_what_was_discovered_or_of_an_unknown_version_cannot_be_used() {
    let idp = Idp::new();
    let http: Arc<dyn HttpTransport> = Arc::clone(&idp) as Arc<dyn HttpTransport>;
    let options = options(&[("issuer_url", ISSUER), ("token_url", "https://idp.example/token")]);
    for (provider, version, text) in [
        ("oidc", 1, "option \"issuer_url\": not discovered yet"),
        ("oidc", 2, "version not supported"),
        ("custom", 1, "version not supported"),
        ("github", 1, "provider \"github\" does not exist"),
    ] {
        let settings = Settings {
            provider,
            version,
            client_id: "foo",
            client_secrets: &[],
            auth_url_params: &BTreeMap::new(),
            options: &options,
            discovered: None,
            lesson: Lesson::default(),
        };
        assert_eq!(build(&settings, &http).err().unwrap(), text);
    }
    assert!(idp.asked().is_empty());
}

#[tokio::test]
async fn authorization_asks_for_openid_first() {
    let idp = Idp::new();
    let ask = crate::providers::Authorize { scopes: vec!["email".into()], ..Default::default() };
    let url = server(&idp, "").await.authorize_url(&ask).unwrap();
    assert_eq!(url, "https://idp.example/auth?client_id=foo&response_type=code&scope=openid+email");
}
