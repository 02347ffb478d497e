use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::{Seen, World, posted, text, two_clients, world};
use crate::{Delivery, End, Grant, Options, Outcome, Rotation};

fn rotating(rotation: Rotation) -> World {
    world(Options { rotation, ..two_clients() })
}

fn refresh_token(answer: &Seen) -> String {
    text(&answer.json(), "refresh_token").to_owned()
}

#[tokio::test]
async fn a_reusable_token_comes_back_each_time() {
    let world = rotating(Rotation::Reusable);
    let first = world.connect().await;
    let token = text(&first, "refresh_token");
    for _ in 0..3 {
        let answer = world.refresh(token).await;
        assert_eq!(refresh_token(&answer), token);
        assert_ne!(text(&answer.json(), "access_token"), text(&first, "access_token"));
    }
    let ledger = world.ledger();
    assert_eq!(ledger.presentations(1).len(), 3);
    assert!(ledger.second_spends().is_empty(), "nothing is spent where tokens are reusable");
    assert_eq!(ledger.family(1).unwrap().refreshes, 3);
}

#[tokio::test]
async fn a_single_use_token_that_comes_again_takes_its_family_along() {
    let world = rotating(Rotation::Single);
    let first = world.connect().await;
    let second = world.refresh(text(&first, "refresh_token")).await;
    assert_ne!(refresh_token(&second), text(&first, "refresh_token"));
    assert_eq!(world.bearer("/me", text(&second.json(), "access_token")).await.status, 200);

    let again = world.refresh(text(&first, "refresh_token")).await;
    assert_eq!((again.status.as_u16(), again.error().as_str()), (400, "invalid_grant"));
    for token in [text(&first, "access_token"), text(&second.json(), "access_token")] {
        assert_eq!(world.bearer("/me", token).await.status, 401);
    }
    assert_eq!(world.refresh(&refresh_token(&second)).await.error(), "invalid_grant");

    let ledger = world.ledger();
    let outcomes: Vec<_> = ledger.entries.iter().map(|entry| entry.outcome.clone()).collect();
    assert_eq!(
        outcomes,
        [
            Outcome::Issued { access: 1, refresh: Some(1) },
            Outcome::Issued { access: 2, refresh: Some(2) },
            Outcome::ReuseDetected { revoked_family: 1 },
            Outcome::Refused {
                error: "invalid_grant".to_owned(),
                reason: "refresh token was revoked".to_owned()
            },
        ]
    );
    let presented: Vec<_> = ledger.entries.iter().map(|entry| entry.presented).collect();
    assert_eq!(presented, [None, Some(1), Some(1), Some(2)]);
    assert_eq!(ledger.second_spends().len(), 1);
    assert_eq!(ledger.family(1).unwrap().ended, Some(End::RefreshTokenReused));
    assert_eq!(ledger.family(1).unwrap().reuses, 1);
}

#[tokio::test]
async fn within_the_grace_a_spent_token_gets_the_same_successor() {
    let world = rotating(Rotation::Grace(Duration::from_secs(10)));
    let first = world.connect().await;
    let old = text(&first, "refresh_token");
    let second = world.refresh(old).await;
    world.pass(Duration::from_secs(10));
    let replay = world.refresh(old).await;
    assert_eq!(refresh_token(&replay), refresh_token(&second));
    assert_ne!(text(&replay.json(), "access_token"), text(&second.json(), "access_token"));
    assert_eq!(world.refresh(&refresh_token(&replay)).await.status, 200);

    let ledger = world.ledger();
    assert_eq!(ledger.entries[2].outcome, Outcome::ReplayedInGrace { access: 3, refresh: 2 });
    assert_eq!(ledger.second_spends().len(), 1);
    assert!(ledger.family(1).unwrap().is_alive());
    assert_eq!(ledger.family(1).unwrap().replays_in_grace, 1);
    assert_eq!(ledger.family(1).unwrap().newest, Some(3));
}

#[tokio::test]
async fn the_grace_ends_by_time_and_by_use_of_the_successor() {
    let world = rotating(Rotation::Grace(Duration::from_secs(10)));
    let by_time = world.connect().await;
    world.refresh(text(&by_time, "refresh_token")).await;
    world.pass(Duration::from_millis(10_001));
    assert_eq!(world.refresh(text(&by_time, "refresh_token")).await.error(), "invalid_grant");

    let by_use = world.connect().await;
    let second = world.refresh(text(&by_use, "refresh_token")).await;
    world.refresh(&refresh_token(&second)).await;
    assert_eq!(world.refresh(text(&by_use, "refresh_token")).await.error(), "invalid_grant");

    let ended: Vec<_> = world.ledger().families.iter().map(|family| family.ended).collect();
    assert_eq!(ended, [Some(End::RefreshTokenReused); 2]);
}

#[tokio::test]
async fn a_refresh_token_expires_unless_it_is_used_in_time() {
    let world = world(Options { refresh_life: Some(Duration::from_hours(1)), ..Options::default() });
    let first = world.connect().await;
    assert_eq!(first["refresh_token_expires_in"], 3600);
    world.pass(Duration::from_millis(3_599_999));
    let second = world.refresh(text(&first, "refresh_token")).await;
    world.pass(Duration::from_millis(3_599_999));
    let third = world.refresh(&refresh_token(&second)).await;
    world.pass(Duration::from_hours(1));
    assert_eq!(world.refresh(&refresh_token(&third)).await.error(), "invalid_grant");
    assert!(world.ledger().family(1).unwrap().is_alive(), "expiry is no reuse");
}

#[tokio::test]
async fn a_scope_may_shrink_but_not_grow_and_refusal_spends_nothing() {
    let world = world(Options::default());
    let code = world.code(&[("scope", "read write")]).await;
    let tokens = world.exchange(&code, &[]).await.json();
    let with = |token: &str, scope: &str| {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", token), ("scope", scope)];
        posted("/token", Some("demo-client:demo-secret"), &fields)
    };
    let wide = world.send(with(text(&tokens, "refresh_token"), "read admin")).await.unwrap();
    assert_eq!(wide.error(), "invalid_scope");
    let narrow = world.send(with(text(&tokens, "refresh_token"), "read")).await.unwrap();
    assert_eq!(text(&narrow.json(), "scope"), "read");
    // The refresh token keeps the whole scope (RFC 6749, section 6).
    assert_eq!(text(&world.refresh(&refresh_token(&narrow)).await.json(), "scope"), "read write");
}

#[tokio::test]
async fn tokens_of_others_and_unknown_tokens_are_refused_without_harm() {
    let world = rotating(Rotation::Single);
    let tokens = world.connect().await;
    let token = text(&tokens, "refresh_token");
    let stranger = [("grant_type", "refresh_token"), ("client_id", "app"), ("refresh_token", token)];
    assert_eq!(world.post("/token", &stranger).await.error(), "invalid_grant");
    assert_eq!(world.refresh("demo_rt_guessed").await.error(), "invalid_grant");
    assert_eq!(world.refresh(text(&tokens, "access_token")).await.error(), "invalid_grant");
    assert_eq!(world.call("/token", &[("grant_type", "refresh_token")]).await.error(), "invalid_request");
    assert_eq!(world.refresh(token).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_crowd_with_one_token_exactly_one_is_served() {
    let world = Arc::new(rotating(Rotation::Single));
    let token = text(&world.connect().await, "refresh_token").to_owned();
    let crowd: Vec<_> = (0..64)
        .map(|_| {
            let (world, token) = (world.clone(), token.clone());
            tokio::spawn(async move { world.refresh(&token).await.status.as_u16() })
        })
        .collect();
    let mut served = 0;
    for one in crowd {
        served += usize::from(one.await.unwrap() == 200);
    }
    assert_eq!(served, 1);
    let ledger = world.ledger();
    let count =
        |wanted: fn(&Outcome) -> bool| ledger.entries.iter().filter(|entry| wanted(&entry.outcome)).count();
    assert_eq!(count(|outcome| matches!(outcome, Outcome::ReuseDetected { .. })), 1);
    assert_eq!(count(|outcome| matches!(outcome, Outcome::Refused { .. })), 62);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_order_of_the_ledger_is_the_order_of_serials() {
    let world = Arc::new(rotating(Rotation::Single));
    let mut workers = Vec::new();
    for _ in 0..8 {
        let world = world.clone();
        workers.push(tokio::spawn(async move {
            let mut token = text(&world.connect().await, "refresh_token").to_owned();
            for _ in 0..50 {
                token = refresh_token(&world.refresh(&token).await);
            }
        }));
    }
    for worker in workers {
        worker.await.unwrap();
    }
    let ledger = world.ledger();
    let issued: Vec<_> = ledger
        .entries
        .iter()
        .map(|entry| match entry.outcome {
            Outcome::Issued { access, refresh: Some(refresh) } => (entry.number, access, refresh),
            ref other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(issued, (1..=408).map(|n| (n, n, n)).collect::<Vec<_>>());
    let presented: Vec<_> = ledger.entries.iter().filter_map(|entry| entry.presented).collect();
    assert_eq!(presented.len(), 400);
    assert_eq!(presented.iter().collect::<HashSet<_>>().len(), 400, "each token was spent once");
    assert!(ledger.second_spends().is_empty());
}

#[tokio::test]
async fn the_ledger_names_time_client_and_delivery_but_never_a_token() {
    let world = rotating(Rotation::Single);
    let tokens = world.connect().await;
    world.pass(Duration::from_secs(5));
    world.refresh(text(&tokens, "refresh_token")).await;
    let ledger = world.ledger();
    let last = ledger.entries.last().unwrap();
    assert_eq!((last.number, last.at, last.grant), (2, world.now(), Grant::RefreshToken));
    assert_eq!((last.client.as_str(), last.family), ("demo-client", Some(1)));
    assert_eq!(last.delivery, Delivery::Given { status: 200 });
    assert!(!serde_json::to_string(&ledger).unwrap().contains("demo_rt_"));
}

#[tokio::test]
async fn a_capped_ledger_forgets_entries_but_no_count_and_no_family() {
    let world = world(Options { ledger_limit: Some(3), ..Options::default() });
    let mut token = text(&world.connect().await, "refresh_token").to_owned();
    for _ in 0..5 {
        token = refresh_token(&world.refresh(&token).await);
    }
    let ledger = world.ledger();
    let kept: Vec<_> = ledger.entries.iter().map(|entry| (entry.number, entry.delivery)).collect();
    assert_eq!(kept, [4, 5, 6].map(|number| (number, Delivery::Given { status: 200 })));
    assert_eq!((ledger.totals.calls, ledger.totals.issued), (6, 6));
    assert_eq!(ledger.family(1).unwrap().refreshes, 5);
    let after: Vec<_> =
        world.provider.control().ledger_after(5).entries.iter().map(|entry| entry.number).collect();
    assert_eq!(after, [6]);
}
