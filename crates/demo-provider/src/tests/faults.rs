use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{World, posted, text, two_clients, world};
use crate::{
    Act, Alter, Answer, ConnectionDropped, Delivery, Endpoint, Fault, Grant, Options, Outcome, Rotation, Rule,
};

const HEADER: Option<&str> = Some("demo-client:demo-secret");

/// A provider with one family, and its refresh token.
async fn connected(rotation: Rotation) -> (World, String) {
    let world = world(Options { rotation, ..two_clients() });
    let token = text(&world.connect().await, "refresh_token").to_owned();
    (world, token)
}

fn inject(world: &World, fault: Fault) {
    world.provider.control().inject(Rule::next(1, Endpoint::Token, fault));
}

#[tokio::test]
async fn dropped_before_processing_nothing_is_spent() {
    let (world, token) = connected(Rotation::Single).await;
    inject(&world, Fault::drop_before());
    assert_eq!(world.try_refresh(&token).await.err(), Some(ConnectionDropped));
    let entry = world.ledger().entries.pop().unwrap();
    assert_eq!((entry.outcome, entry.delivery), (Outcome::NotProcessed, Delivery::Lost));
    assert_eq!((entry.presented, entry.family), (Some(1), Some(1)));
    assert_eq!(world.refresh(&token).await.status, 200);
}

#[tokio::test]
async fn dropped_after_processing_the_token_is_spent_and_the_answer_lost() {
    let (world, token) = connected(Rotation::Single).await;
    inject(&world, Fault::drop_after());
    assert_eq!(world.try_refresh(&token).await.err(), Some(ConnectionDropped));
    let ledger = world.ledger();
    let entry = ledger.entries.last().unwrap();
    assert_eq!(entry.outcome, Outcome::Issued { access: 2, refresh: Some(2) });
    assert_eq!(entry.delivery, Delivery::Lost);
    assert_eq!(ledger.totals.answers_lost, 1);
    assert_eq!(world.refresh(&token).await.error(), "invalid_grant");
    assert_eq!(world.ledger().totals.reuses, 1);
}

#[tokio::test]
async fn within_the_grace_a_lost_answer_can_be_had_again() {
    let (world, token) = connected(Rotation::Grace(Duration::from_secs(10))).await;
    inject(&world, Fault::drop_after());
    assert!(world.try_refresh(&token).await.is_err());
    let again = world.refresh(&token).await.json();
    assert_eq!(world.refresh(text(&again, "refresh_token")).await.status, 200);
}

#[tokio::test]
async fn a_delay_before_counts_into_the_time_of_processing_and_one_after_does_not() {
    let (world, token) = connected(Rotation::Reusable).await;
    let start = world.now();
    inject(
        &world,
        Fault::delay_before(Duration::from_secs(3)).and(Fault::delay_after(Duration::from_secs(4))),
    );
    world.refresh(&token).await;
    assert_eq!(world.ledger().entries.last().unwrap().at, start + 3000);
    assert_eq!(world.now(), start + 7000);
    inject(&world, Fault::before(Act::DelayUpToMs(50)));
    world.refresh(&token).await;
    assert!(world.now() <= start + 7050);
}

#[tokio::test]
async fn answers_on_request_spend_nothing() {
    let (world, token) = connected(Rotation::Single).await;
    let cases: [(Fault, u16, &str, &str); 8] = [
        (Fault::status(500), 500, "application/json", r#"{"message":"fault on request"}"#),
        (Fault::too_many_requests(7), 429, "application/json", r#"{"message":"fault on request"}"#),
        (Fault::empty(), 200, "", ""),
        (Fault::half_json(), 200, "application/json", r#"{"access_token":"demo_at_half","token_ty"#),
        (Fault::redirect_to("http://localhost:1/x"), 307, "", ""),
        (
            Fault::oauth_error("invalid_grant"),
            400,
            "application/json",
            r#"{"error":"invalid_grant","error_description":"fault on request"}"#,
        ),
        (
            Fault::oauth_error("invalid_client"),
            401,
            "application/json",
            r#"{"error":"invalid_client","error_description":"fault on request"}"#,
        ),
        (Fault::answer(Answer::new(200, "text/plain", "hello")), 200, "text/plain", "hello"),
    ];
    for (fault, status, kind, body) in cases {
        let shown = format!("{fault:?}");
        inject(&world, fault);
        let answer = world.refresh(&token).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (status, kind), "{shown}");
        assert_eq!(answer.text(), body, "{shown}");
        let entry = world.ledger().entries.pop().unwrap();
        assert_eq!(
            (entry.outcome, entry.delivery),
            (Outcome::NotProcessed, Delivery::Given { status }),
            "{shown}"
        );
    }
    inject(&world, Fault::too_many_requests(7));
    assert_eq!(world.refresh(&token).await.header("retry-after"), "7");
    inject(&world, Fault::redirect_to("http://localhost:1/x"));
    assert_eq!(world.refresh(&token).await.header("location"), "http://localhost:1/x");
    inject(&world, Fault::html());
    let page = world.refresh(&token).await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert_eq!(world.refresh(&token).await.status, 200, "the token is as good as new");
}

#[tokio::test]
async fn a_huge_answer_is_as_long_as_asked() {
    let (world, token) = connected(Rotation::Single).await;
    inject(&world, Fault::huge(20_000_000));
    let answer = world.refresh(&token).await;
    assert_eq!(answer.header("content-length"), "");
    assert_eq!(answer.body.len(), 20_000_000 + r#"{"access_token":""#.len());
}

#[tokio::test]
async fn an_error_may_come_though_the_token_was_spent() {
    let (world, token) = connected(Rotation::Single).await;
    inject(&world, Fault::after(Act::Answer(Answer::new(502, "text/html", "<h1>Bad gateway</h1>"))));
    assert_eq!(world.refresh(&token).await.status, 502);
    let entry = world.ledger().entries.pop().unwrap();
    assert_eq!(entry.outcome, Outcome::Issued { access: 2, refresh: Some(2) });
    assert_eq!(entry.delivery, Delivery::Given { status: 502 });
}

#[tokio::test]
async fn fields_can_be_left_out_or_be_anything() {
    let (world, token) = connected(Rotation::Reusable).await;
    for field in ["refresh_token", "expires_in", "token_type", "access_token"] {
        inject(&world, Fault::omit(field));
        let answer = world.refresh(&token).await.json();
        assert!(answer.get(field).is_none(), "{field}");
        assert!(answer.as_object().unwrap().len() >= 3, "{field}: the others stay");
    }
    for value in [json!("3600"), json!(0), json!(-1), json!(3600.5), json!(null), json!("soon")] {
        inject(&world, Fault::set("expires_in", value.clone()));
        assert_eq!(world.refresh(&token).await.json()["expires_in"], value);
    }
}

#[tokio::test]
async fn changes_of_fields_leave_errors_alone() {
    let (world, _) = connected(Rotation::Single).await;
    inject(&world, Fault::omit("error").and(Fault::set("expires_in", 5)));
    let answer = world.refresh("unknown").await;
    assert_eq!(answer.error(), "invalid_grant");
    assert_eq!(answer.json().get("expires_in"), None);
}

#[tokio::test]
async fn an_answer_may_be_a_form() {
    let (world, token) = connected(Rotation::Reusable).await;
    inject(&world, Fault::form_encoded().and(Fault::set("scope", "a b&c")));
    let answer = world.refresh(&token).await;
    assert_eq!(answer.header("content-type"), "application/x-www-form-urlencoded");
    let fields: std::collections::HashMap<_, _> =
        url::form_urlencoded::parse(&answer.body).into_owned().collect();
    assert_eq!((fields["refresh_token"].as_str(), fields["expires_in"].as_str()), (token.as_str(), "20"));
    assert_eq!(fields["scope"], "a b&c");

    inject(&world, Fault::form_encoded());
    let error = world.refresh("unknown").await;
    assert!(error.text().starts_with("error=invalid_grant&"));
    inject(&world, Fault::alter(Alter::ContentType("text/plain".to_owned())));
    let answer = world.refresh(&token).await;
    assert_eq!(answer.header("content-type"), "text/plain");
    assert!(answer.json()["access_token"].is_string());
}

#[tokio::test]
async fn a_body_can_end_early_break_off_or_drip() {
    let (world, token) = connected(Rotation::Reusable).await;
    inject(&world, Fault::alter(Alter::Truncate { keep_bytes: 10 }));
    assert_eq!(world.refresh(&token).await.body.len(), 10);
    inject(&world, Fault::alter(Alter::CutOff { keep_bytes: 10 }));
    assert!(world.try_refresh(&token).await.is_err());
    let start = world.now();
    inject(&world, Fault::alter(Alter::Dribble { piece_bytes: 10, every_ms: 1000 }));
    let answer = world.refresh(&token).await;
    assert!(answer.json()["access_token"].is_string());
    assert_eq!(world.now() - start, 1000 * (answer.body.len() as u64).div_ceil(10));
}

#[tokio::test]
async fn the_wrong_place_for_a_secret_can_be_refused() {
    let (world, _) = connected(Rotation::Single).await;
    let control = world.provider.control();
    let header = || posted("/token", HEADER, &[("grant_type", "client_credentials")]);
    let body = || {
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_id", "demo-client"),
            ("client_secret", "demo-secret"),
        ];
        posted("/token", None, &fields)
    };
    for (fault, by_header, by_body) in
        [(Fault::reject_header_auth(), 401, 200), (Fault::before(Act::RejectParameterAuth), 200, 401)]
    {
        let rule = control.inject(Rule::always(Endpoint::Token, fault));
        assert_eq!(world.send(header()).await.unwrap().status, by_header);
        assert_eq!(world.send(body()).await.unwrap().status, by_body);
        assert!(control.remove_fault(rule));
    }
    assert_eq!(world.ledger().totals.not_processed, 2);
}

#[tokio::test]
async fn a_rule_meets_only_the_calls_it_is_meant_for() {
    let (world, token) = connected(Rotation::Reusable).await;
    let control = world.provider.control();
    let status = async |world: &World| world.refresh(&token).await.status.as_u16();

    control.inject(Rule::next(1, Endpoint::Token, Fault::status(500)).only(Grant::AuthorizationCode));
    control.inject(Rule::next(1, Endpoint::Token, Fault::status(501)).for_client("app"));
    control.inject(Rule::next(1, Endpoint::Userinfo, Fault::status(502)));
    control.inject(Rule::next(2, Endpoint::Token, Fault::status(503)).only(Grant::RefreshToken).skipping(1));
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(status(&world).await);
    }
    assert_eq!(seen, [200, 503, 503, 200]);
    assert_eq!(control.faults().len(), 3, "the used up rule is gone");
    assert_eq!(world.bearer("/me", "x").await.status, 502);
    let code = world.code(&[]).await;
    assert_eq!(world.exchange(&code, &[]).await.status, 500);
    assert_eq!(world.exchange(&code, &[]).await.status, 200);

    control.clear_faults();
    let forever = control.inject(Rule::always(Endpoint::Token, Fault::status(504)));
    assert_eq!((status(&world).await, status(&world).await), (504, 504));
    assert!(control.remove_fault(forever) && !control.remove_fault(forever));
    control.inject(Rule::next(0, Endpoint::Token, Fault::status(505)));
    assert_eq!(status(&world).await, 200, "a rule for no calls does nothing");
}

#[tokio::test]
async fn rules_are_met_in_the_order_they_came() {
    let (world, token) = connected(Rotation::Reusable).await;
    for status in [500, 429, 503] {
        inject(&world, Fault::status(status));
    }
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(world.refresh(&token).await.status.as_u16());
    }
    assert_eq!(seen, [500, 429, 503, 200]);
}

#[tokio::test]
async fn every_endpoint_can_fail() {
    let world = world(Options::default());
    let cases = [
        (Endpoint::Discovery, "/.well-known/openid-configuration"),
        (Endpoint::Jwks, "/jwks"),
        (Endpoint::Authorize, "/authorize"),
        (Endpoint::Userinfo, "/userinfo"),
        (Endpoint::Device, "/device/verify"),
    ];
    for (endpoint, path) in cases {
        world.provider.control().inject(Rule::next(1, endpoint, Fault::status(599)));
        assert_eq!(world.get(path, &[]).await.status, 599, "{path}");
        assert_ne!(world.get(path, &[]).await.status, 599, "{path}");
    }
    for (endpoint, path) in [
        (Endpoint::Device, "/device"),
        (Endpoint::Revoke, "/revoke"),
        (Endpoint::Introspect, "/introspect"),
        (Endpoint::Authorize, "/authorize/decide"),
    ] {
        world.provider.control().inject(Rule::next(1, endpoint, Fault::drop_before()));
        assert!(world.try_call(path, &[]).await.is_err(), "{path}");
    }
    assert_eq!(world.ledger().totals.calls, 0, "the ledger is of the token endpoint alone");
}

#[tokio::test]
async fn a_held_call_waits_for_its_release() {
    let (world, token) = connected(Rotation::Single).await;
    let world = Arc::new(world);
    let control = world.provider.control();
    inject(&world, Fault::after(Act::Hold));
    let (held, sent) = (world.clone(), token.clone());
    let call = tokio::spawn(async move { held.refresh(&sent).await.status });
    control.until_held(1).await;
    let entry = world.ledger().entries.pop().unwrap();
    assert_eq!(entry.outcome, Outcome::Issued { access: 2, refresh: Some(2) });
    assert_eq!(entry.delivery, Delivery::Pending);
    assert!(!call.is_finished());
    control.release();
    assert_eq!(call.await.unwrap(), 200);
    assert_eq!(control.held(), 0);
    assert_eq!(world.ledger().entries.pop().unwrap().delivery, Delivery::Given { status: 200 });
}

#[tokio::test]
async fn a_caller_that_leaves_does_not_undo_what_it_asked_for() {
    let (world, token) = connected(Rotation::Single).await;
    let control = world.provider.control();
    inject(&world, Fault::before(Act::Hold));
    let mut call = Box::pin(world.refresh(&token));
    tokio::select! {
        biased;
        _ = &mut call => panic!("a held call was answered"),
        () = control.until_held(1) => {}
    }
    drop(call);
    control.release();
    while world.ledger().totals.answers_lost == 0 {
        tokio::task::yield_now().await;
    }
    let entry = world.ledger().entries.pop().unwrap();
    assert_eq!(entry.outcome, Outcome::Issued { access: 2, refresh: Some(2) });
    assert_eq!(entry.delivery, Delivery::Lost);
}

#[tokio::test]
async fn a_hanging_call_is_never_answered_and_spends_nothing() {
    let (world, token) = connected(Rotation::Single).await;
    inject(&world, Fault::hang());
    let mut call = Box::pin(world.refresh(&token));
    tokio::select! {
        biased;
        _ = &mut call => panic!("a hanging call was answered"),
        () = async { while world.ledger().totals.not_processed == 0 { tokio::task::yield_now().await; } } => {}
    }
    drop(call);
    assert_eq!(world.refresh(&token).await.status, 200);
}

#[test]
fn a_rule_survives_json() {
    let text = r#"{"endpoint":"token","grant":"refresh_token","client":"c","skip":2,"times":"always","fault":{
        "before":[{"delay_ms":5},{"delay_up_to_ms":6},"hold","hang","drop","reject_header_auth",
            "reject_parameter_auth",{"answer":{"status":429,"headers":{"retry-after":"7"},"text":"x","filler_bytes":9}}],
        "after":["drop"],
        "alter":[{"omit":"scope"},{"set":{"field":"expires_in","value":1.5}},"form_encoded",
            {"content_type":"text/plain"},{"truncate":{"keep_bytes":1}},{"cut_off":{"keep_bytes":2}},
            {"dribble":{"piece_bytes":3,"every_ms":4}}]}}"#;
    let rule: Rule = serde_json::from_str(text).unwrap();
    assert_eq!(rule.fault.before.len(), 8);
    let again: Rule = serde_json::from_value::<Rule>(serde_json::to_value(&rule).unwrap()).unwrap();
    assert_eq!(again, rule);
    assert_eq!(serde_json::to_value(&rule).unwrap(), serde_json::from_str::<Value>(text).unwrap());
}
