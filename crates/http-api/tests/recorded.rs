//! 500 odd requests, and what OpenBao 2.7.2 made of each: its answer if it refused, else the operation, path, data and
//! wrapping time that its audit log showed. A row in which we differ says what we do instead, and why.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod support;

use serde_json::{Map, Value, json};
use support::{FakeKernel, Raw, Running, send, start};
use vestal_http_api::Limits;

/// Each character is a byte.
fn bytes(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
}

/// A text, or a list of texts with the number of times that each is repeated.
fn expand(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => bytes(text),
        Value::Array(pieces) => pieces
            .iter()
            .flat_map(|piece| {
                bytes(piece[0].as_str().unwrap()).repeat(usize::try_from(piece[1].as_u64().unwrap()).unwrap())
            })
            .collect(),
        other => panic!("{other}"),
    }
}

fn request(send: &Value) -> Vec<u8> {
    let mut out = bytes(send["method"].as_str().unwrap());
    out.push(b' ');
    out.extend(bytes(send["target"].as_str().unwrap()));
    out.extend(b" HTTP/1.1\r\nConnection: close\r\n");
    if send.get("host") != Some(&json!(false)) {
        out.extend(b"Host: h\r\n");
    }
    if send.get("token").is_none() {
        out.extend(b"X-Vault-Token: root\r\n");
    }
    for header in send["headers"].as_array().into_iter().flatten() {
        for _ in 0..header[2].as_u64().unwrap() {
            out.extend(bytes(header[0].as_str().unwrap()));
            out.extend(b": ");
            out.extend(expand(&header[1]));
            out.extend(b"\r\n");
        }
    }
    let body = send.get("body").map(expand);
    if let Some(body) = &body {
        out.extend(format!("Content-Length: {}\r\n", body.len()).into_bytes());
    }
    out.extend(b"\r\n");
    out.extend(body.unwrap_or_default());
    out
}

/// The row as OpenBao's was recorded.
fn outcome(running: &Running, raw: Option<&Raw>) -> Value {
    if let Some(request) = running.kernel.take_seen().pop() {
        let mut row = json!({"operation": request.operation, "path": request.path, "data": request.data});
        if let Some(wrap) = request.wrap {
            row["wrap"] = json!(wrap.ttl.as_secs());
        }
        return row;
    }
    let raw = raw.expect("an answer");
    let mut row = json!({"status": raw.status, "body": raw.text(), "type": raw.header("content-type").unwrap_or_default()});
    for (header, key) in [("location", "location"), ("x-vault-namespace", "namespace")] {
        if let Some(value) = raw.header(header) {
            row[key] = json!(value);
        }
    }
    row
}

/// What is not compared: bodies of plain HTTP errors and of large data, which are not recorded, and the part of a JSON
/// error in which the reference repeats a byte of the body.
fn comparable(expected: &Value, found: &Value) -> (Value, Value) {
    let trimmed = |row: &Value| {
        let keys: Map<String, Value> = row
            .as_object()
            .unwrap()
            .iter()
            .filter(|(key, _)| expected.get(key.as_str()).is_some())
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let mut row = Value::Object(keys);
        let decoding = "{\"errors\":[\"failed to decode JSON input: ";
        if row["body"].as_str().is_some_and(|body| body.starts_with(decoding)) {
            row["body"] = json!(decoding);
        }
        row
    };
    (trimmed(expected), trimmed(found))
}

#[tokio::test]
async fn requests_are_understood_as_openbao_understands_them() {
    let running = start(FakeKernel::obliging(), Limits::default());
    let mut rows = 0;
    let mut failures = Vec::new();
    for line in include_str!("recorded/requests.jsonl").lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let raw = send(running.address, &request(&row["send"])).await;
        let found = outcome(&running, raw.as_ref());
        let expected = row.get("vestal").unwrap_or(&row["bao"]);
        let (expected, found) = comparable(expected, &found);
        rows += 1;
        if expected != found {
            let shown: String = row["send"].to_string().chars().take(200).collect();
            failures.push(format!("{shown}\n  expected {expected}\n  found    {found}"));
        }
    }
    assert!(rows > 450, "{rows}");
    assert!(failures.is_empty(), "{} of {rows}:\n{}", failures.len(), failures.join("\n"));
}
