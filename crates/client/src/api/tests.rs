//! How a request is addressed, repeated and led elsewhere, seen from the transport.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use http::HeaderMap;
use serde_json::json;
use vestal_crypto::SecretBytes;
use vestal_logical::{Clock, HttpTransport, OutboundRequest, OutboundResponse, Timestamp, TransportError};

use super::{Api, Settings};
use crate::{Ask, Kv, KvMount, Sys};

type Scripted = (u16, &'static [(&'static str, &'static str)], &'static str);

/// Answers from a script and takes requests down.
#[derive(Default)]
struct Script {
    answers: Mutex<VecDeque<Scripted>>,
    requests: Mutex<Vec<OutboundRequest>>,
}

impl HttpTransport for Script {
    fn send(&self, request: OutboundRequest) -> BoxFuture<'static, Result<OutboundResponse, TransportError>> {
        self.requests.lock().unwrap().push(request);
        let (status, pairs, body) = self.answers.lock().unwrap().pop_front().expect("an answer is left");
        let headers: HeaderMap =
            pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        async move { Ok(OutboundResponse { status, headers, body: SecretBytes::new(body) }) }.boxed()
    }
}

/// A clock that is wound forward by whoever waits.
#[derive(Default)]
struct Wound(Mutex<Duration>);

impl Clock for Wound {
    fn now(&self) -> Timestamp {
        Timestamp::default().plus(*self.0.lock().unwrap())
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
        let mut wound = self.0.lock().unwrap();
        *wound = (*wound).max(at.since(Timestamp::default()));
        async {}.boxed()
    }
}

struct Bench {
    api: Api,
    script: Arc<Script>,
    clock: Arc<Wound>,
}

fn bench(settings: Settings, answers: &[Scripted]) -> Bench {
    let script =
        Arc::new(Script { answers: Mutex::new(answers.iter().copied().collect()), ..Script::default() });
    let clock = Arc::new(Wound::default());
    Bench { api: Api::new(settings, script.clone(), clock.clone()), script, clock }
}

fn settings() -> Settings {
    let address = "https://vault.example:8200".parse().unwrap();
    Settings { token: Some("t".into()), ..Settings::new(address) }
}

impl Bench {
    fn urls(&self) -> Vec<String> {
        self.script.requests.lock().unwrap().iter().map(|request| request.url.to_string()).collect()
    }

    fn headers(&self, index: usize) -> HeaderMap {
        self.script.requests.lock().unwrap()[index].headers.clone()
    }
}

#[test]
fn names_are_escaped_so_that_the_server_sees_them_as_they_are() {
    let bench = bench(settings(), &[]);
    let cases = [
        ("kv/a b", "/v1/kv/a%20b"),
        ("kv/100%", "/v1/kv/100%25"),
        ("kv/a%2Fb", "/v1/kv/a%252Fb"),
        ("kv/what?x=1#y", "/v1/kv/what%3Fx=1%23y"),
        ("kv/café", "/v1/kv/caf%C3%A9"),
    ];
    for (path, expected) in cases {
        assert_eq!(bench.api.address_of(&Ask::get(path)).unwrap().path(), expected);
    }
    let url = bench.api.address_of(&Ask::list("kv").query("after", "a&b c")).unwrap();
    assert_eq!(url.query(), Some("after=a%26b+c&list=true"));
}

#[tokio::test]
async fn an_address_with_a_path_keeps_it() {
    let behind = Settings::new("https://proxy.example/vault/".parse().unwrap());
    let url = bench(behind, &[]).api.address_of(&Ask::get("sys/health")).unwrap();
    assert_eq!(url.as_str(), "https://proxy.example/vault/v1/sys/health");
}

#[tokio::test]
async fn one_redirect_is_followed_with_the_token_but_never_out_of_tls() {
    const ELSEWHERE: Scripted = (307, &[("location", "https://other.example/v1/a")], "");
    const IN_THE_CLEAR: Scripted = (307, &[("location", "http://other.example/v1/a")], "");
    let followed = bench(settings(), &[ELSEWHERE, (204, &[], "")]);
    assert_eq!(followed.api.raw(Ask::put("a", json!({}))).await.unwrap().status, 204);
    assert_eq!(followed.urls(), ["https://vault.example:8200/v1/a", "https://other.example/v1/a"]);
    assert_eq!(followed.headers(1)["x-vault-token"], "t");
    let twice = bench(settings(), &[ELSEWHERE, ELSEWHERE]);
    assert_eq!(twice.api.raw(Ask::get("a")).await.unwrap().status, 307);
    let downgraded = bench(settings(), &[IN_THE_CLEAR]);
    assert_eq!(downgraded.api.raw(Ask::get("a")).await.unwrap().status, 307);
    let unwilling = Settings { follow_redirect: false, ..settings() };
    assert_eq!(bench(unwilling, &[ELSEWHERE]).api.raw(Ask::get("a")).await.unwrap().status, 307);
}

#[tokio::test]
async fn waiting_between_attempts_grows_or_is_what_the_server_asks_for() {
    let busy = bench(settings(), &[(503, &[], ""), (503, &[], ""), (503, &[], "")]);
    assert_eq!(busy.api.send(Ask::get("a")).await.unwrap_err().status(), Some(503));
    assert_eq!(*busy.clock.0.lock().unwrap(), Duration::from_millis(1500));
    let asked = bench(settings(), &[(429, &[("retry-after", "3")], ""), (200, &[], "{}")]);
    asked.api.send(Ask::get("a")).await.unwrap();
    assert_eq!(*asked.clock.0.lock().unwrap(), Duration::from_secs(3));
}

#[tokio::test]
async fn headers_say_who_asks_where_and_how_wrapped() {
    const DONE: Scripted = (204, &[], "");
    let named = Settings { namespace: Some("/team/".into()), wrap_ttl: Some("1m0s".into()), ..settings() };
    let bench = bench(named, &[DONE; 4]);
    bench.api.write("a", json!({})).await.unwrap();
    bench.api.patch("a", json!({})).await.unwrap();
    bench.api.send(Ask::get("sys/seal-status").at_root()).await.unwrap();
    bench.api.send(Ask::put("auth/userpass/login/a", json!({})).without_token()).await.unwrap();
    let all: Vec<HeaderMap> = (0..4).map(|index| bench.headers(index)).collect();
    assert!(all.iter().all(|headers| headers["x-vault-request"] == "true"));
    assert_eq!(all[0]["x-vault-namespace"], "team/");
    assert_eq!(all[0]["x-vault-wrap-ttl"], "1m0s");
    assert!(!all[0].contains_key("content-type"));
    assert_eq!(all[1]["content-type"], "application/merge-patch+json");
    assert!(!all[2].contains_key("x-vault-namespace") && !all[2].contains_key("x-vault-wrap-ttl"));
    assert!(!all[3].contains_key("x-vault-token"));
}

#[tokio::test]
async fn nothing_is_told_from_an_answer_with_warnings_only() {
    const EMPTY: Scripted = (404, &[], r#"{"errors":[]}"#);
    const WARNED: Scripted = (404, &[], r#"{"request_id":"r","data":null,"warnings":["wrong path"]}"#);
    const PLAIN: Scripted = (200, &[], r#"{"sealed":false}"#);
    let bench = bench(settings(), &[EMPTY, WARNED, PLAIN]);
    assert!(bench.api.read("a", None).await.unwrap().is_none());
    assert_eq!(bench.api.read("a", None).await.unwrap().unwrap().warnings.unwrap(), ["wrong path"]);
    let plain = bench.api.read("sys/health", None).await.unwrap().unwrap();
    assert_eq!(plain.field("sealed"), Some(&json!(false)));
}

#[tokio::test]
async fn a_key_is_found_below_the_mount_that_serves_it() {
    const VERSIONED: Scripted =
        (200, &[], r#"{"request_id":"r","data":{"path":"team/kv/","options":{"version":"2"}}}"#);
    const OLD_SERVER: Scripted = (404, &[], r#"{"errors":[]}"#);
    let bench = bench(settings(), &[VERSIONED, OLD_SERVER]);
    let (mount, key) = Kv(&bench.api).locate("/team/kv/a/b").await.unwrap();
    assert_eq!(
        (mount.value(&key), mount.branch("metadata", &key)),
        ("team/kv/data/a/b".into(), "team/kv/metadata/a/b".into())
    );
    let (mount, key) = Kv(&bench.api).locate("secret/a").await.unwrap();
    assert_eq!((mount, key.as_str()), (KvMount { path: "secret/".into(), versioned: false }, "a"));
}

#[tokio::test]
async fn an_answer_from_something_else_is_malformed_and_no_token_is_in_the_text() {
    let bench = bench(settings(), &[(200, &[], "<html>"), (403, &[], r#"{"errors":["permission denied"]}"#)]);
    let page = Sys(&bench.api).seal_status().await.unwrap_err().to_string();
    assert!(page.contains("is this a Vault-compatible server"), "{page}");
    let refused = bench.api.send(Ask::get("a")).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "Error making API request.\n\nURL: GET https://vault.example:8200/v1/a\nCode: 403. Errors:\n\n* permission denied"
    );
}
