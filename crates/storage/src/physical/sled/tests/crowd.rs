//! Many writers at once: groups, expectations within a group, and grants of epochs among them.

use futures::future::join_all;

use super::*;
use crate::Expect;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_writers_share_frames_and_each_gets_its_own_answer() {
    let bench = Bench::new();
    let store = Arc::new(bench.open());
    let epoch = lead(&store).await;
    let before = super::super::held(&store.shared.log).end();
    let writers = (0..16_u64).map(|writer| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let mut numbers = Vec::new();
            for round in 0..50_u8 {
                let ops =
                    vec![put(key(writer * 2), vec![round; 900]), put(key(writer * 2 + 1), vec![round; 900])];
                let seq = store.commit(batch(epoch, ops)).await.unwrap();
                assert!(store.applied() >= seq, "answered before it was visible");
                let found = store.get(&key(writer * 2)).await.unwrap().unwrap();
                assert_eq!((found.sealed.as_bytes()[0], found.stamp), (round, Stamp(seq.0)));
                numbers.push(seq.0);
            }
            numbers
        })
    });
    let mut numbers: Vec<u64> = join_all(writers).await.into_iter().flat_map(Result::unwrap).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=800).collect::<Vec<_>>(), "each commit has a number of its own");
    let after = super::super::held(&store.shared.log).end();
    assert!(after.frame - before.frame < 800, "no two writers ever shared a frame");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_in_one_group_that_expect_the_same_one_wins() {
    let bench = Bench::new();
    let store = bench.open();
    let epoch = lead(&store).await;
    let mut shared = 0;
    for round in 0..60_u64 {
        let name = key(round);
        let expecting = |byte: u8, expect: Expect| {
            let ops = vec![put(name.clone(), vec![byte])];
            Batch { expect: vec![(name.clone(), expect)], ..batch(epoch, ops) }
        };
        let before = super::super::held(&store.shared.log).end();
        let first = store.commit(expecting(1, Expect::Absent));
        let second = store.commit(expecting(2, Expect::Absent));
        let third = store.commit(batch(epoch, vec![Op::Delete { key: name.clone() }]));
        let fourth = store.commit(expecting(4, Expect::Absent));
        let fifth = store.commit(expecting(5, Expect::Unchanged(Stamp(before.seq + 3))));
        let answers = join_all([first, second, third, fourth, fifth]).await;
        assert_eq!(answers[0].as_ref().unwrap(), &Seq(before.seq + 1));
        assert!(matches!(answers[1], Err(StorageError::Conflict)));
        assert_eq!(answers[2].as_ref().unwrap(), &Seq(before.seq + 2));
        assert_eq!(answers[3].as_ref().unwrap(), &Seq(before.seq + 3), "a deletion of the same group counts");
        assert_eq!(answers[4].as_ref().unwrap(), &Seq(before.seq + 4), "and so does a stamp");
        let found = store.get(&name).await.unwrap().unwrap();
        assert_eq!(found.sealed.as_bytes(), [5]);
        shared += u64::from(super::super::held(&store.shared.log).end().frame - before.frame < 4);
    }
    assert!(shared > 0, "the batches never met in one group");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deposed_leader_is_fenced_also_after_a_new_process() {
    let bench = Bench::new();
    let mut last = Epoch(0);
    for _ in 0..3 {
        let store = bench.open();
        let stale = store.commit(batch(last, vec![put(key(1), vec![1])])).await;
        assert!(matches!(stale, Err(StorageError::Fenced)), "nobody leads yet");
        let epoch = lead(&store).await;
        assert!(epoch > last);
        let stale = store.commit(batch(last, vec![put(key(1), vec![1])])).await;
        assert!(matches!(stale, Err(StorageError::Fenced)), "an older process's epoch");
        let next = lead(&store).await;
        let racing = store.commit(batch(epoch, vec![put(key(1), vec![1])]));
        assert!(matches!(racing.await, Err(StorageError::Fenced)));
        last = next;
    }
    std::fs::remove_dir_all(bench.store().join("sled")).unwrap();
    let store = bench.open();
    assert!(lead(&store).await > last, "epochs survive a rebuild");
}
