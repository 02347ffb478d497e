//! The endpoint table, driven by a small engine, and the leniencies of its input.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::decode::decode_as;
use crate::params::{CommaList, Fields, KeyValues, Members, NoFields, Seconds, duration_text};
use crate::{Call, Dialect, Endpoints, Error, MountPoint, Operation, Reply, Table, Timestamp};

struct Shelf;

#[derive(Deserialize, JsonSchema)]
struct ReadBook {
    /// Name of the book.
    name: String,
    /// How long to wait.
    #[serde(default)]
    patience: Seconds,
}

#[derive(Serialize)]
struct Book {
    name: String,
    patience: u64,
}

async fn read(_: &Arc<Shelf>, call: &Call, p: ReadBook) -> Result<Reply<Book>, Error> {
    tokio::task::yield_now().await;
    assert_eq!(call.capture("name"), p.name);
    Ok(Reply::data(Book { name: p.name, patience: p.patience.or(7) }))
}

async fn list(_: &Arc<Shelf>, _: &Call, _: NoFields) -> Result<Reply<Value>, Error> {
    Ok(Reply::data(json!({ "keys": ["a"] })))
}

async fn keep(_: &Arc<Shelf>, _: &Call, p: Fields) -> Result<Reply<Value>, Error> {
    Ok(Reply::data(Value::Object(p.0)))
}

async fn exists(_: &Arc<Shelf>, call: &Call) -> Result<bool, Error> {
    Ok(call.capture("name") == "there")
}

fn table() -> Table<Shelf> {
    let endpoints = Endpoints::new()
        .at("books/{*name}", "One book.", |e| {
            e.read(read, "Show a book.").exists(exists).only(|name| !name.contains(':'))
        })
        .at("books/", "All books.", |e| e.list(list, "List books."))
        .at("notes/{*path}", "A note.", |e| e.write(keep, "Keep a note.").sudo());
    Table::new(endpoints).expect("no conflict")
}

fn call(operation: Operation, path: &str, captures: &[(&'static str, String)], data: &Value) -> Call {
    let shelf = MountPoint {
        path: "shelf/".into(),
        kind: "shelf".into(),
        accessor: "shelf_1".into(),
        uuid: "u".into(),
        options: BTreeMap::new(),
        default_lease: Duration::ZERO,
        max_lease: Duration::ZERO,
    };
    crate::testing::call(&Arc::new(shelf), operation, path, captures, data)
}

async fn ask(operation: Operation, path: &str, data: Value) -> Result<Reply<Value>, Error> {
    let table = table();
    let matched = table.find(path).ok_or_else(Error::unsupported_path)?;
    let call = call(operation, path, &matched.captures, &data);
    table.run(&Arc::new(Shelf), &matched, &call).await
}

#[tokio::test]
async fn a_handler_gets_what_its_template_captured_and_converted() {
    let reply = ask(Operation::Read, "books/a/b", json!({ "patience": "2m" })).await.unwrap();
    assert_eq!(reply.body, crate::Body::Data(json!({ "name": "a/b", "patience": 120 })));
    assert!(reply.warnings.is_empty());
}

#[tokio::test]
async fn unknown_and_replaced_fields_are_told_of() {
    let reply = ask(Operation::Read, "books/a", json!({ "z": 1, "b": 2, "name": "x" })).await.unwrap();
    assert_eq!(
        reply.warnings,
        [
            "Endpoint ignored these unrecognized parameters: [b z]",
            "Endpoint replaced the value of these parameters with the values captured from the endpoint's path: [name]"
        ]
    );
}

#[tokio::test]
async fn a_bad_field_is_named_and_its_value_is_not() {
    let error = ask(Operation::Read, "books/a", json!({ "patience": "hunter2" })).await.unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("Field validation failed: error converting input for field \"patience\": time: ")
    );
    assert!(!error.to_string().contains("hunter2"));
}

#[tokio::test]
async fn an_operation_that_is_not_offered_and_a_path_that_is_not_there_differ() {
    let cases = [
        (Operation::Delete, "books/a", "unsupported operation"),
        (Operation::Help, "books/a", "unsupported operation"),
        (Operation::Read, "books/a:b", "unsupported path"),
        (Operation::Read, "films/a", "unsupported path"),
        (Operation::Read, "books", "unsupported path"),
        (Operation::Read, "books/", "unsupported operation"),
    ];
    for (operation, path, text) in cases {
        assert_eq!(ask(operation, path, json!({})).await.unwrap_err().to_string(), text, "{path}");
    }
}

#[tokio::test]
async fn open_endpoints_keep_every_field_and_declare_none() {
    let reply = ask(Operation::Create, "notes/a", serde_json::from_str(r#"{"path":1.50,"x":null}"#).unwrap())
        .await
        .unwrap();
    assert_eq!(serde_json::to_string(&reply.body_json()).unwrap(), r#"{"path":1.50,"x":null}"#);
    assert!(reply.warnings.is_empty());
}

#[tokio::test]
async fn existence_is_told_only_where_it_is_declared() {
    let table = table();
    for (path, expected) in [("books/there", Some(true)), ("books/x", Some(false)), ("notes/x", None)] {
        let matched = table.find(path).unwrap();
        let call = call(Operation::Update, path, &matched.captures, &json!({}));
        assert_eq!(table.exists(&Arc::new(Shelf), &matched, &call).await.unwrap(), expected, "{path}");
    }
}

#[test]
fn declarations_are_told_without_an_engine() {
    let table = table();
    let declaration = table.declaration(&table.find("notes/x").unwrap()).unwrap().clone();
    assert!(declaration.open);
    assert_eq!(declaration.sudo, [Operation::Update]);
    let help = table.declaration(&table.find("books/x").unwrap()).unwrap().help("books/x", "shelf/");
    assert!(help.contains("Name of the book.") && help.contains("read: Show a book."), "{help}");
}

#[derive(Debug, Deserialize, PartialEq, Default)]
#[serde(default)]
struct Everything {
    text: Option<String>,
    yes: bool,
    count: i64,
    factor: f64,
    span: Seconds,
    list: CommaList,
    pairs: KeyValues,
}

fn read_all(input: Value) -> Result<Everything, String> {
    read_as(input, Dialect::Loaded)
}

fn read_as(input: Value, dialect: Dialect) -> Result<Everything, String> {
    let Value::Object(input) = input else { panic!("an object") };
    decode_as(input, dialect).map_err(|error| error.to_string())
}

#[test]
fn numbers_are_read_more_strictly_for_what_is_built_in() {
    let read = |input| read_as(input, Dialect::BuiltIn);
    assert!(read(json!({ "yes": 1 })).unwrap().yes);
    assert_eq!(read(json!({ "count": 3 })).unwrap().count, 3);
    for (sent, field, reason) in [
        (json!({ "yes": 2 }), "yes", "'' cannot parse value as 'bool': strconv.ParseBool: invalid syntax"),
        (json!({ "yes": "on" }), "yes", "'' cannot parse value as 'bool': strconv.ParseBool: invalid syntax"),
        (
            json!({ "count": 1.5 }),
            "count",
            "'' cannot parse value as 'int': strconv.ParseInt: invalid syntax",
        ),
        (
            json!({ "count": "x" }),
            "count",
            "'' cannot parse value as 'int': strconv.ParseInt: invalid syntax",
        ),
        (json!({ "pairs": "x" }), "pairs", "invalid key pair at index 0 in field \"pairs\""),
        (
            json!({ "list": [["a"]] }),
            "list",
            "decoding failed due to the following error(s):\n\n'[0]' expected type 'string', got unconvertible type '[]interface {}'",
        ),
    ] {
        let text = format!("Field validation failed: error converting input for field \"{field}\": {reason}");
        assert_eq!(read(sent).err(), Some(text));
    }
}

#[test]
fn an_object_is_asked_for_leniently_and_refused_in_the_words_of_the_clients() {
    let read = |value: Value| serde_json::from_value::<Members>(value).map_err(|error| error.to_string());
    assert_eq!(read(json!(null)).unwrap().0, None);
    assert_eq!(read(json!([])).unwrap().0, Some(Map::new()));
    assert_eq!(read(json!([{ "a": 1 }, { "b": 2 }])).unwrap().0.unwrap().len(), 2);
    for (sent, place, kind) in
        [(json!("x"), "", "string"), (json!(1), "", "json.Number"), (json!(["x"]), "[0]", "string")]
    {
        let text =
            format!("'{place}' expected type 'map[string]interface {{}}', got unconvertible type '{kind}'");
        assert_eq!(read(sent).unwrap_err(), text);
    }
}

#[derive(Deserialize, JsonSchema)]
struct Numbered {
    number: i64,
}

async fn numbered(_: &Arc<Shelf>, _: &Call, p: Numbered) -> Result<Reply<Value>, Error> {
    Ok(Reply::data(json!(p.number)))
}

#[tokio::test]
async fn a_repeated_parameter_of_a_query_is_told_as_a_list_of_texts() {
    let table = Endpoints::new().at("n", "A number.", |e| e.read(numbered, "Show.").write(numbered, "Keep."));
    let table = Table::new(table).unwrap();
    let matched = table.find("n").unwrap();
    for (operation, kind) in [(Operation::Read, "[]string"), (Operation::Update, "[]interface {}")] {
        let call = call(operation, "n", &[], &json!({ "number": ["1", "2"] }));
        let told = table.run(&Arc::new(Shelf), &matched, &call).await.unwrap_err().to_string();
        assert!(told.ends_with(&format!("unconvertible type '{kind}'")), "{told}");
    }
}

#[tokio::test]
async fn a_write_whose_target_is_looked_for_first_says_so_of_its_input() {
    let endpoints =
        Endpoints::new().at("books/{*name}", "One book.", |e| e.write(read, "Keep it.").exists(exists));
    let table = Table::new(endpoints).unwrap();
    let matched = table.find("books/a").unwrap();
    let call = call(Operation::Update, "books/a", &matched.captures, &json!({ "patience": "x" }));
    let error = table.run(&Arc::new(Shelf), &matched, &call).await.unwrap_err();
    assert!(error.to_string().starts_with("error converting input for field \"patience\": "), "{error}");
}

#[test]
fn numbers_as_texts_have_no_exponent_for_what_is_loaded() {
    for (sent, expected) in [
        ("1000.0", "1000"),
        ("1e3", "1000"),
        ("1E21", "1000000000000000000000"),
        ("1.50", "1.5"),
        ("-0.25e-1", "-0.025"),
        ("12345678901234567890123", "12345678901234567890123"),
        ("1e999", "1e+999"),
    ] {
        let input: Value =
            serde_json::from_str(&format!(r#"{{"text":{sent},"list":[{sent}],"pairs":{{"a":{sent}}}}}"#))
                .unwrap();
        let found = read_all(input.clone()).unwrap();
        assert_eq!(found.text.as_deref(), Some(expected), "{sent}");
        assert_eq!(
            (found.list.0, found.pairs.0["a"].as_str()),
            (vec![expected.to_owned()], expected),
            "{sent}"
        );
        let built_in = read_as(input, Dialect::BuiltIn).unwrap();
        assert_eq!(
            built_in.text,
            Some(sent.parse::<serde_json::Number>().unwrap().to_string()),
            "what is built in keeps the digits"
        );
    }
}

#[test]
fn leniencies_of_the_clients_are_honoured() {
    let read = |input| read_all(input).unwrap();
    for (sent, expected) in [(json!(5), "5"), (json!(true), "1"), (json!(null), ""), (json!("x"), "x")] {
        assert_eq!(read(json!({ "text": sent })).text.as_deref(), Some(expected));
    }
    assert_eq!(read(json!({})).text, None);
    for (sent, expected) in
        [(json!(0), false), (json!(2), true), (json!("T"), true), (json!(""), false), (json!(null), false)]
    {
        assert_eq!(read(json!({ "yes": sent })).yes, expected);
    }
    for (sent, expected) in [
        (json!(3.9), 3),
        (json!(1e1), 10),
        (json!("0x1f"), 31),
        (json!("010"), 8),
        (json!(null), 0),
        (json!("-4"), -4),
    ] {
        assert_eq!(read(json!({ "count": sent })).count, expected);
    }
    for (sent, expected) in [(json!("1.5"), 1.5), (json!(2), 2.0), (json!(""), 0.0)] {
        assert!((read(json!({ "factor": sent })).factor - expected).abs() < f64::EPSILON);
    }
    for (sent, expected) in [
        (json!(1.5), Some(1)),
        (json!("+5"), Some(5)),
        (json!("1h30m"), Some(5400)),
        (json!("1500ms"), Some(1)),
        (json!("-0.5s"), Some(0)),
        (json!("-999ms"), Some(0)),
        (json!("2d"), Some(172_800)),
        (json!(""), Some(0)),
        (json!(null), None),
    ] {
        assert_eq!(read(json!({ "span": sent })).span.given(), expected);
    }
    for (sent, expected) in [
        (json!("a, b,,c"), vec!["a", "b", "", "c"]),
        (json!(["a,b ", true, null, 4]), vec!["a,b", "1", "", "4"]),
        (json!(7), vec!["7"]),
        (json!(""), vec![]),
    ] {
        assert_eq!(read(json!({ "list": sent })).list.0, expected);
    }
    for (sent, expected) in [
        (json!({ "a": 1, "b": null }), vec![("a", "1"), ("b", "")]),
        (json!(["a=1", "b=x=y"]), vec![("a", "1"), ("b", "x=y")]),
        (json!("a=1,b=2"), vec![("a", "1,b=2")]),
        (json!([]), vec![]),
    ] {
        let expected: BTreeMap<_, _> =
            expected.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        assert_eq!(read(json!({ "pairs": sent })).pairs.0, expected);
    }
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    for (field, bad) in [
        ("text", json!([])),
        ("text", json!({})),
        ("yes", json!("on")),
        ("yes", json!([])),
        ("count", json!("1.5")),
        ("count", json!(" 1")),
        ("factor", json!("NaN")),
        ("factor", json!({})),
        ("span", json!("1.5")),
        ("span", json!("1d12h")),
        ("span", json!("1w")),
        ("span", json!("abc")),
        ("span", json!(true)),
        ("span", json!(-1)),
        ("span", json!("-1s")),
        ("span", json!(99_999_999_999_u64)),
        ("list", json!({ "a": "b" })),
        ("list", json!([["a"]])),
        ("pairs", json!("")),
        ("pairs", json!("=x")),
        ("pairs", json!(5)),
        ("pairs", json!({ "a": [] })),
        ("pairs", json!(["novalue"])),
    ] {
        let mut input = Map::new();
        input.insert(field.to_owned(), bad.clone());
        let error = read_all(Value::Object(input)).expect_err(&format!("{field} {bad}"));
        let head = format!("Field validation failed: error converting input for field \"{field}\": ");
        assert!(error.starts_with(&head), "{error}");
    }
}

#[test]
fn durations_are_read_as_clients_write_them() {
    for (text, nanos) in [
        ("1.5h", 5_400_000_000_000),
        ("90", 90_000_000_000),
        ("100us", 100_000),
        (".5s", 500_000_000),
        ("-2m", -120_000_000_000),
    ] {
        assert_eq!(duration_text(text), Ok(nanos), "{text}");
    }
    for text in ["s", "1", "x", "1x", ".", "-", "1..5s", "1h-3m", "+-1s"] {
        assert_eq!(duration_text(text).is_ok(), text == "1", "{text}");
    }
}

#[test]
fn instants_are_told_as_rfc_3339_and_sort_as_index_words() {
    let at = Timestamp::from_nanos(1_790_000_000_160_885_500);
    assert_eq!(at.to_string(), "2026-09-21T14:13:20.1608855Z");
    assert_eq!(Timestamp::parse(&at.to_string()), Some(at));
    assert_eq!(Timestamp::from_index_word(&at.index_word()), Some(Timestamp::from_millis(at.millis())));
    assert!(Timestamp::from_seconds(9).index_word() < Timestamp::from_seconds(10).index_word());
}

/// CVE-2025-4166: a malformed write put the secret into the error and the log.
#[test]
fn no_error_quotes_the_value_that_does_not_fit() {
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only the refusal matters")]
    struct Odd {
        map: Option<BTreeMap<String, String>>,
        pair: Option<(u8, u8)>,
        choice: Option<Choice>,
        number: Option<u8>,
        yes: Option<bool>,
        list: Option<Vec<u8>>,
    }
    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Choice {
        This,
    }
    for (field, value) in [
        ("map", json!("hunter2, expected nothing")),
        ("map", json!({ "inner": ["hunter2"] })),
        ("pair", json!("hunter2")),
        ("choice", json!("hunter2")),
        ("choice", json!({ "hunter2": 1 })),
        ("number", json!("hunter2")),
        ("yes", json!("hunter2")),
        ("list", json!("hunter2")),
        ("list", json!(["hunter2"])),
    ] {
        let error = crate::decode::<Odd>(Map::from_iter([(field.to_owned(), value.clone())])).unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{value}: {error}");
        assert!(error.to_string().contains(field), "{error}");
    }
}

/// Requests and answers end up in logs and panics by accident.
#[test]
fn what_clients_send_and_get_is_not_shown_for_debugging() {
    let secret = "hunter2";
    let data = Map::from_iter([(secret.to_owned(), json!(secret))]);
    let request = crate::Request {
        id: "1".to_owned(),
        operation: Operation::Read,
        path: secret.to_owned(),
        data: data.clone(),
        token: Some(secret.into()),
        wrap: None,
        peer: None,
        headers: vec![("x".to_owned(), secret.to_owned())],
        now: Timestamp::MAX,
        deadline: Timestamp::MAX,
    };
    let answer = |answer| crate::Response {
        request_id: "1".to_owned(),
        path: secret.to_owned(),
        operation: Operation::Read,
        result: Ok(answer),
    };
    let shown = [
        format!("{request:?}"),
        format!(
            "{:?}",
            call(Operation::Read, secret, &[("name", secret.to_owned())], &json!({ secret: secret }))
        ),
        format!("{:?}", answer(crate::Answer::Open(Box::new(Reply::data(Value::Object(data.clone())))))),
        format!("{:?}", answer(crate::Answer::Unwrapped(Value::Object(data)))),
    ];
    for text in shown {
        assert!(!text.contains(secret), "{text}");
    }
}
