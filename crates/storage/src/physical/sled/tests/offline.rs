//! Exports made by size, backups, compaction.

use super::*;
use crate::{compact, restore};

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_log_is_cut_by_an_export_of_its_own() {
    let mut bench = Bench::new();
    bench.options.export_after = 2 << 20;
    let store = bench.open();
    let epoch = lead(&store).await;
    let mut model = Model::new();
    for round in 0..300 {
        live(&store, epoch, &mut model, 10, round).await;
        if names(&bench.store().join("export")) != ["0000000000000000.export"] && round > 20 {
            break;
        }
    }
    assert_ne!(names(&bench.store().join("export")), ["0000000000000000.export"], "no export was made");
    holds(&store, &model, "live").await;
    store.close().await.unwrap();
    std::fs::remove_dir_all(bench.store().join("sled")).unwrap();
    holds(&bench.open(), &model, "rebuilt").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_short_lives_make_no_endless_log() {
    let mut bench = Bench::new();
    bench.options.export_after = 4 << 20;
    let mut model = Model::new();
    let mut most = 0;
    for life in 0..40 {
        let store = bench.open();
        let epoch = lead(&store).await;
        live(&store, epoch, &mut model, 30, life).await;
        most = most.max(store.facts().log_bytes);
        // An export that was begun ends before the store is closed only if it is asked to.
        while store.shared.export_asked.load(std::sync::atomic::Ordering::Acquire) {
            tokio::task::yield_now().await;
        }
        store.close().await.unwrap();
    }
    assert!(most < 10 << 20, "the log grew to {most} bytes");
    holds(&bench.open(), &model, "after many lives").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_lets_the_log_go() {
    let bench = Bench::new();
    let store = bench.open();
    let epoch = lead(&store).await;
    let mut model = Model::new();
    live(&store, epoch, &mut model, 50, 1).await;
    store.close().await.unwrap();
    drop(store);
    let store = bench.open();
    let epoch = lead(&store).await;
    live(&store, epoch, &mut model, 50, 2).await;
    let before = store.facts();
    let exported = store.export().await.unwrap();
    let after = store.facts();
    assert_eq!((before.segments, after.segments), (2, 1), "only the one that is written to is kept");
    assert!(after.log_bytes < before.log_bytes);
    assert_eq!(exported.seq, store.applied());
    assert_eq!(after.records, model.len() as u64);
    assert_eq!(names(&bench.store().join("export")).len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_makes_a_store_elsewhere_and_leaves_this_one_alone() {
    let bench = Bench::new();
    let store = bench.open();
    let epoch = lead(&store).await;
    let mut model = Model::new();
    live(&store, epoch, &mut model, 80, 1).await;
    let before = names(&bench.store().join("export"));
    let file = bench.directory.path().join("backup");
    let exported = store.backup(&file).await.unwrap();
    assert!(store.backup(&file).await.is_err(), "a backup overwrites nothing");
    assert_eq!(exported.bytes, std::fs::metadata(&file).unwrap().len());
    assert_eq!(names(&bench.store().join("export")), before);
    let other = bench.elsewhere(bench.directory.path().join("other"));
    restore(&other, &file).unwrap();
    let restored = SledStore::open(&other).unwrap();
    holds(&restored, &model, "restored").await;
    assert_eq!(restored.applied(), store.applied());
    assert!(lead(&restored).await > epoch, "epochs go on");
    goes_on(&restored, "restored").await;
    drop(restored);
    assert!(restore(&other, &file).is_err(), "a store is not overwritten");
    for (cut, flip) in [(1, false), (500, false), (40, true), (2000, true)] {
        let mut bytes = std::fs::read(&file).unwrap();
        if flip {
            bytes[cut] ^= 1;
        } else {
            bytes.truncate(bytes.len() - cut);
        }
        let damaged = bench.directory.path().join("damaged");
        std::fs::write(&damaged, bytes).unwrap();
        let empty = bench.elsewhere(bench.directory.path().join("empty"));
        let error = restore(&empty, &damaged).unwrap_err();
        assert!(
            matches!(&error, StorageError::Corrupt(text) if text.contains("damaged` at offset")),
            "{error}"
        );
        assert!(!empty.directory.join("manifest").exists());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compacting_gives_room_back_and_keeps_everything() {
    let bench = Bench::new();
    let mut model = Model::new();
    {
        let store = bench.open();
        let epoch = lead(&store).await;
        live(&store, epoch, &mut model, 300, 1).await;
    }
    let before = super::super::size_of(bench.store());
    let done = compact(&bench.options).await.unwrap();
    assert_eq!(done.records, model.len() as u64);
    assert!(super::super::size_of(bench.store()) < before);
    assert_eq!(names(bench.store()), ["export", "lock", "manifest", "reserve", "sled", "wal"]);
    let store = bench.open();
    assert!(store.facts().rebuilt.is_none(), "sled is believed as compacting left it");
    holds(&store, &model, "compacted").await;
}
