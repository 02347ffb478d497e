use std::sync::Arc;
use std::time::Duration;

use vestal_logical::testing::settle;
use vestal_logical::{Clock, Kind, Timestamp};
use vestal_storage::testing::{Fault, Target};
use vestal_storage::{Key, Seq, Stamp, Watcher};

use super::super::cache::EntryCache;
use super::super::store::Found;
use super::{Bench, below, left_behind};
use crate::tokens::NewToken;

#[tokio::test]
async fn a_token_without_limit_costs_no_storage_once_it_was_seen() {
    let bench = Bench::new().await;
    let (token, entry) = bench.make(below(None)).await.expect("made");
    bench.tokens.authenticate(&token, bench.clock.now()).await.expect("alive");
    let before = bench.store.operations();
    for _ in 0..100 {
        let presented = bench.tokens.authenticate(&token, bench.clock.now()).await.expect("alive");
        assert!(!presented.last_use && *presented.entry == entry);
    }
    assert_eq!(bench.store.operations(), before);
}

#[tokio::test]
async fn an_acknowledged_change_holds_for_the_next_request_whatever_was_in_memory() {
    let bench = Bench::new().await;
    let (token, entry) = bench.make(below(None)).await.expect("made");
    bench.tokens.authenticate(&token, bench.clock.now()).await.expect("alive");
    bench.tokens.renew(&entry.id, 7200, 9999, bench.clock.now()).await.expect("renewed");
    let presented = bench.tokens.authenticate(&token, bench.clock.now()).await.expect("alive");
    assert_eq!(presented.entry.granted, 7200);
    bench.tokens.revoke(&entry.id).await.expect("revoked");
    assert_eq!(
        bench.tokens.authenticate(&token, bench.clock.now()).await.expect_err("dead").kind(),
        Kind::Denied
    );
}

#[tokio::test]
async fn what_was_read_before_a_change_is_not_kept_after_it() {
    let bench = Bench::new().await;
    let entry = Arc::new(bench.make(below(None)).await.expect("made").1);
    let prefix = Key::root().plain("id");
    let key = prefix.plain(&entry.id);
    let found = Found { entry: Arc::clone(&entry), stamp: Stamp(1) };
    let cache = EntryCache::new(prefix);
    cache.fill(&entry.id, Seq(5), found.clone());
    assert!(cache.get(&entry.id).is_some());
    cache.committed(Seq(7), std::slice::from_ref(&key));
    assert!(cache.get(&entry.id).is_none());
    cache.fill(&entry.id, Seq(6), found.clone());
    assert!(cache.get(&entry.id).is_none(), "read before commit 7");
    cache.fill(&entry.id, Seq(7), found.clone());
    assert!(cache.get(&entry.id).is_some());
    cache.committed(Seq(8), &[Key::root().plain("other").plain(&entry.id)]);
    assert!(cache.get(&entry.id).is_some(), "another record of the same name");
}

/// After a downtime thousands of tokens may be over at once, and the reaper takes its time.
#[tokio::test]
async fn what_lies_below_a_token_that_is_over_is_over_too_reaped_or_not() {
    let bench = Bench::new().await;
    let (_, parent) = bench.make(below(None)).await.expect("made");
    let (_, child) = bench.make(NewToken { period: 99_999, ..below(Some(&parent.id)) }).await.expect("made");
    let (token, grandchild) =
        bench.make(NewToken { period: 99_999, ..below(Some(&child.id)) }).await.expect("made");
    bench.tokens.authenticate(&token, bench.clock.now()).await.expect("all are alive");
    bench.clock.advance(Duration::from_secs(3600)).await;
    assert!(bench.tokens.read(&grandchild.id).await.expect("read").is_some(), "nobody came by");
    bench.tokens.authenticate(&token, bench.clock.now()).await.expect_err("two above it is over");
    assert!(!bench.alive(&child.id).await && !bench.alive(&grandchild.id).await);
}

/// Calls that it let in before may keep the token itself a while.
#[tokio::test]
async fn what_lies_below_a_token_whose_uses_are_spent_is_over_though_it_is_not_removed_yet() {
    let bench = Bench::new().await;
    let (token, parent) = bench.make(NewToken { num_uses: 1, ..below(None) }).await.expect("made");
    let (_, child) = bench.make(below(Some(&parent.id))).await.expect("made");
    assert!(bench.alive(&child.id).await);
    let presented = bench.tokens.authenticate(&token, bench.clock.now()).await.expect("its last use");
    assert!(presented.last_use && !bench.alive(&child.id).await);
}

#[tokio::test]
async fn a_token_is_refused_from_its_last_moment_on_reaped_or_not() {
    let bench = Bench::new().await;
    let (token, entry) = bench.make(NewToken { ttl: 10, ..below(None) }).await.expect("made");
    let end = entry.expires.expect("it ends");
    for (now, alive) in [(end.nanos() - 1, true), (end.nanos(), false), (end.nanos() + 1, false)] {
        let presented = bench.tokens.authenticate(&token, Timestamp::from_nanos(now)).await;
        assert_eq!(presented.is_ok(), alive);
    }
}

#[tokio::test]
async fn expired_tokens_are_removed_with_their_trees_when_they_end_and_others_stay() {
    let bench = Bench::new().await;
    let task = bench.tokens.tasks().remove(0);
    let reaper = tokio::spawn((task.start)());
    let (_, long) = bench.make(NewToken { ttl: 1000, ..below(None) }).await.expect("made");
    settle().await;
    let (_, short) = bench.make(NewToken { ttl: 10, ..below(None) }).await.expect("made");
    let (_, child) = bench.make(NewToken { ttl: 5000, ..below(Some(&short.id)) }).await.expect("made");
    let (_, renewed) = bench.make(NewToken { ttl: 20, ..below(None) }).await.expect("made");
    bench.tokens.renew(&renewed.id, 500, 9999, bench.clock.now()).await.expect("renewed");
    settle().await;
    assert_eq!(bench.clock.next_wake(), short.expires, "an earlier end wakes the sleeper");
    let quiet = bench.store.operations();
    bench.clock.advance(Duration::from_secs(9)).await;
    assert_eq!(bench.store.operations(), quiet, "nothing looks around while nothing is due");
    bench.clock.advance(Duration::from_secs(1)).await;
    assert!(bench.tokens.read(&short.id).await.expect("read").is_none());
    assert!(bench.tokens.read(&child.id).await.expect("read").is_none());
    bench.clock.advance(Duration::from_secs(400)).await;
    assert!(bench.alive(&renewed.id).await && bench.alive(&long.id).await);
    bench.clock.advance(Duration::from_secs(1000)).await;
    assert!(bench.tokens.accessors().await.expect("list").is_empty());
    assert_eq!(left_behind(&bench.barrier).await, Vec::<String>::new());
    reaper.abort();
}

#[tokio::test]
async fn reaping_goes_on_after_the_store_has_failed() {
    let bench = Bench::new().await;
    let (_, entry) = bench.make(NewToken { ttl: 10, ..below(None) }).await.expect("made");
    let reaper = tokio::spawn((bench.tokens.tasks().remove(0).start)());
    settle().await;
    bench.store.next(Target::Read, Fault::Refuse);
    bench.store.next(Target::Commit, Fault::Refuse);
    bench.clock.advance(Duration::from_secs(10)).await;
    assert!(bench.tokens.read(&entry.id).await.expect("read").is_some());
    assert!(!bench.alive(&entry.id).await);
    bench.clock.advance(Duration::from_mins(5)).await;
    assert!(bench.tokens.read(&entry.id).await.expect("read").is_none());
    reaper.abort();
}

#[tokio::test]
async fn ends_between_two_milliseconds_are_not_looked_for_too_early() {
    let bench = Bench::new().await;
    bench.clock.advance(Duration::from_nanos(1)).await;
    let (_, entry) = bench.make(NewToken { ttl: 10, ..below(None) }).await.expect("made");
    let due = entry.due().expect("it ends");
    assert!(due.at >= entry.expires.expect("it ends"));
    bench.clock.advance(Duration::from_secs(10)).await;
    assert_eq!(bench.tokens.reap().await.expect("reaped"), Some(due.at), "over, but not to be reaped yet");
    bench.clock.advance(Duration::from_millis(1)).await;
    assert_eq!(bench.tokens.reap().await.expect("reaped"), None);
    assert!(bench.clock.now() > due.at && !bench.alive(&entry.id).await);
}

/// CVE-2026-46405: a failing login stored a token that nobody could see.
#[tokio::test]
async fn cve_2026_46405_a_token_that_nobody_was_told_of_is_not_left_behind() {
    let bench = Bench::new().await;
    bench.make(below(None)).await.expect("made");
    for fault in
        [Fault::Refuse, Fault::Undetermined { written: true }, Fault::Undetermined { written: false }]
    {
        bench.store.next(Target::Commit, fault);
        bench.make(below(None)).await.expect_err("the commit fails");
        assert_eq!(bench.tokens.accessors().await.expect("list").len(), 1, "{fault:?}");
        assert_eq!(left_behind(&bench.barrier).await, Vec::<String>::new());
    }
}
