use http::Request as HttpRequest;
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn arrival() -> Arrival {
    Arrival {
        id: "id".into(),
        now: Timestamp::from_seconds(1),
        deadline: Timestamp::from_seconds(91),
        peer: Some(([127, 0, 0, 1], 4).into()),
    }
}

fn ask(method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Result<Request, Refusal> {
    let mut request = HttpRequest::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (parts, ()) = request.body(()).unwrap().into_parts();
    translate(&parts, body.as_bytes(), arrival(), &Limits::default())
}

#[test]
fn the_life_of_the_seal_knows_only_its_own_methods() {
    for (method, target) in [
        ("GET", "/v1/sys/seal"),
        ("DELETE", "/v1/sys/seal"),
        ("LIST", "/v1/sys/init"),
        ("PATCH", "/v1/sys/seal-status"),
        ("OPTIONS", "/v1/sys/leader"),
        ("LIST", "/v1/sys/unseal"),
        ("PATCH", "/v1/sys/health"),
    ] {
        let refusal = ask(method, target, &[], "").unwrap_err();
        assert_eq!(
            refusal.render(&http::Method::GET).status(),
            StatusCode::METHOD_NOT_ALLOWED,
            "{method} {target}"
        );
    }
    assert!(ask("PUT", "/v1/sys/seal", &[], "").is_ok());
    assert!(ask("GET", "/v1/sys/seal-status", &[], "").is_ok());
}

const FORM: &[(&str, &str)] = &[("content-type", "application/x-www-form-urlencoded")];
const MERGE: &[(&str, &str)] = &[("content-type", "application/merge-patch+json")];

#[test]
fn methods_and_queries_become_operations() {
    use Operation::{Delete, Header, Help, List, Patch, Read, Update};
    let table = [
        ("GET", "/v1/kv/a", Read, "kv/a", json!({})),
        ("GET", "/v1/kv/a?x=1&x=2&y", Read, "kv/a", json!({"x": ["1", "2"], "y": ""})),
        ("GET", "/v1/kv/a?", Read, "kv/a", json!({})),
        ("GET", "/v1/kv/a?list=", Read, "kv/a", json!({"list": ""})),
        ("GET", "/v1/kv/a?list=0&scan=f&x=1", Read, "kv/a", json!({"list": "0", "scan": "f", "x": "1"})),
        ("GET", "/v1/kv/a?list=false&list=true", Read, "kv/a", json!({"list": ["false", "true"]})),
        ("GET", "/v1/kv/a?LIST=true", Read, "kv/a", json!({"LIST": "true"})),
        ("GET", "/v1/kv/a?help=", Read, "kv/a", json!({})),
        ("GET", "/v1/kv?list=true", List, "kv/", json!({})),
        ("GET", "/v1/kv/?list=True&x=1", List, "kv/", json!({"x": "1"})),
        ("GET", "/v1/kv/?list=true&list=false", List, "kv/", json!({})),
        ("LIST", "/v1/kv", List, "kv/", json!({})),
        ("LIST", "/v1/kv/a/?list=bogus&x=1", List, "kv/a/", json!({"list": "bogus", "x": "1"})),
        ("HEAD", "/v1/sys/health?standbyok=true", Header, "sys/health", json!({"standbyok": "true"})),
        ("DELETE", "/v1/kv/a?list=true&x=1", Delete, "kv/a", json!({"list": "true", "x": "1"})),
        ("DELETE", "/v1/kv/a/", Delete, "kv/a/", json!({})),
        ("POST", "/v1/kv/a?x=1&list=true", Update, "kv/a", json!({"b": 1})),
        ("PUT", "/v1/kv/a", Update, "kv/a", json!({"b": 1})),
        ("HELP", "/v1/kv/a/?x=1", Help, "kv/a/", json!({})),
        ("GET", "/v1/kv/a?help=1&list=bogus", Help, "kv/a", json!({})),
        ("GET", "/v1/kv/a?help=0", Help, "kv/a", json!({})),
        ("POST", "/v1/kv/a/?help=1", Help, "kv/a/", json!({})),
        ("FOO", "/v1/kv/a?help=1", Help, "kv/a", json!({})),
        ("OPTIONS", "/v1/sys?help=1", Help, "sys", json!({})),
        ("GET", "/v1/", Read, "", json!({})),
        ("GET", "/v1/sys/", Read, "sys/", json!({})),
    ];
    for (method, target, operation, path, data) in table {
        let request =
            ask(method, target, &[], "{\"b\":1}").unwrap_or_else(|r| panic!("{method} {target}: {r:?}"));
        let found = (request.operation, request.path.as_str(), Value::Object(request.data));
        assert_eq!(found, (operation, path, data), "{method} {target}");
    }
    let patched = ask("PATCH", "/v1/kv/a?x=1", MERGE, "{\"b\":null}").unwrap();
    assert_eq!((patched.operation, Value::Object(patched.data)), (Patch, json!({"b": null})));
}

#[test]
fn what_is_no_request_is_refused() {
    let text = |code: u16, text: &str| Refusal::text(StatusCode::from_u16(code).unwrap(), text);
    let none = |code: u16| Refusal::plain(StatusCode::from_u16(code).unwrap());
    let blank = || Refusal::blank(StatusCode::BAD_REQUEST);
    let internal = "cannot handle internal-only request operation";
    let relative = "relative paths not supported";
    let table = [
        ("GET", "/", none(404)),
        ("POST", "/foo?help=1", none(404)),
        ("GET", "/v1?help=1", none(404)),
        ("OPTIONS", "/foo", none(404)),
        ("OPTIONS", "/v1/kv/a", text(400, internal)),
        ("TRACE", "/v1/kv/a", none(405)),
        ("FOO", "/v1/kv/a", none(405)),
        ("FOO", "/v1/kv/%2e%2e", none(405)),
        ("get", "/v1/kv/a", none(405)),
        ("list", "/v1/kv/a", none(405)),
        ("PRI", "/v1/kv/a", none(405)),
        ("GET", "/v1/kv/?list=tRUE", none(400)),
        ("GET", "/v1/kv/?list=yes", none(400)),
        ("GET", "/v1/kv/?list=%20true", none(400)),
        ("GET", "/v1/kv/?scan=x", none(400)),
        ("GET", "/v1/kv/?scan=true&list=true", none(400)),
        ("GET", "/v1/kv/?scan=true", no_scan()),
        ("SCAN", "/v1/kv/", no_scan()),
        ("PATCH", "/v1/kv/a", text(400, "mime: no media type")),
        ("POST", "/v1/kv/a/", text(400, "cannot write to a path ending in '/'")),
        ("GET", "/v1/kv/%2e%2e/a", text(400, relative)),
        ("POST", "/v1/kv/x%2F..%2Fa", text(400, relative)),
        ("LIST", "/v1/kv/%2E", text(400, relative)),
        ("DELETE", "/v1/kv/x%2F%2Fa", text(400, relative)),
        ("GET", "/v1/%2Fkv/a", text(400, relative)),
        ("HELP", "/v1/kv/%2e%2e", text(400, relative)),
        ("GET", "/v1/kv/%00", blank()),
        ("FOO", "/v1/kv/%ff", blank()),
        ("GET", "/v1//kv/a?x=1&list=true", Refusal::moved("/v1/kv/a?x=1&list=true".into())),
        ("POST", "/v1//kv/a", Refusal::moved("/v1/kv/a".into())),
        ("GET", "/v1/sys?x=1", Refusal::moved("/v1/sys/?x=1".into())),
        ("GET", "/v1/sys/mounts/..", Refusal::moved("/v1/sys/".into())),
    ];
    for (method, target, refusal) in table {
        let found = ask(method, target, &[], "").map(|request| request.path);
        assert_eq!(found, Err(refusal), "{method} {target}");
    }
}

#[test]
fn headers_are_checked_before_the_body() {
    let table = [
        (&[("x-vault-namespace", "ns1")], "/v1/kv/a", "namespace not found"),
        (&[("x-vault-namespace", "root")], "/v1/sys/health", "operation unavailable in namespaces"),
        (&[("x-vault-wrap-ttl", "-1")], "/v1/kv/a", "error parsing X-Vault-Wrap-TTL header"),
    ];
    for (headers, target, text) in table {
        let (parts, ()) =
            HttpRequest::post(target).header(headers[0].0, headers[0].1).body(()).unwrap().into_parts();
        let refusal = Head::read(&parts, &Limits::default()).unwrap_err();
        assert!(format!("{refusal:?}").contains(text), "{refusal:?}");
    }
}

#[test]
fn a_form_is_data_unless_it_looks_like_json() {
    let bad_json = "failed to decode JSON input: expected an object, found an array";
    let table = [
        ("a=1&b=2&a=3", Ok(json!({"a": "1,3", "b": "2"}))),
        ("null", Ok(json!({"null": ""}))),
        ("", Ok(json!({}))),
        (" {\"a\":1}", Ok(json!({"a": 1}))),
        ("[1]", Err(bad_json.to_owned())),
        ("a=%zz", Err("error parsing form data".to_owned())),
    ];
    for (body, expected) in table {
        let found = ask("POST", "/v1/kv/a?q=1", FORM, body).map(|request| Value::Object(request.data));
        assert_eq!(found, expected.map_err(Refusal::invalid), "{body}");
    }
    let many = vec!["k=1"; 501].join("&");
    assert!(ask("POST", "/v1/kv/a", FORM, &many).is_err());
    assert!(ask("POST", "/v1/kv/a", FORM, &many[4..]).is_ok());
}

#[test]
fn too_many_query_parameters_are_refused() {
    let many = vec!["k=1"; 1001].join("&");
    assert!(ask("GET", &format!("/v1/kv/a?{many}"), &[], "").is_err());
    assert!(ask("GET", &format!("/v1/kv/a?{}", &many[4..]), &[], "").is_ok());
}

#[test]
fn a_request_carries_what_the_transport_knows() {
    let headers = [
        ("x-vault-token", "t"),
        ("x-vault-wrap-ttl", "1m"),
        ("user-agent", "hvac"),
        ("x-forwarded-for", "9.9.9.9"),
    ];
    let request = ask("GET", "/v1/kv/a", &headers, "").unwrap();
    assert_eq!(request.id, "id");
    assert_eq!((request.now, request.deadline), (arrival().now, arrival().deadline));
    assert_eq!(request.peer, arrival().peer, "a forwarded address is nobody's word");
    assert_eq!(request.token.unwrap().expose(), "t");
    assert_eq!(request.wrap.unwrap().ttl.as_secs(), 60);
    assert!(request.headers.contains(&("user-agent".to_owned(), "hvac".to_owned())));
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(
        method in "[A-Z]{1,7}",
        target in "/v1/([a-z./?&=;+]|%[0-9a-fA-F]{2}|%){0,30}",
        name in "(x-vault-(token|namespace|wrap-ttl)|authorization|content-type)",
        value in "[ -~]{0,30}",
        body in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        if let Ok(request) = HttpRequest::builder().method(method.as_str()).uri(&target).header(&name, &value).body(()) {
            let (parts, ()) = request.into_parts();
            let _ = translate(&parts, &body, arrival(), &Limits::default());
        }
    }

    #[test]
    fn policy_and_handler_see_one_path(target in "/v1/([a-c./]|%2[eEfF]|%41){0,20}", list in any::<bool>()) {
        let method = if list { "LIST" } else { "GET" };
        if let Ok(request) = ask(method, &target, &[], "") {
            let absolute = format!("/v1/{}", request.path);
            prop_assert_eq!(path::clean(&absolute), absolute);
            prop_assert!(!list || request.path.is_empty() || request.path.ends_with('/'));
        }
    }
}

#[test]
fn headers_of_a_proxy_do_not_hide_the_state_of_the_seal() {
    let headers = [("x-vault-wrap-ttl", "x"), ("x-vault-namespace", "ns1")];
    for path in ["sys/seal-status", "sys/leader"] {
        let request = ask("GET", &format!("/v1/{path}"), &headers, "").unwrap();
        assert_eq!((request.path.as_str(), request.wrap), (path, None));
    }
    for path in ["sys/health", "sys/init"] {
        assert!(ask("GET", &format!("/v1/{path}"), &headers[..1], "").is_ok(), "{path}");
    }
}
