//! The formats, on values made to be awkward. What whole answers look like is compared with recordings in
//! `cli/tests`.

use serde_json::{Value, json};

use super::{Format, columns, headed, shown, structured, wrapped};

#[test]
fn values_are_shown_as_go_shows_them() {
    let cases = [
        (json!(null), "<nil>"),
        (json!(true), "true"),
        (json!("a b"), "a b"),
        (json!([1, "x", null]), "[1 x <nil>]"),
        (json!({ "b": 1, "a": { "c": [] } }), "map[a:map[c:[]] b:1]"),
    ];
    for (value, expected) in cases {
        assert_eq!(shown(&value), expected);
    }
}

#[test]
fn columns_are_as_wide_as_their_widest_cell_and_the_last_is_not_padded() {
    let rows = vec![vec!["∞".to_owned(), "x".to_owned()], vec!["long".to_owned(), String::new()]];
    assert_eq!(columns(&rows), "∞       x\nlong    n/a");
    assert_eq!(headed(&["Keys"], vec![vec!["a".to_owned()]]), "Keys\n----\na");
}

#[test]
fn words_are_wrapped_at_78_columns() {
    let text = "word ".repeat(20);
    let lines = wrapped(text.trim_end(), 2);
    assert!(lines.lines().all(|line| line.starts_with("  word") && line.len() <= 78), "{lines}");
    assert_eq!(lines.lines().count(), 2);
}

#[test]
fn json_escapes_what_go_escapes_and_keeps_the_text_of_numbers() {
    let value: Value =
        serde_json::from_str(r#"{"a":"<&>\u2028","n":1.50,"big":12345678901234567890}"#).unwrap();
    let expected =
        "{\n  \"a\": \"\\u003c\\u0026\\u003e\\u2028\",\n  \"big\": 12345678901234567890,\n  \"n\": 1.50\n}";
    assert_eq!(structured(Format::Json, &value), expected);
}

#[test]
fn yaml_numbers_take_the_shortest_form() {
    let cases = [
        ("1.50", "1.5"),
        ("1e30", "1e+30"),
        ("2.0", "2"),
        ("0.00001", "1e-05"),
        ("-5", "-5"),
        ("0.5", "0.5"),
    ];
    for (text, expected) in cases {
        let value: Value = serde_json::from_str(text).unwrap();
        assert_eq!(structured(Format::Yaml, &value), expected, "{text}");
    }
}

#[test]
fn yaml_keys_sort_by_number_where_they_hold_one() {
    let value = json!({ "v10": 1, "v9": 2, "10": [], "9": {}, "a": null });
    assert_eq!(structured(Format::Yaml, &value), "\"9\": {}\n\"10\": []\na: null\nv9: 2\nv10: 1");
}
