use std::sync::Arc;

use futures::future::join_all;
use vestal_logical::Clock;
use vestal_storage::testing::{Fault, Target};

use super::{Bench, below, left_behind};
use crate::tokens::NewToken;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_limited_token_works_exactly_as_often_as_it_says() {
    for uses in [1_u64, 2, 7] {
        let bench = Arc::new(Bench::new().await);
        let (token, _) = bench.make(NewToken { num_uses: uses, ..below(None) }).await.expect("made");
        let crowd = (0..50).map(|_| {
            let (bench, token) = (Arc::clone(&bench), token.clone());
            tokio::spawn(async move { bench.tokens.authenticate(&token, bench.clock.now()).await })
        });
        let let_in: Vec<_> =
            join_all(crowd).await.into_iter().filter_map(|done| done.expect("ran").ok()).collect();
        assert_eq!(let_in.len() as u64, uses);
        assert_eq!(let_in.iter().filter(|presented| presented.last_use).count(), 1);
    }
}

#[tokio::test]
async fn a_use_that_was_not_durably_spent_lets_nobody_in() {
    let bench = Bench::new().await;
    let (token, entry) = bench.make(NewToken { num_uses: 2, ..below(None) }).await.expect("made");
    bench.store.next(Target::Commit, Fault::Refuse);
    bench.tokens.authenticate(&token, bench.clock.now()).await.expect_err("the store refuses");
    assert_eq!(bench.tokens.read(&entry.id).await.expect("read").expect("there").entry.num_uses, 2);
}

/// The children's batches wait inside the store while the parent goes.
#[tokio::test]
async fn no_child_that_is_being_made_survives_its_parent() {
    let bench = Arc::new(Bench::new().await);
    let (_, parent) = bench.make(below(None)).await.expect("made");
    for _ in 0..50 {
        bench.store.next(Target::Commit, Fault::Hold);
    }
    let makers: Vec<_> = (0..50)
        .map(|_| {
            let (bench, parent) = (Arc::clone(&bench), parent.id.clone());
            tokio::spawn(async move { bench.make(below(Some(&parent))).await })
        })
        .collect();
    bench.store.holding(50).await;
    bench.tokens.revoke(&parent.id).await.expect("revoked");
    bench.store.let_go();
    for made in join_all(makers).await {
        assert!(made.expect("ran").is_err());
    }
    assert!(bench.tokens.accessors().await.expect("list").is_empty());
    assert_eq!(left_behind(&bench.barrier).await, Vec::<String>::new());
}

/// The same without a script: some children come in time, and go.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn revoking_a_parent_in_a_crowd_of_births_leaves_no_one_alive() {
    for round in 0..20 {
        let bench = Arc::new(Bench::new().await);
        let (_, parent) = bench.make(below(None)).await.expect("made");
        let makers: Vec<_> = (0..50)
            .map(|_| {
                let (bench, parent) = (Arc::clone(&bench), parent.id.clone());
                tokio::spawn(async move {
                    let child = bench.make(below(Some(&parent))).await;
                    if let Ok((_, child)) = &child {
                        drop(bench.make(below(Some(&child.id))).await);
                    }
                })
            })
            .collect();
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        bench.tokens.revoke(&parent.id).await.expect("revoked");
        join_all(makers).await;
        assert!(bench.tokens.accessors().await.expect("list").is_empty(), "round {round}");
        assert_eq!(left_behind(&bench.barrier).await, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn overlapping_revocations_of_one_tree_all_end_and_leave_nothing() {
    let bench = Arc::new(Bench::new().await);
    let mut ids = vec![bench.make(below(None)).await.expect("made").1.id];
    for number in 0..60_usize {
        let parent = ids[number / 3].clone();
        ids.push(bench.make(below(Some(&parent))).await.expect("made").1.id);
    }
    let revokers = ids.iter().cloned().map(|id| {
        let bench = Arc::clone(&bench);
        tokio::spawn(async move { bench.tokens.revoke(&id).await })
    });
    for done in join_all(revokers).await {
        done.expect("ran").expect("revoked");
    }
    assert!(bench.tokens.accessors().await.expect("list").is_empty());
    assert_eq!(left_behind(&bench.barrier).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_want_the_same_chosen_id_one_gets_it() {
    let bench = Arc::new(Bench::new().await);
    let crowd = (0..50).map(|_| {
        let bench = Arc::clone(&bench);
        tokio::spawn(async move { bench.make(NewToken { id: Some("chosen".into()), ..below(None) }).await })
    });
    let made = join_all(crowd).await.into_iter().filter(|done| done.as_ref().expect("ran").is_ok()).count();
    assert_eq!(made, 1);
    assert_eq!(left_behind(&bench.barrier).await, Vec::<String>::new());
}
