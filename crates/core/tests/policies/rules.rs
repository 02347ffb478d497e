//! Each sentence about matching, merging and asking, as a table.

use std::sync::Arc;

use vestal_core::policies::{Acl, Policy, canonical_name, defaults};

use crate::{Ask, acl, may};

/// A rule that grants one capability.
fn rule(path: &str, word: &str) -> String {
    format!("path \"{path}\" {{ capabilities = [\"{word}\"] }}\n")
}

/// Which of two rules decides about a path: the first is told by `read`, the second by `update`.
fn decides(one: &str, two: &str, path: &str) -> &'static str {
    let acl = acl(&[rule(one, "read") + &rule(two, "update")]);
    match acl.capabilities(path)[..] {
        ["read"] => "first",
        ["update"] => "second",
        ["read", "update"] => "both",
        ["deny"] => "none",
        _ => "?",
    }
}

#[test]
fn exactly_one_rule_decides() {
    let cases = [
        // An exact rule wins, though it grants less.
        ("a/b", "a/*", "a/b", "first"),
        ("a/b", "a/+", "a/b", "first"),
        ("a/b", "a/*", "a/b/c", "second"),
        // The longest prefix.
        ("a/*", "a/b*", "a/bc", "second"),
        ("*", "a*", "b", "first"),
        // The first wildcard further right.
        ("a/+/c", "a/*", "a/b/c", "first"),
        ("a/+/c", "a/b/*", "a/b/c", "second"),
        ("+/b", "a/+", "a/b", "second"),
        // No trailing star.
        ("a/+/*", "a/+/b", "a/x/b", "second"),
        // Fewer wildcards.
        ("a/+/+", "a/+/c", "a/b/c", "second"),
        // Longer, then lexicographically larger.
        ("a/+/b*", "a/+/bc*", "a/x/bcd", "second"),
        ("+/!!!/+", "+/+/c", "a/!!!/c", "first"),
        ("+/+/c", "+/b/+", "a/b/c", "second"),
        // The same path, once with a slash before it.
        ("/a/b", "a/b", "a/b", "both"),
        ("/a/+", "a/+", "a/b", "both"),
        ("/a/*", "a/*", "a/b", "both"),
    ];
    for (one, two, path, expected) in cases {
        assert_eq!(decides(one, two, path), expected, "{one} or {two} for {path}");
        let mirrored = match expected {
            "first" => "second",
            "second" => "first",
            same => same,
        };
        assert_eq!(decides(two, one, path), mirrored, "{two} or {one} for {path}");
    }
}

#[test]
fn wildcards_match_what_they_say() {
    let cases = [
        ("foo*", &["foo", "foobar", "foo/bar"][..], &["fo", "Foo", "xfoo"][..]),
        ("foo/*", &["foo/", "foo/bar/baz"], &["foo", "foobar"]),
        ("a*b", &["a*b"], &["aXb", "a*bc"]),
        ("a*b*", &["a*b", "a*bc"], &["aXbc"]),
        ("+", &["foo", "bar"], &["foo/bar"]),
        ("a/+/c", &["a/b/c", "a//c", "a/+/c"], &["a/c", "a/b/b/c", "a/b/c/d"]),
        ("a/+/c*", &["a/b/c", "a/b/cd", "a/b/c/d"], &["a/b/d", "a/b"]),
        ("a/+/*", &["a/b/", "a/b/c/d"], &["a/b"]),
        ("x+y/+z", &["x+y/+z"], &["xay/+z", "x+y/az", "xay/az"]),
        ("+x", &["+x"], &["ax"]),
        ("*", &["anything", "at/all"], &[]),
        ("a.b", &["a.b"], &["aXb"]),
        ("Foo", &["Foo"], &["foo"]),
        ("café/*", &["café/x"], &["cafe/x"]),
    ];
    for (path, matched, others) in cases {
        let acl = acl(&[rule(path, "read")]);
        for asked in matched {
            assert!(may(&acl, "read", asked), "{path} matches {asked}");
        }
        for asked in others {
            assert!(!may(&acl, "read", asked), "{path} does not match {asked}");
        }
    }
}

#[test]
fn a_list_is_asked_with_its_slash_first_and_without_it_only_if_nothing_matched() {
    let cases = [
        // rules with `list`, rules that deny, path, allowed
        (&["kv/a"][..], &[][..], "kv/a/", true),
        (&["kv/a/"], &[], "kv/a/", true),
        (&["kv/*"], &["kv/a/"], "kv/a/", false),
        (&["kv/*"], &["kv/a"], "kv/a/", false),
        (&["kv/a/"], &["kv/a"], "kv/a/", true),
        (&["kv/a/*"], &["kv/a"], "kv/a/", false),
        (&["kv/*"], &["kv/a*"], "kv/a/", false),
        (&["kv/*"], &["kv/+"], "kv/a/", true),
        (&["kv/+"], &["*"], "kv/a/", false),
        (&["kv/*"], &["kv/+/"], "kv/a/", false),
        (&["*"], &["kv/+/b"], "kv/a/b/", true),
        (&["+/a"], &[], "kv/a/", true),
    ];
    for (lists, denies, path, allowed) in cases {
        let text: String = lists
            .iter()
            .map(|path| rule(path, "list"))
            .chain(denies.iter().map(|path| rule(path, "deny")))
            .collect();
        assert_eq!(may(&acl(&[&text]), "list", path), allowed, "{path} by {text}");
    }
    // Only for lists.
    let acl = acl(&[rule("kv/a", "read")]);
    assert!(!may(&acl, "read", "kv/a/"));
}

#[test]
fn rules_with_the_same_path_are_united_and_denial_takes_all() {
    let cases = [
        (&["read", "update"][..], "read update"),
        (&["read", "deny", "update"], "deny"),
        (&["deny", "sudo"], "deny"),
        (&["sudo"], "sudo"),
        (&["read", "read"], "read"),
    ];
    for path in ["a/b", "a/*", "a/+"] {
        for (words, expected) in cases {
            let one: String = words.iter().map(|word| rule(path, word)).collect();
            let several: Vec<String> = words.iter().map(|word| rule(path, word)).collect();
            assert_eq!(acl(&[one]).capabilities("a/b").join(" "), expected, "{words:?} in one policy");
            assert_eq!(
                acl(&several).capabilities("a/b").join(" "),
                expected,
                "{words:?} in several policies"
            );
        }
    }
}

#[test]
fn a_denial_reaches_as_far_as_its_own_path() {
    let acl = acl(&[rule("a/*", "deny") + &rule("a/b", "read"), rule("c/d", "deny") + &rule("c/*", "read")]);
    assert!(may(&acl, "read", "a/b"));
    assert!(!may(&acl, "read", "a/x"));
    assert!(!may(&acl, "read", "c/d"));
    assert!(may(&acl, "read", "c/d/e"));
}

#[test]
fn each_operation_asks_for_its_own_capability_and_sudo_adds_none() {
    let words = ["create", "read", "update", "delete", "list", "patch"];
    for granted in words {
        let acl = acl(&[rule("x", granted)]);
        for asked in words {
            assert_eq!(may(&acl, asked, "x"), granted == asked, "{asked} by {granted}");
        }
    }
    let only_sudo = acl(&[rule("x", "sudo")]);
    assert!(words.iter().all(|asked| !may(&only_sudo, asked, "x")));
}

#[test]
fn a_protected_path_wants_sudo_besides_the_capability() {
    let both = acl(&[
        r#"path "sys/*" { capabilities = ["read", "sudo"] } path "sys/mounts" { capabilities = ["read"] }"#,
    ]);
    assert!(Ask::new("read", "sys/audit").sudo().allowed(&both));
    assert!(!Ask::new("update", "sys/audit").sudo().allowed(&both));
    // Nothing is inherited from the wider rule.
    assert!(!Ask::new("read", "sys/mounts").sudo().allowed(&both));
    assert!(Ask::new("read", "sys/audit").of(&both).sudo);
    assert!(!Ask::new("read", "sys/mounts").of(&both).sudo);
}

#[test]
fn nothing_is_allowed_that_no_rule_allows() {
    for acl in
        [Acl::compile(&[]), acl(&[" "]), acl(&["path \"x\" {}"]), acl(&["path \"x\" { capabilities = [] }"])]
    {
        assert!(!may(&acl, "read", "x"));
        assert_eq!(acl.capabilities("x"), ["deny"]);
        assert!(!acl.is_root());
        assert!(!acl.reaches_into("x/"));
    }
}

#[test]
fn root_may_everything_whatever_else_is_there() {
    let deny = Policy::parse("deny", &rule("*", "deny")).unwrap();
    let acl = Acl::compile(&[Arc::new(deny), Arc::new(Policy::root())]);
    assert!(acl.is_root());
    assert_eq!(acl.capabilities("any/thing"), ["root"]);
    assert!(acl.reaches_into("any/"));
    let decision = Ask::new("delete", "sys/raw/x").sudo().of(&acl);
    assert!(decision.allowed && decision.sudo);
    assert_eq!(decision.granting, ["root"]);
}

#[test]
fn audit_hears_which_policies_granted_it() {
    let acl = acl(&[rule("a/*", "read"), rule("a/*", "update") + &rule("b", "read"), rule("a/*", "read")]);
    let granting = |word, path| Ask::new(word, path).of(&acl).granting;
    assert_eq!(granting("read", "a/x"), ["p0", "p2"]);
    assert_eq!(granting("update", "a/x"), ["p1"]);
    assert_eq!(granting("read", "b"), ["p1"]);
    assert!(granting("delete", "a/x").is_empty());
    assert!(granting("read", "c").is_empty());
}

#[test]
fn no_spelling_of_root_makes_a_root_policy() {
    for name in ["root", "ROOT", "Root", "rOOt", " root", "root\n", "\troot "] {
        assert_eq!(canonical_name(name), "root");
        assert!(Policy::parse(name, "").is_err(), "{name:?}");
    }
    // A Cyrillic o makes another name, and another policy.
    let homoglyph = Policy::parse("r\u{43e}\u{43e}t", &rule("x", "read")).unwrap();
    assert!(!homoglyph.is_root());
    assert!(!Acl::compile(&[Arc::new(homoglyph)]).is_root());
    assert_eq!(Policy::parse("Ops-Team ", "").unwrap().name(), "ops-team");
}

#[test]
fn rules_with_templates_are_dropped_while_nobody_can_fill_them() {
    let acl =
        acl(&[rule("kv/{{identity.entity.id}}/*", "read") + &rule("kv/*", "list") + &rule("{{x}}", "deny")]);
    assert_eq!(acl.capabilities("kv/{{identity.entity.id}}/a"), ["list"]);
    assert_eq!(acl.capabilities("kv//a"), ["list"]);
    assert_eq!(acl.capabilities("{{x}}"), ["deny"]);
    assert!(!acl.reaches_into("other/"));
}

#[test]
fn a_mount_is_known_to_whom_anything_at_or_below_it_is_granted() {
    let cases = [
        ("kv/*", "read", true),
        ("kv/", "list", true),
        ("kv", "list", true),
        ("kv/deep/path", "read", true),
        ("kv/deep/*", "sudo", true),
        ("k*", "read", true),
        ("*", "read", true),
        ("kv/+/x", "read", true),
        ("+/deep", "read", true),
        ("+/+/+/x*", "read", true),
        ("kvx/*", "read", false),
        ("k", "read", false),
        ("other/+", "read", false),
        ("kv/*", "deny", false),
        ("kv/+", "deny", false),
        ("k*", "deny", false),
    ];
    for (path, word, known) in cases {
        assert_eq!(acl(&[rule(path, word)]).reaches_into("kv/"), known, "{word} on {path}");
    }
    let nested = acl(&[rule("+/kv/+", "read"), rule("team/*", "deny")]);
    assert!(nested.reaches_into("team/kv/"));
    assert!(!nested.reaches_into("team/other/"));
    assert!(!acl(&[rule("team/+", "read")]).reaches_into("team/deep/kv/"));
}

#[test]
fn capabilities_are_told_for_paths_with_a_slash_before_them() {
    let acl = acl(&[rule("kv/a", "read")]);
    assert_eq!(acl.capabilities("/kv/a"), ["read"]);
    assert_eq!(acl.capabilities("//kv/a"), ["read"]);
    // A request is matched as it is.
    assert!(!may(&acl, "read", "/kv/a"));
}

#[test]
fn the_default_policy_lets_a_token_look_after_itself_and_no_more() {
    let acl = acl(&[defaults::DEFAULT]);
    let granted = [
        ("auth/token/lookup-self", "read"),
        ("auth/token/renew-self", "update"),
        ("auth/token/revoke-self", "update"),
        ("sys/capabilities-self", "update"),
        ("sys/leases/renew", "update"),
        ("sys/leases/lookup", "update"),
        ("sys/wrapping/wrap", "update"),
        ("sys/wrapping/lookup", "update"),
        ("sys/wrapping/unwrap", "update"),
        ("sys/tools/hash", "update"),
        ("sys/tools/hash/sha2-256", "update"),
        ("sys/internal/ui/resultant-acl", "read"),
        ("cubbyhole/a/b", "create delete list read update"),
        ("cubbyhole/", "create delete list read update"),
        ("identity/oidc/provider/x/authorize", "read update"),
    ];
    for (path, capabilities) in granted {
        assert_eq!(acl.capabilities(path).join(" "), capabilities, "{path}");
    }
    let refused = [
        "sys/tools/random",
        "sys/wrapping/rewrap",
        "auth/token/create",
        "auth/token/lookup",
        "sys/mounts",
        "sys/leases/lookup/x",
        "cubbyhole",
        "identity/entity/id/x",
        "identity/oidc/provider/x/y/authorize",
    ];
    for path in refused {
        assert_eq!(acl.capabilities(path), ["deny"], "{path}");
    }
}

#[test]
fn a_wrapping_token_can_open_its_answer_and_end_itself() {
    let acl = acl(&[defaults::RESPONSE_WRAPPING]);
    assert_eq!(acl.capabilities("cubbyhole/response"), ["create", "read"]);
    assert_eq!(acl.capabilities("sys/wrapping/unwrap"), ["update"]);
    assert_eq!(acl.capabilities("auth/token/revoke-self"), ["update"]);
    assert_eq!(acl.capabilities("cubbyhole/other"), ["deny"]);
    assert_eq!(acl.capabilities("auth/token/lookup-self"), ["deny"]);
}
