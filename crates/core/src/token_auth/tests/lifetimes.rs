use std::time::Duration;

use serde_json::{Value, json};
use vestal_logical::Kind;

use crate::testing::TestVault;

const DAY: u64 = 86_400;
const MAX: u64 = 32 * DAY;

fn capped(ttl: &str, max: &str) -> String {
    format!("TTL of \"{ttl}\" exceeded the effective max_ttl of \"{max}\"; TTL value is capped accordingly")
}

#[tokio::test]
async fn a_new_token_lives_as_long_as_asked_within_mount_and_own_maximum() {
    let vault = TestVault::active().await;
    vault.policy("p", r#"path "a" { capabilities = ["read"] }"#).await;
    let period = |period: &str, max: &str| {
        format!(
            "period of \"{period}\" exceeded the effective max_ttl of \"{max}\"; period value is capped accordingly"
        )
    };
    let cases: [(Value, u64, Option<String>); 17] = [
        (json!({}), MAX, None),
        (json!({ "ttl": "0" }), MAX, None),
        (json!({ "ttl": 3600 }), 3600, None),
        (json!({ "ttl": "1d" }), DAY, None),
        (json!({ "ttl": "1.5h" }), 5400, None),
        (json!({ "lease": "1h" }), 3600, None),
        (json!({ "ttl": "2h", "lease": "1h" }), 7200, None),
        (json!({ "ttl": "1500ms" }), 1, None),
        (json!({ "ttl": "0.5s" }), 1, None),
        (json!({ "ttl": "9999h" }), MAX, Some(capped("9999h", "768h"))),
        (json!({ "explicit_max_ttl": "9999h" }), MAX, None),
        (json!({ "explicit_max_ttl": "1h" }), 3600, Some(capped("768h", "1h"))),
        (json!({ "ttl": "3661s", "explicit_max_ttl": 3601 }), 3601, Some(capped("1h1m1s", "1h1s"))),
        (json!({ "period": "1h", "ttl": "2h" }), 3600, None),
        (json!({ "period": "1h", "explicit_max_ttl": "30m" }), 1800, Some(period("1h", "30m"))),
        (json!({ "period": "9000h" }), MAX, Some(period("9000h", "768h"))),
        (json!({ "period": 0 }), MAX, None),
    ];
    for (mut asked, ttl, warning) in cases {
        asked["policies"] = json!(["p"]);
        let made = vault.write("auth/token/create", asked.clone()).as_root().send().await;
        assert_eq!(made.auth().lease_duration, ttl, "{asked}");
        assert!(made.auth().renewable, "{asked}");
        assert_eq!(made.warnings().first(), warning.as_ref(), "{asked}");
        let data = vault.read("auth/token/lookup-self").by(&made.token()).send().await;
        let data = if data.is_ok() { data.data() } else { continue };
        assert_eq!((&data["ttl"], &data["creation_ttl"]), (&json!(ttl), &json!(ttl)), "{asked}");
    }
}

#[tokio::test]
async fn root_lives_for_ever_unless_told_otherwise_and_an_ending_root_makes_no_endless_one() {
    let vault = TestVault::active().await;
    let create = async |asked: Value, by: &str| vault.write("auth/token/create", asked).by(by).send().await;
    let endless = create(json!({}), &vault.root).await;
    assert_eq!((endless.auth().lease_duration, endless.auth().renewable), (0, false));
    let data = vault.read("auth/token/lookup-self").by(&endless.token()).send().await.data();
    assert_eq!((&data["expire_time"], &data["renewable"]), (&Value::Null, &json!(false)));
    let ending = create(json!({ "ttl": "10m" }), &vault.root).await;
    assert_eq!((ending.auth().lease_duration, ending.auth().renewable), (600, true));
    let bound = create(json!({ "explicit_max_ttl": "9999h" }), &vault.root).await;
    assert_eq!(bound.auth().lease_duration, 9999 * 3600);
    for asked in [json!({}), json!({ "policies": ["ROOT"] })] {
        let told = create(asked, &ending.token()).await;
        let text = "expiring root tokens cannot create non-expiring root tokens";
        assert_eq!(told.failure(), (Kind::Invalid, text.to_owned()));
    }
    for asked in [json!({ "ttl": "1h" }), json!({ "period": "1h" }), json!({ "explicit_max_ttl": "1h" })] {
        assert_eq!(create(asked, &ending.token()).await.auth().lease_duration, 3600);
    }
}

#[tokio::test]
async fn a_tuned_mount_bounds_new_tokens_and_renewals() {
    let vault = TestVault::active().await;
    let tune = json!({ "default_lease_ttl": "1h", "max_lease_ttl": "2h" });
    vault.write("sys/auth/token/tune", tune).as_root().send().await.nothing();
    let made = vault.write("auth/token/create", json!({ "policies": ["default"] })).as_root().send().await;
    assert_eq!(made.auth().lease_duration, 3600);
    let renewed =
        vault.write("auth/token/renew-self", json!({ "increment": "5h" })).by(&made.token()).send().await;
    assert_eq!(renewed.auth().lease_duration, 7200);
    assert_eq!(renewed.warnings(), [capped("5h", "2h")]);
}

#[tokio::test]
async fn a_renewal_counts_from_now_and_never_reaches_past_the_maximum() {
    let vault = TestVault::active().await;
    let asked = json!({ "policies": ["default"], "ttl": "1h" });
    let token = vault.write("auth/token/create", asked).as_root().send().await.token();
    let renew = async |asked: Value| vault.write("auth/token/renew-self", asked).by(&token).send().await;
    vault.clock.advance(Duration::from_millis(500)).await;
    let cases: [(Value, u64, Option<String>); 7] = [
        (json!({}), 3600, None),
        (json!({ "increment": 0 }), 3600, None),
        (json!({ "increment": "2h" }), 7200, None),
        (json!({ "increment": "" }), 7200, None),
        (json!({ "increment": 60 }), 60, None),
        (json!({}), 60, None),
        (json!({ "increment": "99999h" }), MAX, Some(capped("99999h", "768h"))),
    ];
    for (asked, ttl, warning) in cases {
        let told = renew(asked.clone()).await;
        assert_eq!(told.auth().lease_duration, ttl, "{asked}");
        assert_eq!(told.auth().client_token.expose(), token);
        assert_eq!(told.warnings().first(), warning.as_ref(), "{asked}");
    }
    let data = vault.read("auth/token/lookup-self").by(&token).send().await.data();
    assert_eq!(data["expire_time"], "2027-02-16T08:00:00Z", "exactly the maximum after the issue");
    vault.clock.advance(Duration::from_secs(1)).await;
    assert_eq!(renew(json!({ "increment": "99999h" })).await.warnings(), [capped("99999h", "767h59m59s")]);
    for asked in [json!({ "increment": "-1" }), json!({ "increment": "x" })] {
        let (kind, text) = renew(asked).await.failure();
        assert!(kind == Kind::Invalid && text.contains("field \"increment\""), "{text}");
    }
}

#[tokio::test]
async fn a_periodic_token_gets_its_period_whatever_is_asked_until_its_own_maximum() {
    let vault = TestVault::active().await;
    let create = async |asked: Value| vault.write("auth/token/create", asked).as_root().send().await.token();
    let endless = create(json!({ "policies": ["default"], "period": "10d" })).await;
    let bound = create(json!({ "policies": ["default"], "period": "1h", "explicit_max_ttl": "90m" })).await;
    let renew = async |token: &str| {
        let asked = json!({ "increment": "3h" });
        vault.write("auth/token/renew-self", asked).by(token).send().await
    };
    assert_eq!(renew(&bound).await.auth().lease_duration, 3600);
    vault.clock.advance(Duration::from_mins(50)).await;
    let last = renew(&bound).await;
    assert_eq!(last.auth().lease_duration, 2400, "up to ninety minutes after the issue");
    assert_eq!(last.warnings(), [capped("1h", "40m")]);
    for _ in 0..12 {
        vault.clock.advance(Duration::from_hours(9 * 24)).await;
        assert_eq!(
            renew(&endless).await.auth().lease_duration,
            10 * DAY,
            "also long after the mount's maximum"
        );
    }
    assert_eq!(renew(&bound).await.failure().0, Kind::Denied);
}

#[tokio::test]
async fn what_cannot_be_renewed_says_why() {
    let vault = TestVault::active().await;
    let renew = async |token: &str| {
        let told = vault.write("auth/token/renew", json!({ "token": token })).as_root().send().await;
        told.failure()
    };
    assert_eq!(renew(&vault.root).await, (Kind::Invalid, "invalid lease ID".to_owned()));
    let create = async |asked: Value| vault.write("auth/token/create", asked).as_root().send().await.token();
    for asked in [json!({}), json!({ "policies": ["default"], "renewable": false })] {
        assert_eq!(renew(&create(asked).await).await.1, "lease is not renewable");
    }
    let once = create(json!({ "policies": ["default"], "num_uses": 1 })).await;
    let told = vault.write("auth/token/renew-self", json!({})).by(&once).send().await;
    assert_eq!(told.failure().1, "token not found", "its last use is this one");
}

#[tokio::test]
async fn by_accessor_a_renewal_does_not_show_the_token() {
    let vault = TestVault::active().await;
    let made = vault
        .write("auth/token/create", json!({ "policies": ["default"], "ttl": 60 }))
        .as_root()
        .send()
        .await;
    let asked = json!({ "accessor": made.auth().accessor, "increment": 120 });
    let told = vault.write("auth/token/renew-accessor", asked).as_root().send().await;
    assert_eq!((told.auth().client_token.expose(), told.auth().lease_duration), ("", 120));
}

/// CVE-2021-32923: renewing in the last second gave a lease that never ends.
#[tokio::test]
async fn cve_2021_32923_renewing_around_the_end_never_gives_a_life_without_one() {
    for (since_issue, increments) in
        [(3_600_000_i64, [0_u64, 1, u64::MAX >> 31]), (7_200_000, [0, 1, 9_223_372_036])]
    {
        for offset in [-1_001, -1_000, -999, -1, 0, 1] {
            for increment in increments {
                let vault = TestVault::active().await;
                let asked =
                    json!({ "policies": ["default"], "ttl": since_issue / 1000, "explicit_max_ttl": 7200 });
                let token = vault.write("auth/token/create", asked).as_root().send().await.token();
                let span = u64::try_from(since_issue + offset).expect("positive");
                vault.clock.advance(Duration::from_millis(span)).await;
                let told = vault.write("auth/token/renew-self", json!({ "increment": increment })).by(&token);
                let told = told.send().await;
                if offset >= 0 {
                    assert_eq!(told.failure().0, Kind::Denied, "over is over: {since_issue} {offset}");
                    continue;
                }
                if told.is_ok() {
                    assert!(told.auth().lease_duration > 0);
                } else {
                    assert_eq!(told.failure().1, "past the max TTL, cannot renew");
                }
                vault.clock.advance(Duration::from_millis(7_200_000 - span)).await;
                let after = vault.read("auth/token/lookup-self").by(&token).send().await;
                assert_eq!(after.failure().0, Kind::Denied, "two hours are the end: {offset} {increment}");
            }
        }
    }
}
