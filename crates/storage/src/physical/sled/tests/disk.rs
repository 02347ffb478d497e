//! A disk that is full, or that fails.

use futures::future::join_all;

use super::*;
use crate::log::faulty::Failure;

const MIB: u64 = 1 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn below_the_soft_limit_only_what_must_not_fail_is_written() {
    let bench = Bench::new();
    let store = bench.open();
    let epoch = lead(&store).await;
    let one = || batch(epoch, vec![put(key(1), vec![1; 100])]);
    store.commit(one()).await.unwrap();
    bench.disk.set_space(MIB - 1, 100 * MIB);
    let refused = store.commit(one()).await.unwrap_err();
    assert!(
        matches!(&refused, StorageError::Full(text) if text.contains("new writes need 1 MiB")),
        "{refused}"
    );
    store.commit(reserved(one())).await.expect("outcomes go on");
    store.commit(batch(epoch, vec![Op::Delete { key: key(1) }])).await.expect("deletions go on");
    assert!(store.get(&key(1)).await.unwrap().is_none());
    lead(&store).await;
    let epoch = lead(&store).await;
    bench.disk.set_space(50 * MIB, 100 * MIB);
    store.commit(batch(epoch, vec![put(key(1), vec![1; 100])])).await.expect("there is room again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_group_may_hold_refused_and_accepted_batches() {
    let bench = Bench::new();
    let store = bench.open();
    let epoch = lead(&store).await;
    bench.disk.set_space(MIB / 2, 100 * MIB);
    let commits = (0..20).map(|number| {
        let batch = batch(epoch, vec![put(key(number), vec![1; 100])]);
        store.commit(if number % 2 == 0 { batch } else { reserved(batch) })
    });
    for (number, answer) in (0..).zip(join_all(commits.collect::<Vec<_>>()).await) {
        assert_eq!(answer.is_ok(), number % 2 == 1, "{number}: {answer:?}");
        assert_eq!(store.get(&key(number)).await.unwrap().is_some(), number % 2 == 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_reserve_is_given_back_when_the_disk_runs_out_and_made_again() {
    let bench = Bench::new();
    let reserve = bench.store().join("reserve");
    {
        let store = bench.open();
        assert_eq!(std::fs::metadata(&reserve).unwrap().len(), 64 << 10);
        let blocks = std::os::unix::fs::MetadataExt::blocks(&std::fs::metadata(&reserve).unwrap());
        assert!(blocks * 512 >= 64 << 10, "a hole reserves nothing");
        let epoch = lead(&store).await;
        // Both tries of the ordinary one fail; the reserved one gives the reserve back and is tried again.
        bench.disk.next([Failure::Short(10), Failure::None, Failure::Short(0)]);
        let refused = store.commit(batch(epoch, vec![put(key(1), vec![1; 100])])).await;
        assert!(matches!(refused, Err(StorageError::Full(_))), "{refused:?}");
        assert!(reserve.exists(), "not for ordinary writes");
        bench.disk.next([Failure::None, Failure::Short(10), Failure::None, Failure::Short(0)]);
        store.commit(reserved(batch(epoch, vec![put(key(2), vec![1; 100])]))).await.unwrap();
        assert!(!reserve.exists(), "given back");
        assert!(store.get(&key(2)).await.unwrap().is_some());
        assert!(store.get(&key(1)).await.unwrap().is_none());
    }
    let store = bench.open();
    assert!(reserve.exists(), "made again");
    assert!(store.get(&key(2)).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_sync_costs_a_segment_and_no_commit() {
    let bench = Bench::new();
    let store = bench.open();
    let epoch = lead(&store).await;
    let mut model = Model::new();
    for round in 0..5 {
        bench.disk.next([Failure::Sync]);
        write(&store, epoch, &mut model, vec![put(key(round), vec![1; 100])]).await;
    }
    holds(&store, &model, "live").await;
    drop(store);
    std::fs::remove_dir_all(bench.store().join("sled")).unwrap();
    holds(&bench.open(), &model, "rebuilt").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_log_cannot_be_written_the_store_is_read_only_and_the_unsettled_group_comes_first() {
    let bench = Bench::new();
    let store = Arc::new(bench.open());
    let epoch = lead(&store).await;
    let mut model = Model::new();
    write(&store, epoch, &mut model, vec![put(key(1), vec![1; 100])]).await;
    bench.disk.for_ever(Some(Failure::Sync));
    let first = tokio::spawn(store.commit(batch(epoch, vec![put(key(1), vec![2; 100])])));
    let mut refused = store.commit(batch(epoch, vec![put(key(1), vec![3; 100])]));
    // It may have joined the first one's group: then there is nothing to see, and another is tried.
    let error = loop {
        tokio::select! {
            answer = &mut refused => break answer.unwrap_err(),
            () = tokio::task::yield_now() => {}
        }
        if super::super::held(&store.shared.log).segments().len() > 1 {
            refused = store.commit(batch(epoch, vec![put(key(1), vec![3; 100])]));
        }
    };
    assert!(matches!(error, StorageError::Unavailable(_)), "{error}");
    let found = store.get(&key(1)).await.unwrap().unwrap();
    assert_eq!(found.sealed.as_bytes()[0], 1, "reads go on, and see nothing that is not durable");
    assert!(!first.is_finished(), "nobody knows yet");
    bench.disk.for_ever(None);
    let settled = first.await.unwrap().unwrap();
    assert!(store.applied() >= settled);
    assert!(store.get(&key(1)).await.unwrap().unwrap().stamp.0 >= settled.0);
    let next = store.commit(batch(epoch, vec![put(key(2), vec![1])])).await.unwrap();
    assert!(next > settled);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_while_the_log_fails_tells_the_waiting_that_nobody_knows() {
    let bench = Bench::new();
    let store = bench.open();
    let epoch = lead(&store).await;
    bench.disk.for_ever(Some(Failure::Sync));
    let waiting = store.commit(batch(epoch, vec![put(key(1), vec![2; 100])]));
    let (answer, closed) = futures::join!(waiting, store.close());
    assert!(matches!(answer, Err(StorageError::Undetermined(_))), "{answer:?}");
    closed.unwrap();
    bench.disk.for_ever(None);
    drop(store);
    let store = bench.open();
    let found = store.get(&key(1)).await.unwrap();
    assert!(found.is_none_or(|found| found.sealed.len() == 100), "whole or not at all");
    goes_on(&store, "after a failing disk").await;
}

/// A file system of its own that is really full; unmounted when it is dropped.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// `None` where this process may not mount; in CI that is a failure, for there nobody reads what was left out.
    fn mount(size: &str) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(directory.path());
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        if mounted {
            return Some(Self(directory));
        }
        let ci = std::env::var("CI").is_ok_and(|ci| !ci.is_empty() && ci != "false");
        assert!(!ci, "this process may not mount, so no disk can be filled here");
        eprintln!("this process may not mount: no disk can be filled here");
        None
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let mut file = std::fs::File::create(self.0.path().join("filler")).unwrap();
        let full = loop {
            if let Err(error) = std::io::Write::write_all(&mut file, &[1; 4096]) {
                break error;
            }
        };
        assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    }

    fn make_room(&self) {
        std::fs::remove_file(self.0.path().join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("--lazy").arg(self.0.path()).output();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_really_full_loses_nothing_and_works_again_when_there_is_room() {
    let Some(disk) = SmallDisk::mount("160m") else { return };
    let options = SledOptions::new(disk.0.path().join("store"));
    let mut model = Model::new();
    let store = SledStore::open(&options).unwrap();
    let epoch = lead(&store).await;
    live(&store, epoch, &mut model, 60, 1).await;
    disk.fill();
    let refused = store.commit(batch(epoch, vec![put(key(1), vec![1; 100])])).await;
    assert!(matches!(refused, Err(StorageError::Full(_))), "{refused:?}");
    let (mut outcomes, mut unknown) = (0, None);
    for number in 0..2000 {
        let name = key(number % 80);
        match store.commit(reserved(batch(epoch, vec![put(name.clone(), vec![9; 1000])]))).await {
            Ok(seq) => {
                model.insert(name, (vec![9; 1000], Stamp(seq.0)));
                outcomes += 1;
            }
            Err(StorageError::Undetermined(_)) => {
                // In the log, but sled had no room for it.
                unknown = Some((name, (vec![9; 1000], Stamp(store.applied().0 + 1))));
                break;
            }
            Err(StorageError::Full(_) | StorageError::Unavailable(_)) => break,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(outcomes >= 20, "{outcomes} outcomes only while the reserve lasts");
    for (key, (bytes, _)) in &model {
        let found = store.get(key).await.unwrap().unwrap();
        assert!(found.sealed.as_bytes() == bytes, "reads go on");
    }
    model.extend(unknown);
    store.close().await.unwrap();
    drop(store);
    // Opening on the full disk may fail, but must do no harm.
    let opened = SledStore::open(&options).map(drop);
    assert!(!matches!(opened, Err(StorageError::Corrupt(_))), "{opened:?}");
    disk.make_room();
    let store = SledStore::open(&options).unwrap();
    holds(&store, &model, "room again").await;
    goes_on(&store, "room again").await;
}

/// Nobody else fills this disk: it is as small as the store allows, and must open again all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_filled_its_small_disk_opens_again_after_a_kill() {
    let (Some(disk), Some(other)) = (SmallDisk::mount("60m"), SmallDisk::mount("60m")) else {
        eprintln!("not allowed to mount: no disk can be filled here");
        return;
    };
    let options = SledOptions::new(disk.0.path().join("store"));
    let mut model = Model::new();
    let store = SledStore::open(&options).unwrap();
    let epoch = lead(&store).await;
    for number in 0.. {
        let bytes = vec![u8::try_from(number % 251).unwrap(); 32 << 10];
        match store.commit(batch(epoch, vec![put(key(number), bytes.clone())])).await {
            Ok(seq) => drop(model.insert(key(number), (bytes, Stamp(seq.0)))),
            Err(StorageError::Full(_)) => break,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(model.len() > 100, "{} records of 32 KiB on 60 MiB", model.len());
    // As a kill leaves it, on another disk of that size.
    copy(&options.directory, &other.0.path().join("store"));
    for _ in 0..3 {
        let store = SledStore::open(&SledOptions::new(other.0.path().join("store"))).unwrap();
        holds(&store, &model, "after the kill").await;
        let epoch = lead(&store).await;
        let last = model.pop_last().unwrap().0;
        store.commit(batch(epoch, vec![Op::Delete { key: last }])).await.expect("deletions go on");
        store.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_opens_on_a_full_disk_by_means_of_its_reserve() {
    let Some(disk) = SmallDisk::mount("200m") else { return };
    let options = SledOptions::new(disk.0.path().join("store"));
    let mut model = Model::new();
    {
        let store = SledStore::open(&options).unwrap();
        let epoch = lead(&store).await;
        live(&store, epoch, &mut model, 60, 1).await;
    }
    assert!(options.directory.join("reserve").exists());
    disk.fill();
    {
        let store = SledStore::open(&options).unwrap();
        assert!(!options.directory.join("reserve").exists());
        holds(&store, &model, "full").await;
        let epoch = lead(&store).await;
        let refused = store.commit(batch(epoch, vec![put(key(1), vec![1; 100])])).await;
        assert!(matches!(refused, Err(StorageError::Full(_))), "{refused:?}");
        let seq = store.commit(reserved(batch(epoch, vec![put(key(1), vec![1; 100])]))).await.unwrap();
        model.insert(key(1), (vec![1; 100], Stamp(seq.0)));
        holds(&store, &model, "full, written").await;
    }
    disk.make_room();
    let store = SledStore::open(&options).unwrap();
    assert!(options.directory.join("reserve").exists(), "made again");
    holds(&store, &model, "room again").await;
}
