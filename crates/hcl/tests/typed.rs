//! Items as the types that configuration and policies are made of.

use vestal_hcl::parse;

#[test]
fn a_server_configuration_reads_as_its_author_meant() {
    let body = parse(
        r#"
        ui            = true
        api_addr      = "https://vault.example:8200" # with a comment
        default_lease_ttl = "768h"
        disable_mlock = "true"

        storage "file" {
          path = "/var/lib/store"
        }
        listener "tcp" {
          address     = "0.0.0.0:8200"
          tls_disable = 1
          x_forwarded_for_authorized_addrs = "10.0.0.0/8"
          telemetry { unauthenticated_metrics_access = false }
        }
        listener "unix" { address = "/run/vault.sock" }
        max_lease_ttl = "10h" max_lease_ttl = "20h"
        "#,
    )
    .unwrap();
    assert_eq!(body.last("ui").map(vestal_hcl::Item::flag), Some(Ok(true)));
    assert_eq!(body.last("disable_mlock").map(vestal_hcl::Item::flag), Some(Ok(true)));
    assert_eq!(body.last("max_lease_ttl").map(vestal_hcl::Item::text), Some(Ok("20h".to_owned())));
    let listeners: Vec<_> = body.all("listener").collect();
    assert_eq!(listeners.iter().map(|item| item.label()).collect::<Vec<_>>(), [Some("tcp"), Some("unix")]);
    let tcp = listeners[0].body().unwrap();
    assert_eq!(tcp.last("tls_disable").unwrap().flag(), Ok(true));
    let addresses = tcp.last("x_forwarded_for_authorized_addrs").unwrap();
    assert!(addresses.texts().is_err());
    let unknown: Vec<_> = body.unknown(&["ui", "listener", "storage", "max_lease_ttl"]).collect();
    assert_eq!(
        unknown.iter().map(|item| item.key()).collect::<Vec<_>>(),
        ["api_addr", "default_lease_ttl", "disable_mlock"]
    );
    assert_eq!(unknown[0].at().line, 3);
}

#[test]
fn leniencies_stop_where_meaning_would_change() {
    // text, text?, integer?, flag?
    let cases = [
        ("\"8200\"", Some("8200"), Some(8200), None),
        ("8200", Some("8200"), Some(8200), None),
        ("1", Some("1"), Some(1), Some(true)),
        ("0", Some("0"), Some(0), Some(false)),
        ("2", Some("2"), Some(2), None),
        ("true", None, None, Some(true)),
        ("\"True\"", Some("True"), None, Some(true)),
        ("\"f\"", Some("f"), None, Some(false)),
        ("\"yes\"", Some("yes"), None, None),
        ("\"\"", Some(""), None, None),
        ("1.5", Some("1.5"), None, None),
        ("[]", None, None, None),
        ("{}", None, None, None),
    ];
    for (value, text, integer, flag) in cases {
        let body = parse(&format!("a = {value}")).unwrap();
        let item = &body.items[0];
        assert_eq!(item.text().ok().as_deref(), text, "{value}");
        assert_eq!(item.integer().ok(), integer, "{value}");
        assert_eq!(item.flag().ok(), flag, "{value}");
    }
}

#[test]
fn a_mismatch_names_the_key_the_line_and_both_kinds() {
    let body = parse("\na = [\"x\", true]\nb = 1\nc {}").unwrap();
    let said = |item: &str, wanted: fn(&vestal_hcl::Item) -> Option<vestal_hcl::Mismatch>| {
        wanted(body.last(item).unwrap()).unwrap().to_string()
    };
    let cases = [
        (said("a", |item| item.texts().err()), "`a` on line 2 must be a list of texts, not a list"),
        (said("a", |item| item.text().err()), "`a` on line 2 must be a text, not a list"),
        (said("b", |item| item.texts().err()), "`b` on line 3 must be a list of texts, not a number"),
        (said("b", |item| item.body().err()), "`b` on line 3 must be a block, not a number"),
        (said("c", |item| item.flag().err()), "`c` on line 4 must be a boolean, not an object"),
        (said("c", |item| item.integer().err()), "`c` on line 4 must be a whole number, not an object"),
    ];
    for (found, expected) in cases {
        assert_eq!(found, expected);
    }
}
