//! `auth-code-url` (reference §3.2).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use url::Url;
use vestal_logical::{HttpTransport, Operation};

use crate::mount::{Mount, Nowhere};

const MISSING: &str = "server configuration does not exist (was it deleted?)";

async fn mount(params: Value) -> Mount {
    let mount = Mount::new(Arc::new(Nowhere::default()) as Arc<dyn HttpTransport>).await;
    let server = json!({
        "client_id": "abc",
        "provider": "custom",
        "auth_url_params": params,
        "provider_options": { "auth_code_url": "https://idp.example/auth", "token_url": "https://idp.example/token" },
    });
    mount.write("servers/mock", server).await.done();
    mount
}

fn query(data: &Value) -> BTreeMap<String, String> {
    let url = Url::parse(data["url"].as_str().unwrap()).unwrap();
    assert_eq!(url.as_str().split('?').next(), Some("https://idp.example/auth"));
    let pairs: Vec<_> = url.query_pairs().into_owned().collect();
    let map: BTreeMap<_, _> = pairs.iter().cloned().collect();
    assert_eq!(map.len(), pairs.len(), "no parameter comes twice");
    map
}

#[tokio::test]
async fn rows_002_and_054_auth_code_url() {
    let mount = mount(json!({ "foo": "geoff" })).await;
    let ask = json!({
        "server": "mock",
        "state": "qwerty",
        "scopes": "read, write",
        "redirect_url": "http://example.com/redirect",
        "auth_url_params": { "foo": "bar", "baz": "quux" },
    });
    let data = mount.write("auth-code-url", ask).await.data();
    assert_eq!(
        data,
        json!({ "url": "https://idp.example/auth?baz=quux&client_id=abc&foo=geoff\
                        &redirect_uri=http%3A%2F%2Fexample.com%2Fredirect&response_type=code&scope=read+write&state=qwerty" })
    );
}

#[tokio::test]
async fn x04_a_state_is_made_only_when_the_field_is_absent() {
    let mount = mount(json!({})).await;
    let mut made = Vec::new();
    for _ in 0..3 {
        let data = mount.write("auth-code-url", json!({ "server": "mock" })).await.data();
        let state = data["state"].as_str().unwrap().to_owned();
        assert_eq!(state.len(), 43);
        assert!(
            state.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'),
            "{state}"
        );
        assert_eq!(query(&data)["state"], state);
        made.push(state);
    }
    made.dedup();
    assert_eq!(made.len(), 3);
    for state in [json!(""), Value::Null] {
        let data = mount.write("auth-code-url", json!({ "server": "mock", "state": state })).await.data();
        assert_eq!(data, json!({ "url": "https://idp.example/auth?client_id=abc&response_type=code" }));
    }
    let data = mount.write("auth-code-url", json!({ "server": "mock", "state": "mine" })).await.data();
    assert_eq!((data.get("state"), query(&data)["state"].as_str()), (None, "mine"));
}

#[tokio::test]
async fn w31_a_request_cannot_replace_standard_parameters_and_the_server_can() {
    let mount = mount(json!({ "scope": "fixed", "response_type": "code id_token" })).await;
    for name in ["client_id", "redirect_uri", "response_type", "scope", "state"] {
        let ask = json!({ "server": "mock", "auth_url_params": { name: "x" } });
        let text = mount.write("auth-code-url", ask).await.refused(400);
        assert_eq!(text, format!("auth_url_params must not contain the standard parameter \"{name}\""));
    }
    let data = mount.write("auth-code-url", json!({ "server": "mock", "scopes": ["a", "b"] })).await.data();
    let query = query(&data);
    assert_eq!((query["scope"].as_str(), query["response_type"].as_str()), ("fixed", "code id_token"));
}

#[tokio::test]
async fn the_server_is_the_one_named_or_the_default_and_its_problems_are_said() {
    let mount = mount(json!({})).await;
    let ask = async |fields: Value| mount.write("auth-code-url", fields).await;
    let text = "missing server (consider configuring a default server)";
    assert_eq!(ask(json!({})).await.refused(400), text);
    assert_eq!(ask(json!({ "server": "" })).await.refused(400), text);
    let gone = |name: &str| format!("server \"{name}\" has configuration problems: {MISSING}");
    assert_eq!(ask(json!({ "server": "gone" })).await.refused(400), gone("gone"));
    mount.write("config", json!({ "default_server": "nowhere" })).await.done();
    assert_eq!(ask(json!({})).await.refused(400), gone("nowhere"));
    mount.write("config", json!({ "default_server": "mock" })).await.done();
    assert!(ask(json!({})).await.data()["url"].is_string());
    mount.delete("servers/mock").await.done();
    assert_eq!(ask(json!({})).await.refused(400), gone("mock"));
}

#[tokio::test]
async fn a_rewritten_server_is_used_at_once() {
    let mount = mount(json!({})).await;
    let client = async || {
        let data = mount.write("auth-code-url", json!({ "server": "mock", "state": "" })).await.data();
        data["url"].as_str().unwrap().to_owned()
    };
    assert!(client().await.contains("client_id=abc"));
    let server = json!({
        "client_id": "other",
        "provider": "custom",
        "provider_options": { "auth_code_url": "https://idp.example/new?x=1", "token_url": "https://idp.example/token" },
    });
    mount.write("servers/mock", server).await.done();
    assert_eq!(client().await, "https://idp.example/new?x=1&client_id=other&response_type=code");
}

#[tokio::test]
async fn x05_a_server_without_an_authorization_endpoint_has_no_url() {
    let mount = mount(json!({})).await;
    let server = json!({ "client_id": "abc", "provider": "custom", "provider_options": "token_url=https://idp.example/t" });
    mount.write("servers/mock", server).await.done();
    let text = mount.write("auth-code-url", json!({ "server": "mock" })).await.refused(400);
    assert_eq!(text, "authorization code URL not available");
}

#[tokio::test]
async fn x32_only_writing_is_offered() {
    let mount = mount(json!({})).await;
    for operation in [Operation::Read, Operation::Delete, Operation::Patch] {
        let answer = mount.call(operation, "auth-code-url", json!({})).await;
        assert_eq!(answer.refused(405), "unsupported operation");
    }
    assert_eq!(mount.list("auth-code-url").await.refused(404), "unsupported path");
}
