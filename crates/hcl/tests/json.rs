//! JSON becomes the tree that HCL would have been.

mod shown;

use shown::shown;

fn check(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(shown(text), *expected, "{text:?}");
    }
}

#[test]
fn objects_of_objects_are_labels() {
    check(&[
        ("{}", ""),
        (" \n{\"a\": 1}\n", "a: 1"),
        (r#"{"path":{"x":{"capabilities":["read"]}}}"#, "path.x: (capabilities: ['read'])"),
        (r#"{"path":{"x":{"c":1},"y":{"c":2}}}"#, "path.x: (c: 1); path.y: (c: 2)"),
        (r#"{"a":{"b":{"c":{"d":1}}}}"#, "a.b.c: (d: 1)"),
        (
            r#"{"a":{"b":{"c":{"x":1},"d":{"y":2}},"e":{"z":1}},"f":1}"#,
            "a.b.c: (x: 1); a.b.d: (y: 2); a.e: (z: 1); f: 1",
        ),
        (r#"{"a":{"b":{}}}"#, "a.b: ()"),
        (r#"{"a":{}}"#, "a: ()"),
        (r#"{"a":{"b":{"c":1},"d":[]}}"#, "a: (b: (c: 1); d: [])"),
    ]);
}

#[test]
fn lists_of_objects_are_repeated_blocks() {
    check(&[
        (r#"{"path":[{"x":{"c":1}},{"y":{"c":2}}]}"#, "path.x: (c: 1); path.y: (c: 2)"),
        (r#"{"a":[{"b":{"c":1}},{"d":3}]}"#, "a.b: (c: 1); a: (d: 3)"),
        (r#"{"a":{"x":{"b":[{"c":1},{"d":2}]}}}"#, "a.x: (b: (c: 1); b: (d: 2))"),
        (r#"{"a":[{}]}"#, "a: ()"),
        (r#"{"a":[]}"#, "a: []"),
        (r#"{"a":[1,{"b":2}]}"#, "a: [1, (b: 2)]"),
    ]);
}

#[test]
fn values_are_those_of_json() {
    check(&[
        (r#"{"a":true,"b":1.5,"c":-3e2,"d":null,"e":-0}"#, "a: true; b: 1.5; c: -300.0; d: null; e: 0"),
        (r#"{"a":1,"a":2}"#, "a: 1; a: 2"),
        (r#"{"a":"x\u0041\ny${\"b\"}"}"#, "a: 'xA|y${\"b\"}'"),
        (r#"{"a":"\/\ud83d\ude00"}"#, "a: '/😀'"),
        (r#"{"a":[[1],[true,false]]}"#, "a: [[1], [true, false]]"),
        (r#"{"a":1,}"#, "a: 1"),
        (r#"{"a":[1,]}"#, "a: [1]"),
    ]);
}

#[test]
fn what_is_no_json_is_refused() {
    check(&[
        // The reference stops reading at these and keeps what it has; half a policy is no policy.
        (r#"{"a":1} x"#, "! line 1, column 9: expected the end after the JSON object"),
        (r#"{"a":1"#, "! line 1, column 7: expected `,` or `}`, found the end"),
        (r#"{"a":1 "b":2}"#, "! line 1, column 8: expected `,` or `}`, found something else"),
        (r#"{"a":[1 2]}"#, "! line 1, column 9: expected `,` or `]`, found something else"),
        ("{", "! line 1, column 2: expected a quoted key or `}`, found the end"),
        ("{a:1}", "! line 1, column 2: expected a quoted key or `}`, found something else"),
        ("{,}", "! line 1, column 2: expected a quoted key or `}`, found something else"),
        (r#"{"a" 1}"#, "! line 1, column 6: expected `:`, found something else"),
        (r#"{"a":01}"#, "! line 1, column 6: the number is malformed"),
        (r#"{"a":0x10}"#, "! line 1, column 6: the number is malformed"),
        (r#"{"a":1.}"#, "! line 1, column 6: the number is malformed"),
        (r#"{"a":-}"#, "! line 1, column 6: the number is malformed"),
        (r#"{"a":1e400}"#, "! line 1, column 6: the number is malformed or out of range"),
        (r#"{"a":+1}"#, "! line 1, column 6: expected a value, found something else"),
        (r#"{"a":TRUE}"#, "! line 1, column 6: expected a value, found something else"),
        (r#"{"a":truely}"#, "! line 1, column 6: expected a value, found a bare word"),
        ("{\"a\":\"x\ny\"}", "! line 1, column 8: a quoted text must end on its own line"),
        (r#"{"a":"\q"}"#, "! line 1, column 7: unknown escape"),
        (r#"{"a":"\ud83d"}"#, "! line 1, column 7: the escape stands for no character"),
        (r#"{"a":"\udc00"}"#, "! line 1, column 7: the escape stands for no character"),
        (r#"{"a":"\ud83d\u0041"}"#, "! line 1, column 7: the escape stands for no character"),
        (r#"{"a":"\u00"}"#, "! line 1, column 7: the escape needs 4 digits"),
        ("[1]", "! line 1, column 1: expected a key, found `[`"),
    ]);
}

#[test]
fn the_same_tree_comes_from_both_languages() {
    let pairs = [
        (
            "path \"secret/*\" { capabilities = [\"read\", \"list\"] }\npath \"sys/+\" { policy = \"sudo\" }",
            r#"{"path": {"secret/*": {"capabilities": ["read", "list"]}, "sys/+": {"policy": "sudo"}}}"#,
        ),
        (
            "ui = true\nlistener \"tcp\" { address = \"127.0.0.1:8200\" tls_disable = 1 }\nlistener \"unix\" { address = \"/run/v\" }",
            r#"{"ui": true, "listener": [{"tcp": {"address": "127.0.0.1:8200", "tls_disable": 1}}, {"unix": {"address": "/run/v"}}]}"#,
        ),
        ("a { b = { c = [1] } d = 1 }", r#"{"a": {"b": {"c": [1]}, "d": 1}}"#),
    ];
    for (hcl, json) in pairs {
        assert_eq!(shown(hcl), shown(json));
    }
}
