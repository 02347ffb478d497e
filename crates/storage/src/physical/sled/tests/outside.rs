//! What others see of the directory: permissions, locks, foreign files, sizes.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn check_modes(directory: &Path) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let mode = std::fs::symlink_metadata(&path).unwrap().permissions().mode() & 0o7777;
        if path.is_dir() {
            assert_eq!(mode, 0o700, "{}", path.display());
            check_modes(&path);
        } else {
            assert_eq!(mode, 0o600, "{}", path.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_private_under_any_umask() {
    let before = rustix::process::umask(rustix::fs::Mode::empty());
    let bench = Bench::new();
    std::fs::create_dir(bench.store()).unwrap();
    let store = bench.open();
    let epoch = lead(&store).await;
    let mut model = Model::new();
    live(&store, epoch, &mut model, 30, 1).await;
    store.export().await.unwrap();
    store.backup(&bench.directory.path().join("backup")).await.unwrap();
    store.close().await.unwrap();
    drop(store);
    let top = std::fs::metadata(bench.store()).unwrap().permissions().mode() & 0o7777;
    assert_eq!(top, 0o700, "a wider directory is narrowed");
    check_modes(bench.store());
    std::fs::write(bench.store().join("sled/db"), b"noise").unwrap();
    drop(bench.open());
    drop(bench.open());
    check_modes(bench.store());
    let backup = std::fs::metadata(bench.directory.path().join("backup")).unwrap();
    assert_eq!(backup.permissions().mode() & 0o777, 0o600);
    rustix::process::umask(before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_server_is_refused_and_the_first_is_not_disturbed() {
    let bench = Bench::new();
    let store = bench.open();
    let error = bench.error();
    assert!(matches!(error, StorageError::Unavailable(_)), "{error}");
    let text = error.to_string();
    assert!(text.contains("another process uses") && !text.contains('\n'), "{text}");
    goes_on(&store, "the first").await;
    store.close().await.unwrap();
    goes_on(&bench.open(), "the next, as soon as the first is closed").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_server_is_refused_though_the_lock_file_is_gone() {
    let bench = Bench::new();
    let store = bench.open();
    std::fs::remove_file(bench.store().join("lock")).unwrap();
    let text = bench.error().to_string();
    assert!(text.contains("another process uses"), "{text}");
    goes_on(&store, "the first").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_file_system_keeps_at_its_root_is_in_nobodys_way() {
    let bench = Bench::new();
    std::fs::create_dir_all(bench.store().join("lost+found")).unwrap();
    std::fs::write(bench.store().join(".snapshot"), b"").unwrap();
    goes_on(&bench.open(), "a new store").await;
    for stray in ["wal/.nfs0001", "wal/lost+found", "export/note.txt"] {
        std::fs::write(bench.store().join(stray), b"stray").unwrap();
    }
    goes_on(&bench.open(), "with strays").await;
    assert!(bench.store().join("export/note.txt").exists(), "what is not ours is left alone");
}

/// A crash, or somebody who helped, may leave other files than the manifest speaks of.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manifest_of_another_time_or_store_costs_no_export() {
    let bench = Bench::new();
    let old = {
        let store = bench.open();
        goes_on(&store, "new").await;
        std::fs::read(bench.store().join("manifest")).unwrap()
    };
    let mut model = Model::new();
    {
        let store = bench.open();
        let epoch = lead(&store).await;
        live(&store, epoch, &mut model, 30, 1).await;
        store.export().await.unwrap();
        live(&store, epoch, &mut model, 30, 2).await;
    }
    let right = std::fs::read(bench.store().join("manifest")).unwrap();
    let other = Bench::new();
    drop(other.open());
    let exports = || std::fs::read_dir(bench.store().join("export")).unwrap().count();
    let foreign = std::fs::read(other.store().join("manifest")).unwrap();
    for wrong in [&old, &foreign] {
        std::fs::write(bench.store().join("manifest"), wrong).unwrap();
        bench.error();
        assert_eq!(exports(), 1);
    }
    std::fs::write(bench.store().join("manifest"), right).unwrap();
    std::fs::remove_dir_all(bench.store().join("sled")).unwrap();
    holds(&bench.open(), &model, "rebuilt from the export").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_base_export_is_made_again_while_sled_has_everything() {
    let bench = Bench::new();
    let mut model = Model::new();
    {
        let store = bench.open();
        let epoch = lead(&store).await;
        live(&store, epoch, &mut model, 30, 1).await;
        store.export().await.unwrap();
    }
    let export = || std::fs::read_dir(bench.store().join("export")).unwrap().next().unwrap().unwrap().path();
    let harms: [&dyn Fn(); 4] = [
        &|| std::fs::remove_file(export()).unwrap(),
        &|| std::fs::write(export(), b"").unwrap(),
        &|| std::fs::write(export(), vec![0; 10_000]).unwrap(),
        &|| std::fs::remove_dir_all(bench.store().join("export")).unwrap(),
    ];
    for (number, harm) in harms.into_iter().enumerate() {
        harm();
        let store = bench.open();
        // The keeper does one thing after the other, and the export was asked for first.
        store.backup(&bench.directory.path().join(format!("backup-{number}"))).await.unwrap();
        holds(&store, &model, "from sled").await;
        drop(store);
        std::fs::remove_dir_all(bench.store().join("sled")).unwrap();
        holds(&bench.open(), &model, "from the new export").await;
    }
}

#[test]
fn a_directory_that_is_not_ours_is_left_alone() {
    let bench = Bench::new();
    std::fs::create_dir(bench.store()).unwrap();
    std::fs::write(bench.store().join("letter.txt"), b"dear").unwrap();
    let error = bench.error().to_string();
    assert!(error.contains("holds other files and no store") && !error.contains('\n'), "{error}");
    assert_eq!(std::fs::read_dir(bench.store()).unwrap().count(), 1, "nothing was added");
    let file = Bench::new();
    std::fs::write(file.store(), b"a file").unwrap();
    assert!(matches!(file.error(), StorageError::Unavailable(_)));
}

#[tokio::test]
async fn a_store_that_lacks_a_part_says_which() {
    for part in ["manifest", "wal"] {
        let bench = Bench::new();
        {
            let store = bench.open();
            goes_on(&store, "new").await;
        }
        let path = bench.store().join(part);
        if path.is_dir() {
            std::fs::remove_dir_all(&path).unwrap();
        } else {
            std::fs::remove_file(&path).unwrap();
        }
        let error = bench.error();
        assert!(matches!(error, StorageError::Corrupt(_)), "{part}: {error}");
        assert!(error.to_string().contains(&format!("{part}` is missing")), "{part}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_keys_and_batches_have_limits() {
    let bench = Bench::new();
    let store = bench.open();
    let epoch = lead(&store).await;
    let sizes = [((1 << 20) + (64 << 10), true), ((1 << 20) + (64 << 10) + 1, false)];
    for (size, fits) in sizes {
        let answer = store.commit(batch(epoch, vec![put(key(1), vec![1; size])])).await;
        assert_eq!(answer.is_ok(), fits, "{size}: {answer:?}");
        assert!(fits || matches!(answer, Err(StorageError::TooLarge { limit: 1_048_576 })));
    }
    let long = |length: usize| Key::root().plain(&"k".repeat(length - 3));
    for (length, fits) in [(16 << 10, true), ((16 << 10) + 1, false)] {
        let answer = store.commit(batch(epoch, vec![put(long(length), vec![1])])).await;
        assert_eq!(answer.is_ok(), fits, "a key of {length}");
    }
    assert!(store.get(&long(16 << 10)).await.unwrap().is_some());
    let many = (0..70).map(|number| put(key(number), vec![1; 1 << 20])).collect();
    assert!(matches!(store.commit(batch(epoch, many)).await, Err(StorageError::TooLarge { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sled_never_puts_records_into_unsynced_files() {
    let bench = Bench::new();
    let store = bench.open();
    let epoch = lead(&store).await;
    // The longest keys with the largest parts, side by side in the same pages.
    for round in 0..3_u8 {
        for number in 0..40 {
            let long = Key::root().plain("l").plain(&"k".repeat(15 << 10)).plain(&format!("{number}"));
            let ops = vec![put(long, vec![round; 60 << 10]), put(key(number), vec![round; 1 << 20])];
            store.commit(batch(epoch, ops)).await.unwrap();
        }
    }
    store.close().await.unwrap();
    let blobs = std::fs::read_dir(bench.store().join("sled/blobs")).unwrap().count();
    assert_eq!(blobs, 0);
}
