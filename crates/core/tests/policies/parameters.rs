//! What rules say about the parameters and the wrapping of a request.

use serde_json::json;

use crate::{Ask, acl, may};

const ALL: &str = r#"path "x" { capabilities = ["create", "read", "update", "patch", "delete", "list"] "#;

#[test]
fn parameters_are_checked_where_parameters_are_sent() {
    let acl = acl(&[format!("{ALL} denied_parameters = {{ \"*\" = [] }} required_parameters = [\"a\"] }}")]);
    for (word, checked) in [
        ("create", true),
        ("read", true),
        ("update", true),
        ("patch", true),
        ("delete", false),
        ("list", false),
    ] {
        assert_eq!(Ask::new(word, "x").with(&json!({"a": 1})).allowed(&acl), !checked, "{word}");
        assert_eq!(may(&acl, word, "x"), !checked, "{word} without what is required");
    }
}

#[test]
fn a_requirement_is_met_only_by_the_name_that_engines_read() {
    let acl = acl(&[format!("{ALL} required_parameters = [\"TTL\"] }}")]);
    assert!(Ask::new("update", "x").with(&json!({"ttl": null})).allowed(&acl));
    assert!(!Ask::new("update", "x").with(&json!({"TTL": 1})).allowed(&acl));
    assert!(!Ask::new("update", "x").with(&json!({"other": 1})).allowed(&acl));
}

#[test]
fn a_denial_of_parameters_is_asked_before_a_permission() {
    let acl = acl(&[format!(
        "{ALL} denied_parameters = {{ a = [\"b\"] }} allowed_parameters = {{ a = [], c = [] }} }}"
    )]);
    let update = |data| Ask::new("update", "x").with(&data).allowed(&acl);
    assert!(!update(json!({"a": "b"})));
    assert!(!update(json!({"A": "b"})));
    assert!(!update(json!({"c": 1, "a": "b"})));
    assert!(update(json!({"a": "other", "c": 1})));
    assert!(!update(json!({"d": 1})));
    assert!(update(json!({})));
}

#[test]
fn values_match_by_stars_at_their_ends_and_numbers_never() {
    let cases = [
        (r#"["b*"]"#, json!("bx"), true),
        (r#"["b*"]"#, json!("xb"), false),
        (r#"["*b"]"#, json!("xb"), true),
        (r#"["*b*"]"#, json!("abc"), true),
        (r#"["a*b"]"#, json!("axb"), false),
        (r#"["a*b"]"#, json!("a*b"), true),
        (r#"["*"]"#, json!("x"), false),
        (r#"["*"]"#, json!("*"), true),
        (r#"["**"]"#, json!(""), true),
        ("[1, 1.5]", json!(1), false),
        ("[1]", json!("1"), false),
        ("[\"1\"]", json!(1), false),
        ("[true]", json!(true), true),
        ("[true]", json!("true"), false),
        ("[[\"x\", \"y\"]]", json!(["x", "y"]), true),
        ("[[\"x\", \"y\"]]", json!(["x"]), false),
        ("[[1]]", json!([1]), false),
        ("[{ k = \"v\" }]", json!({"k": "v"}), true),
        ("[{ k = \"v\" }]", json!({"k": "v", "l": 1}), false),
        ("[\"x\"]", json!(["x"]), false),
        ("[\"x\"]", json!(null), false),
        ("[]", json!({"any": ["thing"]}), true),
    ];
    for (values, sent, matched) in cases {
        let allowing = acl(&[format!("{ALL} allowed_parameters = {{ a = {values} }} }}")]);
        let denying = acl(&[format!("{ALL} denied_parameters = {{ a = {values} }} }}")]);
        let ask = Ask::new("update", "x").with(&json!({ "a": sent }));
        assert_eq!(ask.allowed(&allowing), matched, "{values} allows {sent}");
        assert_eq!(ask.allowed(&denying), !matched, "{values} denies {sent}");
    }
}

#[test]
fn wrapping_bounds_force_wrapping_within_them() {
    let cases = [
        (
            "min_wrapping_ttl = 30",
            &[(None, false), (Some(29), false), (Some(30), true), (Some(9999), true)][..],
        ),
        ("max_wrapping_ttl = \"1m\"", &[(None, false), (Some(1), true), (Some(60), true), (Some(61), false)]),
        ("min_wrapping_ttl = \"1.5s\"", &[(Some(1), false), (Some(2), true)]),
        ("min_wrapping_ttl = 1.9", &[(None, false), (Some(1), true)]),
        ("min_wrapping_ttl = 0 max_wrapping_ttl = \"-5s\"", &[(None, true), (Some(1), true)]),
        ("min_wrapping_ttl = \"1h\" max_wrapping_ttl = 0", &[(None, false), (Some(3600), true)]),
        ("max_wrapping_ttl = \"1d\"", &[(Some(86_400), true), (Some(86_401), false)]),
    ];
    for (bounds, asked) in cases {
        let acl = acl(&[format!("{ALL} {bounds} }}")]);
        for (wrap, allowed) in asked {
            for word in ["read", "delete", "list"] {
                let ask = Ask { wrap: *wrap, ..Ask::new(word, "x") };
                assert_eq!(ask.allowed(&acl), *allowed, "{word} wrapped {wrap:?} by {bounds}");
            }
        }
    }
    let merged = acl(&[
        format!("{ALL} min_wrapping_ttl = 60 }}"),
        format!("{ALL} min_wrapping_ttl = 40 max_wrapping_ttl = 50 }}"),
    ]);
    for (wrap, allowed) in [(39, false), (40, true), (50, true), (51, false)] {
        assert_eq!(Ask::new("read", "x").wrapped(wrap).allowed(&merged), allowed, "{wrap}");
    }
}
