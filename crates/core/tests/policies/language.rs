//! Which texts are policies, and what is said about those that are not.

use vestal_core::policies::Policy;

use crate::acl;

fn check(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        let said = Policy::parse("p", text).map_or_else(|failure| failure.to_string(), |_| String::new());
        assert_eq!(said, *expected, "{text}");
    }
}

#[test]
fn texts_that_are_policies() {
    for text in [
        "",
        "{}",
        "# nothing yet",
        "name = \"x\"",
        "name = \"x\" name = 3",
        "path \"a\" {}",
        "path \"a\" {} path \"a\" {}",
        "path a { capabilities = [], }",
        "\"path\" \"a\" { \"capabilities\" = [\"read\"] }",
        "path \"a\" { capabilities = [\"read\",] capabilities = [] }",
        "path \"a\" { comment = \"why\" mfa_methods = [] }",
        "path \"a\" { capabilities = {} }",
        "path \"\" {} path \"/\" {} path \"//a\" {} path \"*\" {} path \"+\" {} path \"x+y\" {}",
        "path \"{{identity.entity.id}}/{{identity.groups.names.x.id}}\" {} path \"{{}}\" {} path \"{ {a} }\" {}",
        r#"path "a" { allowed_parameters = { a = ["b"], "*" = [] } denied_parameters { b = [1, true, {c = []}] } }"#,
        r#"path "a" { required_parameters = ["a", 1] }"#,
        r#"path "a" { min_wrapping_ttl = 60 max_wrapping_ttl = "1h30m" }"#,
        r#"path "a" { min_wrapping_ttl = "" max_wrapping_ttl = "2d" }"#,
        r#"{"name": "x", "path": {"a": {"policy": "read"}, "b": {"capabilities": ["list"]}}}"#,
        r#"{"path": [{"a": {"policy": ""}}, {"a": {"capabilities": ["read"], "required_parameters": []}}]}"#,
        "cGF0aCAiYSIgeyBjYXBhYmlsaXRpZXMgPSBbInJlYWQiXSB9",
        "cGF0aCAiYSIgeyBjYXBhYmls\naXRpZXMgPSBbInJlYWQiXSB9\n",
        "eyJwYXRoIjogeyJhIjogeyJwb2xpY3kiOiAicmVhZCJ9fX0=",
    ] {
        assert!(Policy::parse("p", text).is_ok(), "{text}");
    }
}

#[test]
fn what_is_not_understood_is_refused() {
    check(&[
        ("foo = 1", "invalid key `foo` on line 1"),
        ("foo=1\nbar \"x\" {}", "invalid key `foo` on line 1, invalid key `bar` on line 2"),
        ("PATH \"a\" {}", "invalid key `PATH` on line 1"),
        ("path \"a\" {\n foo = 1\n}", "path on line 1: invalid key `foo` on line 2"),
        ("path \"a\" { Capabilities = [] }", "path on line 1: invalid key `Capabilities` on line 1"),
        ("path = \"a\"", "path on line 1: `path` on line 1 must be a block, not a text"),
        ("path = { \"a\" = {} }", "path on line 1: invalid key `a` on line 1"),
        ("name {}", "`name` on line 1 must be a text, not an object"),
        // The reference ignores what comes after the first label.
        ("path \"a\" \"b\" {}", "path on line 1: a path block takes one label"),
        ("path \"a\" = {}", "line 1, column 10: expected `{` or a label, found `=`"),
        ("path \"a\" {", "line 1, column 11: expected a key or `}`, found the end"),
        ("foo", "line 1, column 4: expected `=`, `{` or a label, found the end"),
        ("[]", "line 1, column 1: expected a key, found `[`"),
        ("Zm9v", "line 1, column 4: expected `=`, `{` or a label, found the end"),
        ("gICA", "the base64 text does not hold text"),
        (r#"{"path": {"a": {"policy": "read"}}"#, "line 1, column 35: expected `,` or `}`, found the end"),
        (r#"{"path": {"a": null}}"#, "path on line 1: invalid key `a` on line 1"),
        (r#"{"path": {"a": {"b": {"policy": "read"}}}}"#, "path on line 1: a path block takes one label"),
    ]);
}

#[test]
fn an_error_stays_short_however_much_is_wrong() {
    let many = (0..1000).map(|key| format!("k{key} = 1")).collect::<Vec<_>>().join("\n");
    let long = format!("{} = 1", "k".repeat(100_000));
    check(&[
        (
            &many,
            "invalid key `k0` on line 1, invalid key `k1` on line 2, invalid key `k2` on line 3, \
             invalid key `k3` on line 4, invalid key `k4` on line 5, and 995 more",
        ),
        (&long, &format!("invalid key `{}` on line 1", "k".repeat(64))),
    ]);
}

#[test]
fn words_are_checked_to_the_letter() {
    let known = "create, delete, deny, list, patch, read, scan, sudo, update";
    let invalid = |number: usize| {
        format!("path on line 1: invalid capability, number {number} in the list is none of {known}")
    };
    check(&[
        ("path \"a\" { capabilities = [\"bogus\"] }", &invalid(1)),
        ("path \"a\" { capabilities = [\"read\", \"Read\"] }", &invalid(2)),
        ("path \"a\" { capabilities = [\"read \"] }", &invalid(1)),
        ("path \"a\" { capabilities = [\"subscribe\"] }", &invalid(1)),
        ("path \"a\" { capabilities = [\"root\"] }", &invalid(1)),
        ("path \"a\" { capabilities = [1] }", &invalid(1)),
        // The reference stops reading at a denial.
        ("path \"a\" { capabilities = [\"deny\", \"bogus\"] }", &invalid(2)),
        (
            "path \"a\" { capabilities = \"read\" }",
            "path on line 1: `capabilities` on line 1 must be a list of texts, not a text",
        ),
        (
            "path \"a\" { capabilities = [true] }",
            "path on line 1: `capabilities` on line 1 must be a list of texts, not a list",
        ),
        (
            "path \"a\" { capabilities = { read = 1 } }",
            "path on line 1: `capabilities` on line 1 must be a list of texts, not an object",
        ),
        (
            "path \"a\" { policy = \"Read\" }",
            "path on line 1: invalid policy on line 1, none of deny, read, write, sudo",
        ),
        (
            "path \"a\" { policy = [\"read\"] }",
            "path on line 1: `policy` on line 1 must be a text, not a list",
        ),
        (
            r#"{"path": {"a": {"capabilities": null}}}"#,
            "path on line 1: `capabilities` on line 1 must be a list of texts, not null",
        ),
    ]);
}

#[test]
fn paths_are_checked() {
    let wildcards = "path on line 1: invalid use of wildcards (`+*` is forbidden)";
    let templates = "path on line 1: unbalanced templating characters";
    check(&[
        ("path \"+*\" {}", wildcards),
        ("path \"a/+*\" {}", wildcards),
        ("path \"a+*b\" {}", wildcards),
        ("path \"{{identity\" {}", templates),
        ("path \"identity}}\" {}", templates),
        ("path \"{{a}}}}\" {}", templates),
        ("path \"}}{{\" {}", templates),
        ("path \"{{{{a}}}}\" {}", templates),
        ("path \"{{a}}/{{\" { foo = 1 }", templates),
    ]);
}

#[test]
fn parameters_and_bounds_are_checked() {
    let not_block =
        |key: &str, found: &str| format!("path on line 1: `{key}` on line 1 must be a block, not {found}");
    check(&[
        ("path \"a\" { allowed_parameters = [] }", &not_block("allowed_parameters", "a list")),
        ("path \"a\" { denied_parameters = \"a\" }", &not_block("denied_parameters", "a text")),
        (
            "path \"a\" { allowed_parameters = {\n a = \"b\" } }",
            "path on line 1: in `allowed_parameters` on line 2: each parameter must be a list",
        ),
        (
            "path \"a\" { allowed_parameters \"q\" { a = [] } }",
            "path on line 1: `allowed_parameters` on line 1 takes no labels",
        ),
        (
            "path \"a\" { required_parameters = \"a\" }",
            "path on line 1: `required_parameters` on line 1 must be a list of texts, not a text",
        ),
        (
            "path \"a\" { required_parameters = [[]] }",
            "path on line 1: `required_parameters` on line 1 must be a list of texts, not a list",
        ),
        (
            "path \"a\" { min_wrapping_ttl = \"1h\" max_wrapping_ttl = \"1m\" }",
            "path on line 1: max_wrapping_ttl cannot be less than min_wrapping_ttl",
        ),
        (
            "path \"a\" { min_wrapping_ttl = \"x\" }",
            "path on line 1: error parsing min_wrapping_ttl on line 1: time: invalid duration",
        ),
        (
            "path \"a\" { max_wrapping_ttl = \"1.5\" }",
            "path on line 1: error parsing max_wrapping_ttl on line 1: time: missing unit in duration",
        ),
        (
            "path \"a\" { max_wrapping_ttl = true }",
            "path on line 1: error parsing max_wrapping_ttl on line 1: could not parse duration from input",
        ),
        (
            "path \"a\" { max_wrapping_ttl = 9223372036854775807 }",
            "path on line 1: error parsing max_wrapping_ttl on line 1: the duration is too long",
        ),
        (
            "path \"a\" { max_wrapping_ttl = 1e300 }",
            "path on line 1: error parsing max_wrapping_ttl on line 1: could not parse duration from input",
        ),
    ]);
}

#[test]
fn what_would_narrow_a_rule_but_is_not_built_is_refused_by_name() {
    for (key, value) in [
        ("mfa_methods", "[\"totp\"]"),
        ("expiration", "\"2030-01-01T00:00:00Z\""),
        ("pagination_limit", "5"),
        ("list_scan_response_keys_filter_path", "\"x\""),
        ("control_group", "{}"),
    ] {
        let text = format!("path \"a\" {{\n  capabilities = [\"list\"]\n  {key} = {value}\n}}");
        check(&[(&text, &format!("path on line 1: `{key}` on line 3 is not supported yet"))]);
    }
}

#[test]
fn old_words_stand_for_capabilities() {
    let acl = acl(&[r#"
        path "deny" { policy = "deny" capabilities = ["read"] }
        path "read" { policy = "read" }
        path "write" { policy = "write" }
        path "sudo" { policy = "sudo" }
        path "more" { policy = "read" capabilities = ["patch"] }
        path "last" { policy = "read" policy = "write" }
        path "none" { policy = "" }
    "#]);
    for (path, expected) in [
        ("deny", "deny"),
        ("read", "list read"),
        ("write", "create delete list read update"),
        ("sudo", "create delete list read sudo update"),
        ("more", "list patch read"),
        ("last", "create delete list read update"),
        ("none", "deny"),
    ] {
        assert_eq!(acl.capabilities(path).join(" "), expected, "{path}");
    }
}

#[test]
fn the_text_of_a_policy_is_kept_without_its_wrapping() {
    let plain = "path \"a\" { capabilities = [\"read\"] }";
    for sent in [plain, "cGF0aCAiYSIgeyBjYXBhYmlsaXRpZXMgPSBbInJlYWQiXSB9"] {
        assert_eq!(Policy::parse("p", sent).unwrap().text(), plain);
    }
    assert_eq!(Policy::root().text(), "");
}

#[test]
fn no_error_repeats_a_path_or_a_value() {
    for text in [
        "path \"hunter2/+*\" {}",
        "path \"hunter2{{\" {}",
        "path \"hunter2\" { capabilities = [\"hunter2\"] }",
        "path \"hunter2\" { policy = \"hunter2\" }",
        "path \"hunter2\" { min_wrapping_ttl = \"hunter2\" }",
        "path \"hunter2\" { capabilities = \"hunter2\" }",
        "path \"hunter2\" \"hunter2\" {}",
        "path \"hunter2\" { comment = \"hunter2\n\" }",
    ] {
        let failure = Policy::parse("hunter2", text).unwrap_err();
        assert!(!format!("{failure} {failure:?}").contains("hunter2"), "{failure}");
    }
    let policy = Policy::parse("hunter2", "path \"hunter2\" {}").unwrap();
    assert!(!format!("{policy:?} {:?}", acl(&["path \"hunter2\" {}"])).contains("hunter2"));
}
