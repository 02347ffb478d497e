use http::HeaderValue;

use super::*;

type Given<'a> = [(&'a str, &'a [u8])];

fn headers(pairs: &Given<'_>) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        let name: HeaderName = name.parse().unwrap();
        map.append(name, HeaderValue::from_bytes(value).unwrap());
    }
    map
}

#[test]
fn the_token_comes_from_its_own_header_else_from_a_bearer() {
    let table: [(&Given<'_>, Option<&str>); 14] = [
        (&[], None),
        (&[("X-Vault-Token", b"t")], Some("t")),
        (&[("x-vault-token", b"t"), ("authorization", b"Bearer u")], Some("t")),
        (&[("x-vault-token", b""), ("authorization", b"Bearer u")], Some("u")),
        (&[("x-vault-token", b"t"), ("x-vault-token", b"u")], Some("t")),
        (&[("x-vault-token", b"\xff\xfe")], Some("\u{fffd}\u{fffd}")),
        (&[("authorization", b"Bearer u")], Some("u")),
        (&[("authorization", b"Bearer  u")], Some("u")),
        (&[("authorization", b"Bearer u x")], Some("u x")),
        (&[("authorization", b"bearer u")], None),
        (&[("authorization", b"BEARER u")], None),
        (&[("authorization", b"Bearer ")], None),
        (&[("authorization", b"Basic dTp4")], None),
        (&[("authorization", b"u")], None),
    ];
    for (given, expected) in table {
        let found = token(&headers(given), 100).unwrap();
        assert_eq!(found.as_ref().map(SecretString::expose), expected, "{given:?}");
    }
}

#[test]
fn a_token_longer_than_allowed_is_refused_unread() {
    let long = [b'x'; 101];
    let bearer = [&b"Bearer "[..], &long].concat();
    for given in [headers(&[("x-vault-token", &long)]), headers(&[("authorization", &bearer)])] {
        let refusal = token(&given, 100).unwrap_err();
        assert_eq!(refusal, Refusal::invalid("the client token is longer than 100 bytes"));
    }
    assert!(token(&headers(&[("x-vault-token", &[b'x'; 100])]), 100).unwrap().is_some());
}

#[test]
fn a_wish_for_wrapping_is_a_duration() {
    let table: [(&str, Result<Option<u64>, &str>); 29] = [
        ("60", Ok(Some(60_000))),
        ("+5", Ok(Some(5_000))),
        ("60s", Ok(Some(60_000))),
        ("1m", Ok(Some(60_000))),
        ("1.5h", Ok(Some(5_400_000))),
        ("1h30m", Ok(Some(5_400_000))),
        ("2d", Ok(Some(172_800_000))),
        ("10ms", Ok(Some(10))),
        ("0", Ok(None)),
        ("0s", Ok(None)),
        ("", Ok(None)),
        ("-1", Err("requested wrap ttl cannot be negative")),
        ("-5s", Err("requested wrap ttl cannot be negative")),
        ("x", Err("time: invalid duration \"x\"")),
        ("bad", Err("strconv.ParseInt: parsing \"ba\": invalid syntax")),
        (
            "99999999999999999999d",
            Err("strconv.ParseInt: parsing \"99999999999999999999\": value out of range"),
        ),
        ("us", Err("time: invalid duration \"us\"")),
        ("1.5", Err("time: missing unit in duration \"1.5\"")),
        ("5m5", Err("time: missing unit in duration \"5m5\"")),
        ("1d12h", Err("time: unknown unit \"d\" in duration \"1d12h\"")),
        ("1e3", Err("time: unknown unit \"e\" in duration \"1e3\"")),
        ("1h-1m", Err("time: unknown unit \"h-\" in duration \"1h-1m\"")),
        ("100y", Err("time: unknown unit \"y\" in duration \"100y\"")),
        ("5\"<", Err("time: unknown unit \"\\\"<\" in duration \"5\\\"<\"")),
        (
            "9223372036854775807",
            Err("multiplication of durations resulted in overflow, one operand may be too large"),
        ),
        ("999999999999999999999", Err("time: invalid duration \"999999999999999999999\"")),
        ("999999h999999999h", Err("time: invalid duration \"999999h999999999h\"")),
        ("\u{e9}", Err("time: invalid duration \"\\xc3\\xa9\"")),
        ("47261439850130342147690917.9h", Err("time: invalid duration \"47261439850130342147690917.9h\"")),
    ];
    for (given, expected) in table {
        let found = wrap(&headers(&[("x-vault-wrap-ttl", given.as_bytes())]));
        let expected = expected
            .map(|millis| millis.map(|millis| WrapAsk { ttl: Duration::from_millis(millis) }))
            .map_err(|why| Refusal::invalid(format!("error parsing X-Vault-Wrap-TTL header: {why}")));
        assert_eq!(found, expected, "{given}");
    }
    assert_eq!(wrap(&HeaderMap::new()), Ok(None));
    assert!(wrap(&headers(&[("x-vault-wrap-ttl", &[b'1'; 10_000])])).is_err());
}

#[test]
fn a_wrapping_format_that_is_not_built_is_refused() {
    for (format, ttl, refused) in
        [("jwt", "60", true), ("jwt", "0", false), ("JWT", "60", false), ("", "60", false)]
    {
        let given = [("x-vault-wrap-format", format.as_bytes()), ("x-vault-wrap-ttl", ttl.as_bytes())];
        assert_eq!(wrap(&headers(&given)).is_err(), refused, "{format} {ttl}");
    }
    assert_eq!(wrap(&headers(&[("x-vault-wrap-format", b"jwt")])), Ok(None));
}

#[test]
fn there_is_one_namespace_with_a_few_spellings() {
    for name in ["", "root", "/", "//", "root/", "/root", "root//", "/root/"] {
        assert_eq!(check_namespace(&headers(&[("x-vault-namespace", name.as_bytes())])), Ok(()), "{name}");
    }
    for name in ["ROOT", "ns1", "ns1/", "a b", "..", "root/x", "\u{e9}"] {
        let refusal = check_namespace(&headers(&[("x-vault-namespace", name.as_bytes())])).unwrap_err();
        assert_eq!(refusal.status(), StatusCode::NOT_FOUND, "{name}");
    }
}

#[test]
fn what_belongs_to_the_whole_server_is_known_by_whole_segments() {
    for path in
        ["sys/health", "sys/health/", "sys/init/x", "sys/raw", "sys/raw/x", "sys/rekey/backup", "sys/pprof/"]
    {
        assert!(is_root_only(path), "{path}");
    }
    for path in
        ["sys/sealx", "sys/seal-status", "sys/leader", "sys/rekeyx", "sys/generate-root-token/attempt", "sys"]
    {
        assert!(!is_root_only(path), "{path}");
    }
}

#[test]
fn no_credential_is_passed_on() {
    let given = headers(&[
        ("X-Vault-Token", b"s1"),
        ("Authorization", b"Basic s2"),
        ("Proxy-Authorization", b"s3"),
        ("Cookie", b"s4"),
        ("User-Agent", b"curl"),
        ("X-Custom", b"\xff"),
    ]);
    assert_eq!(passed_on(&given), [("user-agent".to_owned(), "curl".to_owned())]);
}

#[test]
fn a_patch_says_that_it_is_a_merge_patch() {
    const PATCH: &str = "application/merge-patch+json";
    let other =
        |given: &str| Some((415, format!("PATCH requires Content-Type of {PATCH}, provided {given}")));
    let bad = |why: &str| Some((400, format!("mime: {why}")));
    let table = [
        (PATCH, None),
        ("application/merge-patch+json; charset=utf-8", None),
        ("application/merge-patch+json;", None),
        ("APPLICATION/MERGE-PATCH+JSON", None),
        ("application/merge-patch+json; a=\"x;\\\"y\"", None),
        ("application/json", other("application/json")),
        ("text/plain; charset=utf-8", other("text/plain")),
        ("bad", other("bad")),
        ("", bad("no media type")),
        ("/", bad("no media type")),
        (",", bad("no media type")),
        ("a/", bad("expected token after slash")),
        ("a,b", bad("expected slash after first token")),
        ("a/b/c", bad("unexpected content after media subtype")),
        ("application/merge-patch+json; x", bad("invalid media parameter")),
        ("application/merge-patch+json; =x", bad("invalid media parameter")),
        ("application/merge-patch+json; x=\"y", bad("invalid media parameter")),
        ("application/merge-patch+json;a=b;a=c", bad("duplicate parameter name")),
    ];
    for (given, expected) in table {
        let found = check_merge_patch(&headers(&[("content-type", given.as_bytes())])).err();
        let expected = expected.map(|(code, text)| Refusal::text(StatusCode::from_u16(code).unwrap(), text));
        assert_eq!(found, expected, "{given}");
    }
    assert_eq!(check_merge_patch(&HeaderMap::new()), Err(Refusal::invalid("mime: no media type")));
}

#[test]
fn a_form_is_known_by_its_media_type() {
    for (given, expected) in [
        ("application/x-www-form-urlencoded", true),
        ("APPLICATION/x-www-form-urlencoded; charset=utf-8", true),
        ("application/json", false),
        ("application/x-www-form-urlencoded;;", false),
    ] {
        assert_eq!(is_form(&headers(&[("content-type", given.as_bytes())])), expected, "{given}");
    }
}
