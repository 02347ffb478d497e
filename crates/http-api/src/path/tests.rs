use proptest::prelude::*;

use super::*;

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn paths_are_found_sent_elsewhere_or_refused() {
    let api = |path: &str| Found::Api(path.to_owned());
    let elsewhere = |path: &str| Found::Elsewhere(path.to_owned());
    let table = [
        ("/", Found::Nowhere),
        ("/foo", Found::Nowhere),
        ("/foo/../v1/x", Found::Nowhere),
        ("/v1", Found::Nowhere),
        ("/V1/x", Found::Nowhere),
        ("/v2/x", Found::Nowhere),
        ("//v1/sys/mounts", Found::Nowhere),
        ("/v1%2Fkv/a", Found::Nowhere),
        ("*", Found::Nowhere),
        ("/v1/", api("")),
        ("/v1/sys/mounts", api("sys/mounts")),
        ("/v1/kv/a/", api("kv/a/")),
        ("/v1//sys/mounts", elsewhere("/v1/sys/mounts")),
        ("/v1/sys//mounts", elsewhere("/v1/sys/mounts")),
        ("/v1/kv/a//", elsewhere("/v1/kv/a/")),
        ("/v1/./sys/mounts", elsewhere("/v1/sys/mounts")),
        ("/v1/../v1/sys/mounts", elsewhere("/v1/sys/mounts")),
        ("/v1/sys/mounts/.", elsewhere("/v1/sys/mounts")),
        ("/v1/kv/..", elsewhere("/v1/")),
        ("/v1/kv/../..", elsewhere("/")),
        ("/v1/kv/../../foo", elsewhere("/foo")),
        ("/v1/../../../../evil.test", elsewhere("/evil.test")),
        ("/v1/kv/a/../", elsewhere("/v1/kv/")),
        ("/v1/a/%2e%2e//b", elsewhere("/v1/a/%2e%2e/b")),
        ("/v1/kv%2Fa", api("kv/a")),
        ("/v1/kv/a..b", api("kv/a..b")),
        ("/v1/kv/...", api("kv/...")),
        ("/v1/kv/..;/b", api("kv/..;/b")),
        ("/v1/kv/a%5C..%5Cb", api("kv/a\\..\\b")),
        ("/v1/kv/%252e%252e/a", api("kv/%2e%2e/a")),
        ("/v1/kv/%EF%BC%8E%EF%BC%8E/a", api("kv/．．/a")),
        ("/v1/kv/caf%C3%A9", api("kv/café")),
        ("/v1/kv/cafe%CC%81", api("kv/cafe\u{301}")),
        ("/v1/kv/%CC%81", api("kv/\u{301}")),
        ("/v1/kv/café", api("kv/café")),
        ("/v1/kv/a%F0%9F%98%80", api("kv/a😀")),
        ("/v1/kv/a+b%20c", api("kv/a+b c")),
        ("/v1/kv/a%3Fb%23c", api("kv/a?b#c")),
        ("/v1/kv/%2e%2e/a", api("kv/../a")),
        ("/v1/kv/\"q'\"", api("kv/\"q'\"")),
        ("/v1/kv/%00", Found::Unreadable),
        ("/v1/kv/%0a", Found::Unreadable),
        ("/v1/kv/%09", Found::Unreadable),
        ("/v1/kv/a%7f", Found::Unreadable),
        ("/v1/kv/a%C2%80", Found::Unreadable),
        ("/v1/kv/a%C2%A0b", Found::Unreadable),
        ("/v1/kv/a%E2%80%8B", Found::Unreadable),
        ("/v1/kv/a%E2%80%A8", Found::Unreadable),
        ("/v1/kv/a%E2%80%AE", Found::Unreadable),
        ("/v1/kv/%EF%BB%BFa", Found::Unreadable),
        ("/v1/kv/%ff", Found::Unreadable),
        ("/v1/kv/%c3", Found::Unreadable),
        ("/v1/kv/%C0%AE%C0%AE/a", Found::Unreadable),
        ("/v1/kv/%zz", Found::Unreadable),
        ("/v1/kv/%2", Found::Unreadable),
        ("/foo%00", Found::Unreadable),
    ];
    for (raw, expected) in table {
        assert_eq!(find(raw), expected, "{raw}");
    }
}

#[test]
fn a_decoded_segment_that_leads_elsewhere_is_relative() {
    let relative =
        ["kv/../a", "kv/./a", "..", ".", "../a", "kv/..", "kv/../", "kv//a", "/kv/a", "kv/a//", "/", "//"];
    for path in relative {
        assert!(is_relative(path), "{path}");
    }
    for path in ["", "kv", "kv/", "kv/a", "kv/a/", "kv/...", "kv/.a", "kv/a..", "kv/ /a"] {
        assert!(!is_relative(path), "{path}");
    }
}

#[test]
fn a_location_holds_nothing_that_ends_a_header() {
    assert_eq!(escape_for_header("/v1/a b<c>\r\né%20?x=1&y"), "/v1/a%20b%3Cc%3E%0D%0A%C3%A9%20?x=1&y");
}

proptest! {
    #[test]
    fn cleaning_is_idempotent_and_stays_on_this_host(raw in "/[a.v1/%]{0,24}") {
        let once = clean(&raw);
        prop_assert_eq!(clean(&once), once.clone());
        prop_assert!(once.starts_with('/') && !once.starts_with("//"));
    }

    #[test]
    fn a_canonical_path_cannot_be_read_as_another(raw in "/v1/([a./\\\\]|%2[eEfF]|%25|%5c){0,16}") {
        if let Found::Api(path) = find(&raw)
            && !is_relative(&path)
        {
            let absolute = format!("/v1/{path}");
            prop_assert_eq!(clean(&absolute), absolute);
        }
    }

    #[test]
    fn what_is_found_is_printable(raw in "/v1/(%[0-9a-f]{2}|[a-z/]){0,16}") {
        if let Found::Api(path) = find(&raw) {
            prop_assert!(!path.chars().any(|c| c.is_control() || (c.is_whitespace() && c != ' ')));
        }
    }
}
