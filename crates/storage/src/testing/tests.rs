use std::sync::Arc;

use futures::future::join_all;
use vestal_crypto::Sealed;

use super::conformance::{Subject, run};
use super::{Fault, FaultStore, Target, every_crash};
use crate::{Batch, Epoch, Key, MemoryStore, Op, Physical, Seek, Seq, StampRule, StorageError};

fn batch(epoch: Epoch, names: &[&str], byte: u8) -> Batch {
    let put = |name: &&str| Op::Put {
        key: Key::root().plain(name),
        sealed: Sealed::read_back(vec![byte]),
        stamp: StampRule::New,
    };
    Batch { ops: names.iter().map(put).collect(), epoch, ..Batch::default() }
}

async fn byte(store: &FaultStore, name: &str) -> Option<u8> {
    let found = store.get(&Key::root().plain(name)).await.unwrap();
    found.map(|stored| stored.sealed.as_bytes()[0])
}

async fn led() -> (Arc<FaultStore>, Epoch) {
    let store = FaultStore::in_memory();
    let epoch = store.leadership().acquire().await.unwrap();
    (store, epoch)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_memory_store_conforms() {
    run(async || Subject::volatile(Arc::new(MemoryStore::new()))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_store_without_orders_conforms_and_survives_reopening() {
    run(async || {
        let store = FaultStore::in_memory();
        let kept = Arc::clone(&store);
        let reopen = move || -> futures::future::BoxFuture<'static, Arc<dyn Physical>> {
            let store: Arc<dyn Physical> = kept.reopen();
            Box::pin(std::future::ready(store))
        };
        Subject::durable(store, Box::new(reopen))
    })
    .await;
}

#[tokio::test]
async fn operations_fail_as_the_script_says_and_no_others() {
    let (store, epoch) = led().await;
    store.at(3, Fault::Refuse);
    store.next(Target::Commit, Fault::Undetermined { written: true });
    store.next(Target::Commit, Fault::Undetermined { written: false });
    let unknown = |answer: Result<Seq, StorageError>| matches!(answer, Err(StorageError::Undetermined(_)));
    assert!(unknown(store.commit(batch(epoch, &["a"], 1)).await));
    let refused = store.get(&Key::root().plain("a")).await;
    assert!(matches!(refused, Err(StorageError::Unavailable(_))), "operation 3");
    assert_eq!(byte(&store, "a").await, Some(1), "undetermined, but written");
    assert!(unknown(store.commit(batch(epoch, &["b"], 2)).await));
    assert_eq!(byte(&store, "b").await, None, "undetermined and not written");
    store.commit(batch(epoch, &["b"], 3)).await.expect("no order is left");
    assert_eq!(store.operations(), 7);
}

#[tokio::test]
async fn a_held_commit_waits_to_be_let_go_even_when_its_caller_leaves() {
    let (store, epoch) = led().await;
    store.next(Target::Commit, Fault::Hold);
    store.next(Target::Commit, Fault::Hold);
    let waiting = tokio::spawn(store.commit(batch(epoch, &["a"], 1)));
    drop(store.commit(batch(epoch, &["b"], 2)));
    store.holding(2).await;
    assert_eq!((byte(&store, "a").await, byte(&store, "b").await), (None, None));
    store.let_go();
    waiting.await.unwrap().unwrap();
    while byte(&store, "b").await.is_none() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_crash_ends_the_handle_and_what_it_holds_but_not_what_was_durable() {
    let (store, epoch) = led().await;
    store.commit(batch(epoch, &["a"], 1)).await.unwrap();
    store.next(Target::Commit, Fault::Hold);
    let held = tokio::spawn(store.commit(batch(epoch, &["a"], 2)));
    store.holding(1).await;
    store.crash();
    assert!(matches!(held.await.unwrap(), Err(StorageError::Unavailable(_))));
    assert!(matches!(store.commit(batch(epoch, &["a"], 3)).await, Err(StorageError::Unavailable(_))));
    assert!(store.keys(&Key::root(), Seek::Start, 1).await.is_err());
    let reopened = store.reopen();
    assert_eq!(byte(&reopened, "a").await, Some(1));
    let next = reopened.leadership().acquire().await.unwrap();
    reopened.commit(batch(next, &["a"], 4)).await.unwrap();
    assert!(store.get(&Key::root()).await.is_err(), "the old handle stays dead");
}

#[tokio::test]
async fn the_same_seed_fails_the_same_operations() {
    let mut lives = Vec::new();
    for seed in [5, 5, 6] {
        let (store, epoch) = led().await;
        store.at_random(seed, 300);
        let answers = join_all((0..200).map(|_| store.commit(batch(epoch, &["a"], 1)))).await;
        let failed: Vec<bool> = answers.iter().map(Result::is_err).collect();
        let failures = failed.iter().filter(|failed| **failed).count();
        assert!((20..100).contains(&failures), "{failures} of 200 at 300 permille");
        store.behave();
        store.commit(batch(epoch, &["a"], 2)).await.expect("no orders, no faults");
        lives.push(failed);
    }
    assert_eq!(lives[0], lives[1]);
    assert_ne!(lives[0], lives[2]);
}

/// Three commits of two keys each with reads between; gives back the last acknowledged one.
async fn three_commits(store: Arc<FaultStore>) -> u8 {
    let mut acknowledged = 0;
    let Ok(epoch) = store.leadership().acquire().await else { return acknowledged };
    for round in 1..=3 {
        if store.commit(batch(epoch, &["left", "right"], round)).await.is_ok() {
            acknowledged = round;
        }
        let _ = store.get(&Key::root().plain("left")).await;
    }
    acknowledged
}

#[tokio::test]
async fn a_crash_at_every_operation_leaves_whole_commits_and_loses_no_acknowledged_one() {
    let crashes = every_crash(three_commits, async |store, acknowledged: u8| {
        let left = byte(&store, "left").await.unwrap_or(0);
        assert_eq!(left, byte(&store, "right").await.unwrap_or(0), "all or nothing");
        assert!((acknowledged..=acknowledged + 1).contains(&left), "{left} after {acknowledged}");
    })
    .await;
    assert_eq!(crashes, 14, "seven operations, each crashed before and after");
}
