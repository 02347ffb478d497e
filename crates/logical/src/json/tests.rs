use proptest::prelude::*;
use serde_json::json;

use super::*;

fn read(body: &[u8]) -> Result<Value, String> {
    object(body, &JsonLimits::default()).map(Value::Object).map_err(|fault| fault.to_string())
}

fn malformed(why: &str) -> Result<Value, String> {
    Err(format!("failed to decode JSON input: {why}"))
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn bodies_are_read_as_vault_reads_them() {
    let none = || Ok(json!({}));
    let no_value = || malformed("invalid character looking for beginning of value");
    let table: Vec<(&[u8], Result<Value, String>)> = vec![
        (b"", none()),
        (b"  \n", none()),
        (b"null", none()),
        (b" null ", none()),
        (b"{}", none()),
        (b"null{\"a\":1}", none()),
        (b"  \n{\"a\":1}\n\n", Ok(json!({"a": 1}))),
        (b"{\"a\":1}{\"b\":2}", Ok(json!({"a": 1}))),
        (b"{\"a\":1}{", Ok(json!({"a": 1}))),
        (b"{\"a\":1} \"s\"", Ok(json!({"a": 1}))),
        (b"{\"a\":1,\"a\":2}", Ok(json!({"a": 2}))),
        (b"{\"A\":1,\"a\":2}", Ok(json!({"A": 1, "a": 2}))),
        (b"{\"\":1}", Ok(json!({"": 1}))),
        (
            b"{\"a\":{\"b\":[1,2,{\"c\":null}],\"d\":[]}}",
            Ok(json!({"a": {"b": [1, 2, {"c": null}], "d": []}})),
        ),
        (b"{\"a\":[true,false,null]}", Ok(json!({"a": [true, false, null]}))),
        (b"{\"a\":\"\\u0000\\\"\\\\\\/\\b\\f\\n\\r\\t\"}", Ok(json!({"a": "\0\"\\/\u{8}\u{c}\n\r\t"}))),
        (b"{\"a\":\"\\ud83d\\ude00\"}", Ok(json!({"a": "😀"}))),
        (b"{\"a\":\"\\ud800\"}", Ok(json!({"a": "\u{fffd}"}))),
        (b"{\"a\":\"\\ud800\\u0041\"}", Ok(json!({"a": "\u{fffd}A"}))),
        (b"{\"a\":\"\\udc00x\"}", Ok(json!({"a": "\u{fffd}x"}))),
        (b"{\"a\":\"\xff\"}", Ok(json!({"a": "\u{fffd}"}))),
        (b"[]", malformed("expected an object, found an array")),
        (b"\"a\"", malformed("expected an object, found a string")),
        (b"1", malformed("expected an object, found a number")),
        (b"true", malformed("expected an object, found a boolean")),
        (b"nul", malformed("unexpected EOF")),
        (b"{", malformed("unexpected EOF")),
        (b"{\"a\":1", malformed("unexpected EOF")),
        (b"{\"a\":\"secret", malformed("unexpected EOF")),
        (b"{\"a\":-", malformed("unexpected EOF")),
        (b"{\"a\":\"\\u12", malformed("unexpected EOF")),
        (b"}", no_value()),
        (b"{\"a\":1}x", no_value()),
        (b"{\"a\":1} x", no_value()),
        (b"{\"a\":1}}", no_value()),
        (b"{\"a\":1}]", no_value()),
        (b"{\"a\":1}\0", no_value()),
        (b"null x", no_value()),
        (b"[1,2]x", no_value()),
        (b"\x0c{\"a\":1}", no_value()),
        (b"\xef\xbb\xbf{\"a\":1}", no_value()),
        (b"{\"a\":+1}", no_value()),
        (b"{\"a\":.5}", no_value()),
        (b"{\"a\":NaN}", no_value()),
        (b"{\"a\":/*c*/1}", no_value()),
        (b"{\"a\":1,}", malformed("invalid character looking for beginning of object key string")),
        (b"{a:1}", malformed("invalid character looking for beginning of object key string")),
        (b"{'a':1}", malformed("invalid character looking for beginning of object key string")),
        (b"{\"a\":01}", malformed("invalid character after object key:value pair")),
        (b"{\"a\" \"b\"}", malformed("invalid character after object key")),
        (b"{\"a\":\"b\",\"c\"}", malformed("invalid character after object key")),
        (b"{\"a\":[1,2}", malformed("invalid character after array element")),
        (b"{\"a\":[1,]}", no_value()),
        (b"{\"a\":1.}", malformed("invalid character in numeric literal")),
        (b"{\"a\":1e}", malformed("invalid character in numeric literal")),
        (b"--x", malformed("invalid character in numeric literal")),
        (b"{\"a\":1e999}", malformed("a number is out of range")),
        (b"{\"a\":tru}", malformed("invalid character in literal")),
        (b"{\"a\":\"\\x\"}", malformed("invalid escape sequence in string")),
        (b"{\"a\":\"\\u12g4\"}", malformed("invalid escape sequence in string")),
        (b"{\"a\":\"\\u+123\"}", malformed("invalid escape sequence in string")),
        (b"{\"a\":\"\x01\"}", malformed("invalid control character in string")),
        (b"{\"a\":\"tab\tx\"}", malformed("invalid control character in string")),
    ];
    for (body, expected) in table {
        assert_eq!(read(body), expected, "{}", String::from_utf8_lossy(body));
    }
}

#[test]
fn numbers_keep_their_text() {
    for text in ["1.50", "12345678901234567890", "1E5", "1e+5", "1E-7", "-0", "-0.0", "0.10", "1e300"] {
        let body = format!("{{\"a\":{text}}}");
        let members = object(body.as_bytes(), &JsonLimits::default()).unwrap();
        assert_eq!(serde_json::to_string(&members).unwrap(), body);
    }
}

#[test]
fn no_key_has_a_meaning_of_its_own() {
    for key in ["$serde_json::private::Number", "$serde_json::private::RawValue"] {
        let body = format!("{{\"a\":{{\"{key}\":\"1\"}},\"{key}\":\"[\"}}");
        let members = object(body.as_bytes(), &JsonLimits::default()).unwrap();
        assert_eq!(members[key], json!("["));
        assert!(members["a"].is_object());
    }
}

#[test]
fn limits_hold_while_reading() {
    let deep = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
    let texts = |count: usize| format!("{{\"a\":[{}]}}", vec!["\"x\""; count - 1].join(","));
    let pairs = |count: usize| {
        let pairs: Vec<_> = (0..count).map(|at| format!("\"k{at}\":\"v\"")).collect();
        format!("{{{}}}", pairs.join(","))
    };
    let same = |count: usize| format!("{{{}}}", vec!["\"a\":1"; count].join(","));
    let numbers = |count: usize| format!("{{\"a\":[{}]}}", vec!["1"; count].join(","));
    let strings = "refused JSON input due to high complexity: exceeded maximum number of strings";
    let memory = "refused JSON input due to high complexity: exceeded maximum estimated memory limits";
    let depth = "failed to decode JSON input: exceeded max depth";
    let table = [
        ("depth", deep(128), None),
        ("depth + 1", deep(129), Some(depth)),
        ("unclosed", "[".repeat(500_000), Some(depth)),
        ("unclosed objects", "{\"a\":".repeat(500_000), Some(depth)),
        ("strings", texts(1000), None),
        ("strings + 1", texts(1001), Some(strings)),
        ("pairs", pairs(500), None),
        ("pairs + 1", pairs(501), Some(strings)),
        ("keys", same(1000), None),
        ("keys + 1", same(1001), Some(strings)),
        ("keys before the type is known", format!("[{}]", vec!["\"x\""; 2000].join(",")), Some(strings)),
        ("a long key", format!("{{\"{}\":1}}", "k".repeat(1 << 20)), None),
        ("numbers", numbers(250_000), None),
        ("more numbers", numbers(300_000), Some(memory)),
        ("empty objects", format!("{{\"a\":[{}]}}", vec!["{}"; 300_000].join(",")), Some(memory)),
        ("empty arrays in arrays", format!("{{\"a\":[{}]}}", vec!["[[]]"; 100_000].join(",")), Some(memory)),
    ];
    for (name, body, fault) in table {
        let outcome = object(body.as_bytes(), &JsonLimits::default()).err().map(|fault| fault.to_string());
        assert_eq!(outcome.as_deref(), fault, "{name}");
    }
}

#[test]
fn a_hostile_body_is_refused_after_a_small_part_of_it() {
    // What is left unread shows that the limits act while reading, without a clock.
    let body = format!("{{\"a\":[{}", "\"x\",".repeat(1 << 20));
    let limits = JsonLimits::default();
    let mut reader = Reader::new(body.as_bytes(), &limits);
    assert_eq!(reader.value(), Err(TOO_MANY_STRINGS));
    assert!(body.len() - reader.rest.len() < 5000);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(".{0,4}", inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_serde_writes_is_read_back(members in prop::collection::btree_map(".{0,4}", any_json(), 0..6)) {
        let whole = Value::Object(members.into_iter().collect());
        let body = serde_json::to_vec(&whole).unwrap();
        prop_assert_eq!(read(&body), Ok(whole));
    }

    #[test]
    fn no_bytes_make_it_panic_and_no_fault_repeats_them(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&body);
    }

    #[test]
    fn nearly_json_does_not_make_it_panic(body in "[\\[\\]{}:,\"0-9eE.+\\-\\\\untrfals ]{0,60}") {
        let _ = read(body.as_bytes());
    }

    #[test]
    fn what_is_accepted_says_the_same_as_serde(body in "\\{\"[a-c]\":[\\[\\]{}:,\"0-9eE.\\- ]{0,12}\\}") {
        if let Ok(ours) = read(body.as_bytes())
            && let Ok(theirs) = serde_json::from_str::<Value>(&body)
        {
            // Ours keeps the text of a number; serde writes its exponent anew, so ours takes the same road once more.
            let again: Value = serde_json::from_str(&ours.to_string()).unwrap();
            prop_assert_eq!(again, theirs);
        }
    }
}

#[test]
fn what_was_stored_is_read_as_it_was_sent() {
    let deep = format!("{}1E5{}", "[".repeat(128), "]".repeat(128));
    for number in
        ["1e5", "1E5", "1E+2", "1e-7", "1.0E10", "-0", "-0e1", "0e0", "1.50", &"9".repeat(40), &deep]
    {
        let sent = format!("{{\"a\":{number}}}");
        let kept = serde_json::to_string(&stored(sent.as_bytes()).unwrap()).unwrap();
        assert_eq!(kept, sent);
        assert_eq!(stored(kept.as_bytes()).unwrap().to_string(), sent);
    }
    for damaged in ["", "{", "{}x", "{\"a\":}"] {
        assert!(stored(damaged.as_bytes()).is_err(), "{damaged}");
    }
    assert!(stored_object(b"[]").is_err());
}
