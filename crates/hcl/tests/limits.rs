//! What a hostile text costs, and what no text can do.

mod shown;

use proptest::prelude::*;
use shown::{shown, written};
use vestal_hcl::{Body, Item, Key, MAX_BYTES, MAX_DEPTH, Position, Value, parse};

#[test]
fn nesting_is_read_to_its_limit_and_no_further() {
    let hcl =
        |depth: usize| format!("a{}{}", "{a".repeat(depth - 1), "{}".to_owned() + &"}".repeat(depth - 1));
    let list = |depth: usize| format!("a={}{}", "[".repeat(depth), "]".repeat(depth));
    let json = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth + 1), "}".repeat(depth + 1));
    let json_list = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    for make in [&hcl as &dyn Fn(usize) -> String, &list, &json, &json_list] {
        assert!(parse(&make(MAX_DEPTH)).is_ok(), "{}", shown(&make(MAX_DEPTH)));
        for depth in [MAX_DEPTH + 1, 100_000] {
            let failure = parse(&make(depth)).unwrap_err();
            assert_eq!(failure.reason(), "objects and lists nest too deeply");
        }
    }
}

#[test]
fn depth_counts_what_is_open_not_what_was() {
    let flat = "a = [{ b { c = [[1]] } }]\n".repeat(1000);
    assert_eq!(parse(&flat).unwrap().items.len(), 1000);
}

#[test]
fn a_text_that_is_too_long_is_refused_unread() {
    let long = "#".repeat(MAX_BYTES);
    assert!(parse(&long).is_ok());
    assert_eq!(shown(&(long + "\"")), "! line 1, column 1: the text is longer than 4194304 bytes");
}

#[test]
fn labels_do_not_multiply_without_bound() {
    let leaves: Vec<String> = (0..20_000).map(|leaf| format!("\"{leaf}\":{{}}")).collect();
    let text =
        format!("{}{}{}", "{\"a\":".repeat(60), format_args!("{{{}}}", leaves.join(",")), "}".repeat(60));
    assert_eq!(parse(&text).unwrap_err().reason(), "too many objects in objects");
}

#[test]
fn neither_errors_nor_debug_show_a_text_value() {
    let texts = [
        r#"a = "hunter2" = 1"#,
        r#"a = ["hunter2" "hunter2"]"#,
        r#"a = "hunter2\q""#,
        "a = \"hunter2\nb\"",
        "a = <<EOF\nhunter2\n",
        r#"{"a": "hunter2" "b": "hunter2"}"#,
        r#"{"a": "hunter2\q"}"#,
    ];
    for text in texts {
        let failure = parse(text).unwrap_err();
        assert!(!format!("{failure} {failure:?}").contains("hunter2"), "{failure}");
    }
    let body = parse(r#"a = "hunter2" b = ["hunter2", { c = "hunter2" }]"#).unwrap();
    assert!(!format!("{body:?}").contains("hunter2"));
    let mismatch = body.last("a").unwrap().integer().unwrap_err();
    assert!(!format!("{mismatch} {mismatch:?}").contains("hunter2"));
}

fn key() -> impl Strategy<Value = Key> {
    let text =
        prop_oneof![Just((String::from("word-1.x"), false)), any::<String>().prop_map(|text| (text, true))];
    text.prop_map(|(text, quoted)| Key { text, quoted, at: Position { line: 1, column: 1 } })
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Integer),
        (-1e15_f64..1e15).prop_map(Value::Float),
        any::<String>().prop_map(Value::Text),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            body_of(inner).prop_map(Value::Object),
        ]
    })
}

fn body_of(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Body> {
    let item =
        (prop::collection::vec(key(), 1..4), value, any::<bool>()).prop_map(|(mut keys, value, assigned)| {
            let assigned = assigned || !matches!(value, Value::Object(_));
            if assigned {
                keys.truncate(1);
            }
            Item { keys, value, assigned }
        });
    prop::collection::vec(item, 0..4).prop_map(|items| Body { items })
}

/// Forgets where things stood.
fn placeless(mut body: Body) -> Body {
    fn value_placeless(value: Value) -> Value {
        match value {
            Value::List(list) => Value::List(list.into_iter().map(value_placeless).collect()),
            Value::Object(body) => Value::Object(placeless(body)),
            plain => plain,
        }
    }
    for item in &mut body.items {
        for key in &mut item.keys {
            key.at = Position { line: 1, column: 1 };
        }
        item.value = value_placeless(std::mem::replace(&mut item.value, Value::Null));
    }
    body
}

fn soup() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "a", "path", "\"x\"", "\"", "=", "{", "}", "[", "]", ",", ":", "1", "-", ".", "0x", "08", "1e",
        "true", "null", "\n", "\r\n", " ", "#", "//", "/*", "*/", "<<EOF\n", "EOF\n", "<<-E\n", " E\n", "${",
        "\\", "\\u00", "é", "\0", "{\"a\":", "\u{feff}",
    ]);
    prop::collection::vec(pieces, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in any::<String>()) {
        let _ = parse(&text);
        let _ = parse(&format!("{{{text}"));
    }

    #[test]
    fn no_order_of_tokens_makes_the_reader_panic(text in soup()) {
        if let Err(failure) = parse(&text) {
            let lines = text.replace("\r\n", "\n").split('\n').count();
            prop_assert!((1..=lines).contains(&failure.at().line));
        }
    }

    #[test]
    fn a_tree_that_is_written_is_read_as_it_was(body in body_of(value())) {
        let text = format!("# a comment, so that no brace comes first\n{}", written(&body));
        let read = parse(&text).map_err(|failure| TestCaseError::fail(format!("{failure}\n{text}")))?;
        prop_assert_eq!(placeless(read), body);
    }

    #[test]
    fn json_that_another_writer_wrote_is_read(text in any::<String>(), number in any::<i64>(), flag: bool) {
        let quoted = serde_json::to_string(&text).unwrap();
        let body = parse(&format!("{{{quoted}: [{quoted}, {number}, {flag}, null]}}"));
        let body = body.map_err(|failure| TestCaseError::fail(failure.to_string()))?;
        prop_assert_eq!(body.items[0].key(), &text);
        let expected = vec![Value::Text(text), Value::Integer(number), Value::Bool(flag), Value::Null];
        prop_assert_eq!(&body.items[0].value, &Value::List(expected));
    }
}
