//! What commits promise: all or nothing, expectations, stamps, epochs, watchers, life after closing.

use std::future::Future;
use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::future::join_all;

use super::{Subject, deletes, expecting, leaf, led, put, puts};
use crate::{Batch, Epoch, Expect, Key, Op, Seq, Stamp, StampRule, StorageError, Watcher};

pub(super) async fn run<F: Future<Output = Subject>>(make: &impl Fn() -> F) {
    commits_are_numbered_in_a_row_and_stamp_what_they_put(&led(make).await).await;
    the_last_operation_on_a_key_wins(&led(make).await).await;
    an_expectation_that_fails_leaves_everything_as_it_was(&led(make).await).await;
    sealing_anew_keeps_the_stamp(&led(make).await).await;
    of_many_that_expect_the_same_one_wins(&led(make).await).await;
    no_increment_is_lost_in_a_crowd(&led(make).await).await;
    a_commit_whose_caller_left_is_done_all_the_same(&led(make).await).await;
    watchers_hear_of_each_commit_before_its_answer(&led(make).await).await;
    who_does_not_lead_cannot_write(make().await).await;
    a_closed_store_answers_unavailable(&led(make).await).await;
    what_was_acknowledged_is_there_after_reopening(led(make).await).await;
}

fn key(name: &str) -> Key {
    leaf(&Key::root().plain("c"), name.as_bytes())
}

async fn commits_are_numbered_in_a_row_and_stamp_what_they_put(subject: &Subject) {
    let before = subject.store.applied();
    let first = subject.put(&key("a"), b"1").await;
    assert_eq!(first, Seq(before.0 + 1));
    let second = subject.commit(puts([(key("b"), vec![2]), (key("c"), vec![3])])).await.unwrap();
    assert_eq!(second, Seq(first.0 + 1));
    assert_eq!(subject.stamp(&key("a")).await, Some(Stamp(first.0)));
    for name in ["b", "c"] {
        assert_eq!(subject.stamp(&key(name)).await, Some(Stamp(second.0)));
    }
    let walked = subject.walk(&Key::root(), 10).await;
    assert_eq!(walked.iter().map(|(.., stamp)| stamp.0).collect::<Vec<_>>(), [first.0, second.0, second.0]);
    let third = subject.commit(deletes(&[&key("a")])).await.unwrap();
    assert_eq!((third, subject.store.applied()), (Seq(second.0 + 1), third));
}

async fn the_last_operation_on_a_key_wins(subject: &Subject) {
    let (a, b) = (key("a"), key("b"));
    let delete = |key: &Key| Op::Delete { key: key.clone() };
    let ops = vec![put(a.clone(), vec![1]), put(a.clone(), vec![2]), put(b.clone(), vec![3]), delete(&b)];
    subject.commit(Batch { ops, ..Batch::default() }).await.unwrap();
    assert_eq!((subject.bytes(&a).await, subject.bytes(&b).await), (Some(vec![2]), None));
    let ops = vec![delete(&a), put(a.clone(), vec![4]), delete(&b), put(b.clone(), vec![5])];
    subject.commit(Batch { ops, ..Batch::default() }).await.unwrap();
    assert_eq!((subject.bytes(&a).await, subject.bytes(&b).await), (Some(vec![4]), Some(vec![5])));
}

async fn an_expectation_that_fails_leaves_everything_as_it_was(subject: &Subject) {
    let (there, absent, other) = (key("there"), key("absent"), key("other"));
    let stamp = Stamp(subject.put(&there, b"old").await.0);
    let before = subject.walk(&Key::root(), 10).await;
    let failing = [
        (&there, Expect::Absent),
        (&there, Expect::Unchanged(Stamp(stamp.0 + 1))),
        (&there, Expect::Unchanged(Stamp(0))),
        (&absent, Expect::Unchanged(stamp)),
        (&absent, Expect::Unchanged(Stamp(0))),
    ];
    for (key, expect) in failing {
        let batch = puts([(there.clone(), b"new".to_vec()), (other.clone(), vec![1])]);
        let batch = expecting(expecting(batch, &there, Expect::Unchanged(stamp)), key, expect);
        let answer = subject.commit(batch).await;
        assert!(matches!(answer, Err(StorageError::Conflict)), "{expect:?}: {answer:?}");
        assert_eq!(subject.walk(&Key::root(), 10).await, before, "{expect:?}");
        assert_eq!(subject.store.applied(), Seq(stamp.0), "a refused commit has no number");
    }
    let batch = expecting(puts([(other.clone(), vec![1])]), &there, Expect::Unchanged(stamp));
    subject.commit(expecting(batch, &absent, Expect::Absent)).await.expect("both expectations hold");
    let batch = expecting(deletes(&[&other]), &other, Expect::Unchanged(Stamp(stamp.0 + 1)));
    subject.commit(batch).await.expect("a batch may expect what it deletes");
    assert_eq!(subject.walk(&Key::root(), 10).await, before);
}

async fn sealing_anew_keeps_the_stamp(subject: &Subject) {
    let keep = |key: Key, bytes: Vec<u8>| match put(key, bytes) {
        Op::Put { key, sealed, .. } => Op::Put { key, sealed, stamp: StampRule::Keep },
        other @ Op::Delete { .. } => other,
    };
    let there = key("there");
    let stamp = Stamp(subject.put(&there, b"old").await.0);
    let ops = vec![keep(there.clone(), b"anew".to_vec())];
    subject.commit(Batch { ops, ..Batch::default() }).await.unwrap();
    assert_eq!(subject.bytes(&there).await.as_deref(), Some(b"anew".as_slice()));
    assert_eq!(subject.stamp(&there).await, Some(stamp));
    let ops = vec![keep(key("absent"), vec![1])];
    let seq = subject.commit(Batch { ops, ..Batch::default() }).await.unwrap();
    assert_eq!(subject.stamp(&key("absent")).await, Some(Stamp(seq.0)), "there was no stamp to keep");
}

async fn of_many_that_expect_the_same_one_wins(subject: &Subject) {
    for (round, expect_absent) in [(0_u8, true), (1, false), (2, false)] {
        let stamp = subject.stamp(&key("prize")).await;
        assert_eq!(stamp.is_none(), expect_absent);
        let expect = stamp.map_or(Expect::Absent, Expect::Unchanged);
        let contenders = (0..32_u8).map(|n| {
            let batch = puts([(key("prize"), vec![round, n]), (key(&format!("{round}-{n}")), vec![n])]);
            let batch = Batch { epoch: subject.epoch, ..expecting(batch, &key("prize"), expect) };
            let store = Arc::clone(&subject.store);
            tokio::spawn(async move { store.commit(batch).await })
        });
        let answers = join_all(contenders).await;
        let mut winners = Vec::new();
        for (n, answer) in (0_u8..).zip(answers) {
            match answer.expect("the task ends") {
                Ok(_) => winners.push(n),
                Err(StorageError::Conflict) => {
                    assert_eq!(subject.bytes(&key(&format!("{round}-{n}"))).await, None);
                }
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!(winners.len(), 1, "round {round}");
        assert_eq!(subject.bytes(&key("prize")).await, Some(vec![round, winners[0]]));
    }
}

async fn no_increment_is_lost_in_a_crowd(subject: &Subject) {
    subject.put(&key("count"), &0_u32.to_be_bytes()).await;
    let workers = (0..12).map(|_| {
        let (store, epoch) = (Arc::clone(&subject.store), subject.epoch);
        tokio::spawn(async move {
            let mut done = 0;
            while done < 15 {
                let found = store.get(&key("count")).await.unwrap().unwrap();
                let count = u32::from_be_bytes(found.sealed.as_bytes().try_into().unwrap());
                let batch = puts([(key("count"), (count + 1).to_be_bytes().to_vec())]);
                let batch = expecting(batch, &key("count"), Expect::Unchanged(found.stamp));
                match store.commit(Batch { epoch, ..batch }).await {
                    Ok(_) => done += 1,
                    Err(StorageError::Conflict) => tokio::task::yield_now().await,
                    Err(other) => panic!("{other}"),
                }
            }
        })
    });
    for worker in join_all(workers).await {
        worker.expect("the worker ends");
    }
    assert_eq!(subject.bytes(&key("count")).await, Some(180_u32.to_be_bytes().to_vec()));
}

async fn a_commit_whose_caller_left_is_done_all_the_same(subject: &Subject) {
    let mut left = subject.store.commit(Batch { epoch: subject.epoch, ..puts([(key("left"), vec![1])]) });
    let _ = (&mut left).now_or_never();
    drop(left);
    // Commits are durable in the order of their calls, so a later answer tells of the earlier one.
    subject.put(&key("later"), b"2").await;
    assert_eq!(subject.bytes(&key("left")).await, Some(vec![1]));
}

#[derive(Default)]
struct Heard(Mutex<Vec<(Seq, Vec<Key>)>>);

impl Watcher for Heard {
    fn committed(&self, seq: Seq, keys: &[Key]) {
        let mut keys = keys.to_vec();
        keys.sort_unstable();
        self.0.lock().unwrap().push((seq, keys));
    }
}

async fn watchers_hear_of_each_commit_before_its_answer(subject: &Subject) {
    let heard = Arc::new(Heard::default());
    let gone = Arc::new(Heard::default());
    let watcher: Arc<dyn Watcher> = heard.clone();
    subject.store.watch(Arc::downgrade(&watcher));
    let watcher_gone: Arc<dyn Watcher> = gone.clone();
    subject.store.watch(Arc::downgrade(&watcher_gone));
    drop((watcher_gone, gone));
    let first = subject.put(&key("a"), b"1").await;
    assert_eq!(*heard.0.lock().unwrap(), [(first, vec![key("a")])]);
    let mut batch = deletes(&[&key("a")]);
    batch.ops.push(put(key("b"), vec![2]));
    let second = subject.commit(batch).await.unwrap();
    let refused = expecting(puts([(key("z"), vec![1])]), &key("b"), Expect::Absent);
    assert!(subject.commit(refused).await.is_err());
    assert_eq!(
        *heard.0.lock().unwrap(),
        [(first, vec![key("a")]), (second, vec![key("a"), key("b")])],
        "a refused commit is not heard of"
    );
    let crowd = (0..50_u8).map(|n| {
        let batch = Batch { epoch: subject.epoch, ..puts([(key(&format!("{n}")), vec![n])]) };
        let (store, heard) = (Arc::clone(&subject.store), heard.clone());
        tokio::spawn(async move {
            let seq = store.commit(batch).await.unwrap();
            let known = heard.0.lock().unwrap().iter().any(|(at, keys)| *at == seq && keys.len() == 1);
            assert!(known, "the answer came before the watcher was called");
        })
    });
    for task in join_all(crowd).await {
        task.expect("the task ends");
    }
    let order: Vec<Seq> = heard.0.lock().unwrap().iter().map(|(seq, _)| *seq).collect();
    assert!(order.is_sorted() && order.len() == 52, "watchers hear of commits in order");
}

async fn who_does_not_lead_cannot_write(mut subject: Subject) {
    let batch = || puts([(key("a"), vec![1])]);
    let fenced = |answer: &Result<Seq, StorageError>| matches!(answer, Err(StorageError::Fenced));
    assert!(fenced(&subject.commit(batch()).await), "nobody leads before acquiring");
    subject.lead().await;
    let first = subject.epoch;
    assert!(first > Epoch(0));
    subject.commit(batch()).await.expect("the leader writes");
    assert!(fenced(&subject.store.commit(Batch { epoch: Epoch(first.0 - 1), ..batch() }).await));
    subject.store.leadership().release().await.unwrap();
    assert!(fenced(&subject.commit(batch()).await), "leadership was given back");
    subject.lead().await;
    assert!(subject.epoch > first, "epochs only grow");
    subject.commit(batch()).await.expect("the new leader writes");
    let late = Batch { epoch: first, ..puts([(key("late"), vec![1])]) };
    assert!(fenced(&subject.store.commit(late).await), "a deposed leader is refused however late");
    assert_eq!(subject.bytes(&key("late")).await, None);
}

async fn a_closed_store_answers_unavailable(subject: &Subject) {
    subject.put(&key("a"), b"1").await;
    subject.store.close().await.unwrap();
    let unavailable =
        |error: StorageError| assert!(matches!(error, StorageError::Unavailable(_)), "{error:?}");
    unavailable(subject.store.get(&key("a")).await.unwrap_err());
    unavailable(subject.store.page(&Key::root(), crate::Seek::Start, 1).await.unwrap_err());
    unavailable(subject.store.keys(&Key::root(), crate::Seek::Start, 1).await.unwrap_err());
    unavailable(subject.commit(puts([(key("a"), vec![2])])).await.unwrap_err());
    unavailable(subject.store.leadership().acquire().await.unwrap_err());
}

async fn what_was_acknowledged_is_there_after_reopening(mut subject: Subject) {
    subject.put(&key("kept"), &vec![3; 100_000]).await;
    subject.put(&key("gone"), b"1").await;
    subject.commit(deletes(&[&key("gone")])).await.unwrap();
    let last = subject.put(&key("changed"), b"1").await;
    let (before, epoch) = (subject.walk(&Key::root(), 10).await, subject.epoch);
    for _ in 0..3 {
        if !subject.reopened().await {
            return;
        }
        assert_eq!(subject.walk(&Key::root(), 10).await, before, "records and stamps");
        assert!(subject.epoch > epoch, "a new process is a new leader");
        assert_eq!(subject.store.applied(), last, "numbers go on where they were");
    }
    let batch = puts([(key("changed"), vec![2])]);
    let batch = expecting(batch, &key("changed"), Expect::Unchanged(Stamp(last.0)));
    let next = subject.commit(batch).await.expect("stamps survive, so expectations hold");
    assert_eq!(next, Seq(last.0 + 1));
}
