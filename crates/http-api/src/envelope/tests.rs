use std::time::Duration;

use futures::FutureExt;
use http_body_util::BodyExt;
use serde_json::json;
use vestal_logical::{Kind, Timestamp};

use super::*;

const ID: &str = "7d2f";

fn answer(path: &str, operation: Operation, result: Result<Answer, Error>) -> (u16, String) {
    let response = render(Response { request_id: ID.into(), path: path.into(), operation, result });
    for (name, value) in [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
        (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000; includeSubDomains"),
    ] {
        assert_eq!(response.headers()[name], value);
    }
    let code = response.status().as_u16();
    let body = response.into_body().collect().now_or_never().unwrap().unwrap().to_bytes();
    (code, String::from_utf8(body.into()).unwrap())
}

fn open(operation: Operation, reply: Reply<Value>) -> (u16, String) {
    answer("kv/a", operation, Ok(Answer::Open(Box::new(reply))))
}

fn envelope(data: &str, warnings: &str) -> String {
    format!(
        "{{\"request_id\":\"{ID}\",\"lease_id\":\"\",\"renewable\":false,\"lease_duration\":0,\"data\":{data},\
         \"wrap_info\":null,\"warnings\":{warnings},\"auth\":null}}\n"
    )
}

const NOTHING: &str = "{\"errors\":[]}\n";

#[test]
fn an_answer_takes_the_shape_that_its_outcome_and_operation_give_it() {
    use Operation::{Delete, Header, Help, List, Read, Update};
    let empty = Reply::<Value>::empty;
    let data = || Reply::data(json!({"b": "<1>", "a": null}));
    let shown = envelope("{\"a\":null,\"b\":\"\\u003c1\\u003e\"}", "null");
    let warned = envelope("null", "[\"w\"]");
    let table = [
        ("data", Read, data(), 200, shown.clone()),
        ("data of a write", Update, data(), 200, shown.clone()),
        ("a deleted version", Read, data().outcome(Outcome::Absent), 404, shown.clone()),
        ("a chosen status", Read, data().outcome(Outcome::Status(299)), 299, shown),
        ("a warning", Read, Reply::data(json!({})).warn("w"), 200, envelope("{}", "[\"w\"]")),
        ("plain", Read, Reply::plain(json!({"sealed": true})), 200, "{\"sealed\":true}\n".into()),
        ("health", Header, Reply::plain(json!({})).outcome(Outcome::Status(503)), 503, "{}\n".into()),
        ("nothing read", Read, empty(), 404, NOTHING.into()),
        ("nothing read, warned", Read, empty().warn("w"), 404, NOTHING.into()),
        ("nothing listed", List, empty(), 404, NOTHING.into()),
        ("nothing listed, warned", List, empty().warn("w"), 200, envelope("{}", "[\"w\"]")),
        ("nothing headed", Header, empty(), 404, NOTHING.into()),
        ("no help", Help, empty(), 404, NOTHING.into()),
        ("written", Update, empty(), 204, String::new()),
        ("deleted", Delete, empty(), 204, String::new()),
        ("written, warned", Update, empty().warn("w"), 200, warned.clone()),
        ("accepted", Update, empty().outcome(Outcome::Accepted), 202, envelope("null", "null")),
        ("accepted, warned", Update, empty().outcome(Outcome::Accepted).warn("w"), 202, warned.clone()),
        ("absent", Delete, empty().outcome(Outcome::Absent), 404, NOTHING.into()),
        ("absent, warned", Read, empty().outcome(Outcome::Absent).warn("w"), 404, warned),
        ("a bad parameter", Read, empty().outcome(Outcome::Status(400)), 400, NOTHING.into()),
        ("a bare status", Update, empty().outcome(Outcome::Status(299)), 299, String::new()),
        ("no status at all", Read, Reply::plain(json!({})).outcome(Outcome::Status(7)), 500, "{}\n".into()),
    ];
    for (name, operation, reply, code, body) in table {
        assert_eq!(open(operation, reply), (code, body), "{name}");
    }
}

#[test]
fn a_failure_is_a_list_of_texts() {
    let table = [
        (Error::invalid("bad <x>"), 400, "{\"errors\":[\"bad \\u003cx\\u003e\"]}\n".to_owned()),
        (Error::unauthenticated(), 403, "{\"errors\":[\"permission denied\"]}\n".to_owned()),
        (
            Error::denied(),
            403,
            "{\"errors\":[\"1 error occurred:\\n\\t* permission denied\\n\\n\"]}\n".to_owned(),
        ),
        (
            Error::unsupported_path(),
            404,
            "{\"errors\":[\"1 error occurred:\\n\\t* unsupported path\\n\\n\"]}\n".to_owned(),
        ),
        (Error::not_found(), 404, NOTHING.to_owned()),
        (Error::not_found().warn("w"), 404, envelope("null", "[\"w\"]")),
        (Error::new(Kind::Sealed, "Vault is sealed"), 503, "{\"errors\":[\"Vault is sealed\"]}\n".to_owned()),
        (Error::internal("cause"), 500, "{\"errors\":[\"internal error\"]}\n".to_owned()),
        (Error::invalid("x").warn("w"), 400, "{\"errors\":[\"x\"],\"warnings\":[\"w\"]}\n".to_owned()),
    ];
    for (error, code, body) in table {
        let name = error.to_string();
        assert_eq!(answer("kv/a", Operation::Read, Err(error)), (code, body), "{name}");
    }
}

#[test]
fn old_clients_find_some_data_at_the_top_level_too() {
    let data = json!({"auth": 1, "k": 2});
    let copied = envelope(&data.to_string(), "null").replacen('{', "{\"k\":2,", 1);
    let plain = envelope(&data.to_string(), "null");
    let table = [
        ("sys/mounts", &copied),
        ("sys/mounts/kv/tune", &copied),
        ("sys/policy/", &copied),
        ("sys/policy/p", &copied),
        ("sys/auth", &copied),
        ("sys/audit-hash/f", &copied),
        ("sys/capabilities-self", &copied),
        ("sys/rotate", &copied),
        ("sys/audit-hash", &plain),
        ("sys/policies/acl", &plain),
        ("sys/mountsx", &plain),
        ("sys/rotate/config", &plain),
        ("sys/internal/ui/mounts", &plain),
        ("kv/sys/mounts", &plain),
    ];
    for (path, expected) in table {
        let result = Ok(Answer::Open(Box::new(Reply::data(data.clone()))));
        assert_eq!(&answer(path, Operation::Read, result).1, expected, "{path}");
    }
}

#[test]
fn a_wrapped_answer_shows_only_its_wrapping() {
    let info = WrapInfo {
        token: "s.w".into(),
        accessor: "acc".into(),
        ttl: 60,
        creation_time: Timestamp::from_millis(1_500),
        creation_path: "kv/a".into(),
        wrapped_accessor: String::new(),
    };
    let (code, body) = answer("sys/mounts", Operation::Read, Ok(Answer::Wrapped(Box::new(info))));
    let expected = "{\"request_id\":\"\",\"lease_id\":\"\",\"renewable\":false,\"lease_duration\":0,\"data\":null,\
        \"wrap_info\":{\"token\":\"s.w\",\"accessor\":\"acc\",\"ttl\":60,\"creation_time\":\"1970-01-01T00:00:01.5Z\",\
        \"creation_path\":\"kv/a\"},\"warnings\":null,\"auth\":null}\n";
    assert_eq!((code, body.as_str()), (200, expected));
}

#[test]
fn an_unwrapped_answer_is_the_kept_one_under_a_fresh_id() {
    let kept = json!({
        "auth": null, "data": {"b": 1}, "lease_duration": 0, "lease_id": "", "renewable": false,
        "request_id": "old", "warnings": null, "wrap_info": null,
    });
    let (code, body) = answer("sys/wrapping/unwrap", Operation::Update, Ok(Answer::Unwrapped(kept)));
    assert_eq!((code, body), (200, envelope("{\"b\":1}", "null")));
    let plain = answer("x", Operation::Update, Ok(Answer::Unwrapped(json!({"keys": []}))));
    assert_eq!(plain.1, "{\"keys\":[]}\n");
}

#[test]
fn a_token_is_shown_with_every_key_in_order() {
    let auth = Auth {
        client_token: "s.t".into(),
        accessor: "acc".into(),
        policies: vec!["default".into()],
        token_policies: vec!["default".into()],
        identity_policies: vec![],
        metadata: None,
        lease_duration: 3600,
        renewable: true,
        entity_id: String::new(),
        token_type: "service",
        orphan: false,
        mfa_requirement: None,
        num_uses: 0,
    };
    let (code, body) = open(Operation::Update, Reply::token(auth));
    let shown = "\"auth\":{\"client_token\":\"s.t\",\"accessor\":\"acc\",\"policies\":[\"default\"],\
        \"token_policies\":[\"default\"],\"metadata\":null,\"lease_duration\":3600,\"renewable\":true,\"entity_id\":\"\",\
        \"token_type\":\"service\",\"orphan\":false,\"mfa_requirement\":null,\"num_uses\":0}}\n";
    assert_eq!((code, body), (200, envelope("null", "null").replace("\"auth\":null}\n", shown)));
}

#[test]
fn a_lease_duration_shows_without_a_lease() {
    let (_, body) = open(Operation::Read, Reply::data(json!({})).lasting(Duration::from_secs(2_764_800)));
    assert!(body.contains("\"lease_id\":\"\",\"renewable\":false,\"lease_duration\":2764800,"), "{body}");
}
