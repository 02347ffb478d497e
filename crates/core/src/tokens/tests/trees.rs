use vestal_storage::testing::{Fault, Target};

use super::{Bench, below, left_behind};
use crate::tokens::NewToken;

#[tokio::test]
async fn wide_and_deep_trees_fall_whole() {
    let bench = Bench::new().await;
    let root = bench.make(below(None)).await.expect("made").1.id;
    for _ in 0..300 {
        bench.make(below(Some(&root))).await.expect("made");
    }
    let mut deepest = root.clone();
    for _ in 0..200 {
        deepest = bench.make(below(Some(&deepest))).await.expect("made").1.id;
    }
    let outside = bench.make(below(None)).await.expect("made").1.id;
    bench.tokens.revoke(&root).await.expect("revoked");
    assert!(!bench.alive(&deepest).await && bench.alive(&outside).await);
    assert_eq!(bench.tokens.accessors().await.expect("list").len(), 1);
    assert_eq!(left_behind(&bench.barrier).await, Vec::<String>::new());
}

#[tokio::test]
async fn the_parent_is_dead_before_the_walk_and_a_failed_walk_is_finished_at_the_next_opening() {
    let bench = Bench::new().await;
    let (token, parent) = bench.make(below(None)).await.expect("made");
    let child = bench.make(below(Some(&parent.id))).await.expect("made").1;
    bench.store.next(Target::Commit, Fault::Undetermined { written: true });
    bench.tokens.revoke(&parent.id).await.expect_err("the answer is lost");
    assert!(!bench.alive(&parent.id).await && bench.alive(&child.id).await);
    assert!(bench.tokens.authenticate(&token, crate::testing::START).await.is_err());
    assert!(bench.make(below(Some(&parent.id))).await.is_err(), "it gets no more children");
    let again = Bench::on(bench.store.reopen(), 2).await.expect("opened");
    assert!(again.tokens.accessors().await.expect("list").is_empty());
    assert_eq!(left_behind(&again.barrier).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_cubbyhole_of_any_size_goes_with_its_token() {
    use crate::cubbyhole::Secret;
    use vestal_storage::Changes;
    let bench = Bench::new().await;
    let ids = [
        bench.make(below(None)).await.expect("made").1.id,
        bench.make(below(None)).await.expect("made").1.id,
    ];
    for id in &ids {
        for number in 0..700 {
            let mut changes = Changes::new();
            let secret = Secret(serde_json::Map::new());
            bench.tokens.cubbyholes.put(&mut changes, id, &format!("a/{number}"), &secret).expect("sealed");
            bench.barrier.commit(changes).await.expect("kept");
        }
    }
    bench.tokens.revoke(&ids[0]).await.expect("revoked");
    assert_eq!(bench.tokens.cubbyholes.list(&ids[1], "a/").await.expect("list").len(), 700);
    assert_eq!(left_behind(&bench.barrier).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_token_made_anew_under_a_chosen_id_is_not_taken_for_the_old_one() {
    let bench = Bench::new().await;
    let chosen = || NewToken { id: Some("chosen".into()), ..below(None) };
    let old = bench.make(chosen()).await.expect("made").1;
    bench.tokens.revoke(&old.id).await.expect("revoked");
    let new = bench.make(chosen()).await.expect("made").1;
    assert!(old.id == new.id && old.accessor != new.accessor);
    assert!(bench.tokens.by_accessor(&old.accessor, crate::testing::START).await.expect("read").is_none());
    assert!(bench.alive(&new.id).await);
}

#[tokio::test]
async fn a_walk_that_the_store_has_stopped_goes_on_when_it_can() {
    use std::time::Duration;
    use vestal_logical::testing::settle;
    for commits_before in 0..3 {
        let bench = Bench::new().await;
        let parent = bench.make(below(None)).await.expect("made").1.id;
        let child = bench.make(below(Some(&parent))).await.expect("made").1.id;
        bench.make(below(Some(&child))).await.expect("made");
        let reaper = tokio::spawn((bench.tokens.tasks().remove(0).start)());
        settle().await;
        for _ in 0..commits_before {
            bench.store.next(Target::Commit, Fault::Hold);
        }
        bench.store.next(Target::Commit, Fault::Undetermined { written: true });
        bench.store.next(Target::Commit, Fault::Refuse);
        let revoked = async {
            for _ in 0..commits_before {
                bench.store.holding(1).await;
                bench.store.let_go();
                settle().await;
            }
        };
        let (revoked, ()) = futures::join!(bench.tokens.revoke(&parent), revoked);
        revoked.expect_err("the store fails");
        assert!(!bench.alive(&parent).await);
        bench.clock.advance(Duration::from_mins(2)).await;
        assert!(bench.tokens.accessors().await.expect("list").is_empty(), "after {commits_before}");
        assert_eq!(left_behind(&bench.barrier).await, Vec::<String>::new());
        reaper.abort();
    }
}

#[tokio::test]
async fn a_damaged_token_does_not_keep_the_vault_shut() {
    use super::super::store::id_place;
    use vestal_storage::{Changes, RawBytes};
    let bench = Bench::new().await;
    let (_, damaged) = bench.make(below(None)).await.expect("made");
    let (_, whole) = bench.make(below(None)).await.expect("made");
    for id in [&damaged.id, &whole.id] {
        bench.store.next(Target::Commit, Fault::Undetermined { written: true });
        bench.tokens.revoke(id).await.expect_err("the answer is lost");
    }
    let mut changes = Changes::new();
    changes.put(&bench.tokens.view, &id_place(&damaged.id), &RawBytes::new(b"{".to_vec())).expect("sealed");
    bench.barrier.commit(changes).await.expect("kept");
    let again = Bench::on(bench.store.reopen(), 2).await.expect("opened");
    assert!(again.tokens.read(&damaged.id).await.is_err());
    assert!(again.tokens.read(&whole.id).await.expect("read").is_none(), "the other revocation was finished");
}
