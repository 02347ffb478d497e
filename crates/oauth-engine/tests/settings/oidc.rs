//! `oidc` servers against the demo provider, from discovery to the ID token.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use url::Url;
use vestal_demo_provider::{Endpoint, Fault, IdTokenAlgorithm, Options, Rule};

use crate::demo::{BASE, Demo, world};
use crate::mount::Mount;

async fn demo(fields: &str, options: Options) -> (Arc<Demo>, Mount) {
    let (demo, mount) =
        world(Options { access_life: Duration::from_hours(1), auto_approve: true, ..options }).await;
    let server = json!({
        "client_id": "demo-client",
        "client_secret": "demo-secret",
        "provider": "oidc",
        "provider_options": { "issuer_url": BASE, "extra_data_fields": fields },
    });
    mount.write("servers/idp", server).await.done();
    (demo, mount)
}

/// Sends the person to the provider and brings the code back.
async fn agree(demo: &Demo, mount: &Mount, params: Value) -> String {
    use vestal_logical::HttpTransport;
    let ask =
        json!({ "server": "idp", "redirect_url": "http://localhost:5000/cb", "auth_url_params": params });
    let data = mount.write("auth-code-url", ask).await.data();
    let request = vestal_logical::OutboundRequest {
        method: http::Method::GET,
        url: Url::parse(data["url"].as_str().unwrap()).unwrap(),
        headers: http::HeaderMap::new(),
        body: vestal_crypto::SecretBytes::default(),
        timeout: None,
        max_answer: 1 << 20,
        reach_link_local: false,
    };
    let answer = demo.send(request).await.unwrap();
    let back = Url::parse(answer.headers["location"].to_str().unwrap()).unwrap();
    let found =
        |name: &str| back.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    assert_eq!(found("state").as_deref(), data["state"].as_str());
    demo.seen();
    found("code").unwrap()
}

fn connect(code: &str, options: Value) -> Value {
    json!({ "server": "idp", "code": code, "redirect_url": "http://localhost:5000/cb", "provider_options": options })
}

#[tokio::test]
async fn row_060_oidc_flow_with_both_signatures() {
    for algorithm in [IdTokenAlgorithm::Es256, IdTokenAlgorithm::Rs256] {
        let options = Options { id_token_algorithm: algorithm, ..Options::default() };
        let (demo, mount) = demo("id_token,id_token_claims,user_info", options).await;
        assert_eq!(demo.paths(), ["/.well-known/openid-configuration"]);
        let code = agree(&demo, &mount, json!({ "nonce": "baz" })).await;
        mount.write("creds/a", connect(&code, json!({ "nonce": "baz" }))).await.done();
        assert_eq!(demo.paths(), ["/token", "/jwks", "/userinfo"]);
        let data = mount.read("creds/a").await.data();
        assert_eq!(
            (data["type"].as_str(), data.get("provider_options")),
            (Some("Bearer"), None),
            "no nonce is kept"
        );
        let extra = &data["extra_data"];
        assert_eq!(extra["id_token"].as_str().unwrap().matches('.').count(), 2);
        assert_eq!(extra["id_token_claims"]["iss"], BASE);
        assert_eq!(extra["id_token_claims"]["sub"], extra["user_info"]["sub"]);
        assert_eq!(extra["user_info"]["email"], "jane.doe@example.com");
    }
}

#[tokio::test]
async fn x29_another_nonce_is_refused_and_nothing_is_stored() {
    let (demo, mount) = demo("", Options::default()).await;
    let code = agree(&demo, &mount, json!({ "nonce": "baz" })).await;
    let text = mount.write("creds/a", connect(&code, json!({ "nonce": "other" }))).await.refused(400);
    assert_eq!(text, "exchange failed: oidc: nonce does not match");
    mount.read("creds/a").await.absent();
}

#[tokio::test]
async fn x29_an_answer_without_an_id_token_is_refused() {
    let (demo, mount) = demo("", Options::default()).await;
    let code = agree(&demo, &mount, json!({})).await;
    demo.control().inject(Rule::next(1, Endpoint::Token, Fault::omit("id_token")));
    let text = mount.write("creds/a", connect(&code, json!({}))).await.refused(400);
    assert_eq!(text, "exchange failed: oidc: missing ID token in response");
}

#[tokio::test]
async fn rows_061_and_063_a_refresh_with_and_without_an_id_token() {
    let (demo, mount) = demo("id_token", Options::default()).await;
    let code = agree(&demo, &mount, json!({})).await;
    mount.write("creds/a", connect(&code, json!({}))).await.done();
    let first = mount.read("creds/a").await.data();
    mount.clock.advance(Duration::from_secs(3595)).await;
    let second = mount.read("creds/a").await.data();
    assert_ne!(second["access_token"], first["access_token"]);
    assert_ne!(second["extra_data"]["id_token"], first["extra_data"]["id_token"]);
    demo.control().inject(Rule::next(1, Endpoint::Token, Fault::omit("id_token")));
    mount.clock.advance(Duration::from_secs(3595)).await;
    let third = mount.read("creds/a").await.data();
    assert_ne!(third["access_token"], second["access_token"]);
    assert_eq!(third["extra_data"], second["extra_data"]);
}

/// The provider has rotated by then: the refresh token that came with the bad ID token is the only one left.
#[tokio::test]
async fn a_rotated_refresh_token_outlives_an_id_token_that_does_not_verify() {
    let (demo, mount) = demo("id_token", Options::default()).await;
    let code = agree(&demo, &mount, json!({})).await;
    mount.write("creds/a", connect(&code, json!({}))).await.done();
    let first = mount.read("creds/a").await.data();
    demo.control().inject(Rule::next(2, Endpoint::Token, Fault::set("id_token", json!("e30.e30.e30"))));
    mount.clock.advance(Duration::from_secs(3595)).await;
    for calls in [1, 0, 1] {
        demo.seen();
        let text = mount.read("creds/a").await.refused(400);
        assert!(text.starts_with("refresh failed: oidc: "), "{text}");
        let asked = demo.paths().into_iter().filter(|path| path == "/token").count();
        assert_eq!(asked, calls, "a reader who follows at once costs no rotation");
        if calls == 0 {
            mount.clock.advance(Duration::from_secs(30)).await;
        }
    }
    mount.clock.advance(Duration::from_secs(30)).await;
    let healed = mount.read("creds/a").await.data();
    assert_ne!(healed["access_token"], first["access_token"]);
    assert_ne!(healed["extra_data"]["id_token"], first["extra_data"]["id_token"]);
}

#[tokio::test]
async fn w33_reading_a_server_and_a_restart_do_not_ask_the_issuer() {
    let (demo, mount) = demo("", Options::default()).await;
    demo.paths();
    demo.control().inject(Rule::always(Endpoint::Discovery, Fault::hang()));
    let shown = mount.read("servers/idp").await.data();
    assert_eq!(shown["provider_version"], 1);
    assert_eq!(shown["provider_options"]["issuer_url"], BASE);
    let mount = mount.reopened().await;
    mount.read("servers/idp").await.data();
    let url = mount.write("auth-code-url", json!({ "server": "idp" })).await.data();
    assert!(
        url["url"].as_str().unwrap().starts_with("https://provider.test/authorize?client_id=demo-client")
    );
    assert!(demo.paths().is_empty());
}

#[tokio::test]
async fn w03_tokens_outlive_a_user_info_that_fails() {
    let (demo, mount) = demo("user_info", Options::default()).await;
    let code = agree(&demo, &mount, json!({})).await;
    mount.write("creds/a", connect(&code, json!({}))).await.done();
    let first = mount.read("creds/a").await.data();
    demo.control().inject(Rule::always(Endpoint::Userinfo, Fault::status(503)));
    mount.clock.advance(Duration::from_secs(3595)).await;
    let answer = mount.read("creds/a").await;
    assert_eq!(answer.warnings, ["oidc: error fetching user info: 503 Service Unavailable"]);
    let second = answer.data();
    assert_ne!(second["access_token"], first["access_token"]);
    assert_eq!(second["extra_data"], first["extra_data"]);
}

#[tokio::test]
async fn x28_an_issuer_with_one_slash_more_does_not_match() {
    let (_, mount) = demo("", Options::default()).await;
    let server = json!({ "client_id": "c", "provider": "oidc", "provider_options": ["issuer_url=https://provider.test/"] });
    let text = mount.write("servers/other", server).await.refused(400);
    assert_eq!(
        text,
        "option \"issuer_url\": error creating OIDC provider with given issuer URL: oidc: issuer did not match the issuer \
         returned by provider, expected \"https://provider.test/\" got \"https://provider.test\""
    );
    mount.read("servers/other").await.absent();
}
