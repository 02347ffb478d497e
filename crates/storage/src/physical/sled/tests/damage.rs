//! sled's files are harmed in every way; nothing acknowledged may be missing, and nothing stale may come back.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::*;

type Harm = fn(&Path);

fn noise(path: &Path, offset: u64, length: u64) {
    let mut random = Random::new(offset + 1);
    let bytes: Vec<u8> = (0..length).map(|_| u8::try_from(random.below(256)).unwrap()).collect();
    OpenOptions::new().write(true).open(path).unwrap().write_all_at(&bytes, offset).unwrap();
}

fn length(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().len()
}

fn truncate(path: &Path, length: u64) {
    OpenOptions::new().write(true).open(path).unwrap().set_len(length).unwrap();
}

fn each_file(sled: &Path, harm: impl Fn(&Path)) {
    for entry in std::fs::read_dir(sled).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            harm(&path);
        }
    }
}

fn snapshots(sled: &Path, harm: impl Fn(&Path)) {
    each_file(sled, |path| {
        if path.file_name().unwrap().to_str().unwrap().starts_with("snap.") {
            harm(path);
        }
    });
}

const HARMS: [(&str, Harm); 16] = [
    ("deleted", |sled| std::fs::remove_dir_all(sled).unwrap()),
    ("emptied", |sled| each_file(sled, |path| std::fs::remove_file(path).unwrap())),
    ("its main file deleted", |sled| std::fs::remove_file(sled.join("db")).unwrap()),
    ("its main file emptied", |sled| truncate(&sled.join("db"), 0)),
    ("its main file cut in half", |sled| truncate(&sled.join("db"), length(&sled.join("db")) / 2)),
    ("its main file cut a little", |sled| truncate(&sled.join("db"), length(&sled.join("db")) - 1000)),
    ("everything filled with noise", |sled| each_file(sled, |path| noise(path, 0, length(path)))),
    ("its main file filled with noise", |sled| noise(&sled.join("db"), 0, length(&sled.join("db")))),
    ("noise at its beginning", |sled| noise(&sled.join("db"), 0, 512)),
    ("noise in its middle", |sled| noise(&sled.join("db"), length(&sled.join("db")) / 2, 64 << 10)),
    ("noise near its end", |sled| noise(&sled.join("db"), length(&sled.join("db")) * 9 / 10, 4096)),
    ("its settings filled with noise", |sled| noise(&sled.join("conf"), 0, length(&sled.join("conf")))),
    ("its settings deleted", |sled| std::fs::remove_file(sled.join("conf")).unwrap()),
    ("its snapshots filled with noise", |sled| snapshots(sled, |path| noise(path, 0, length(path)))),
    ("its snapshots deleted", |sled| snapshots(sled, |path| std::fs::remove_file(path).unwrap())),
    ("an unfinished snapshot", |sled| {
        std::fs::write(sled.join("snap.00000000FFFFFFFF.generating"), b"").unwrap();
    }),
];

/// A store that was opened a few times, so that sled has snapshots, and ended as `clean` says.
async fn aged(clean: bool, export: bool) -> (Bench, Model) {
    let bench = Bench::new();
    let mut model = Model::new();
    for seed in 1..=3 {
        let store = bench.open();
        let epoch = lead(&store).await;
        live(&store, epoch, &mut model, 60, seed).await;
        if export && seed == 2 {
            store.export().await.unwrap();
        }
        if seed == 3 && !clean {
            // As a kill would leave it: nothing flushed, nothing noted.
            let left = bench.directory.path().join("left");
            copy(bench.store(), &left);
            drop(store);
            std::fs::remove_dir_all(bench.store()).unwrap();
            std::fs::rename(left, bench.store()).unwrap();
        } else {
            store.close().await.unwrap();
        }
    }
    (bench, model)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_to_sled_everything_is_served() {
    for (clean, export) in [(true, true), (false, false)] {
        let (bench, model) = aged(clean, export).await;
        let whole = bench.directory.path().join("whole");
        copy(bench.store(), &whole);
        for (name, harm) in HARMS {
            let what = format!("{name}, clean {clean}, export {export}");
            std::fs::remove_dir_all(bench.store()).unwrap();
            copy(&whole, bench.store());
            harm(&bench.store().join("sled"));
            let store = bench.open();
            holds(&store, &model, &what).await;
            goes_on(&store, &what).await;
            store.close().await.unwrap();
            drop(store);
            let again = bench.open();
            holds(&again, &model, &format!("{what}, opened again")).await;
            assert!(again.facts().rebuilt.is_none(), "{what}: once is enough");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn noise_anywhere_in_sleds_file_is_survived() {
    let (bench, model) = aged(false, false).await;
    let whole = bench.directory.path().join("whole");
    copy(bench.store(), &whole);
    let size = length(&whole.join("sled/db"));
    for part in 0..24 {
        let what = format!("noise at {part}/24");
        std::fs::remove_dir_all(bench.store()).unwrap();
        copy(&whole, bench.store());
        noise(&bench.store().join("sled/db"), size * part / 24, 300);
        let store = bench.open();
        holds(&store, &model, &what).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_segment_whose_header_is_damaged_is_no_loss() {
    let bench = Bench::new();
    let mut model = Model::new();
    let mut store = bench.open();
    for seed in 1..=6 {
        let epoch = lead(&store).await;
        live(&store, epoch, &mut model, 150, seed).await;
        if seed == 3 {
            store.close().await.unwrap();
            drop(store);
            store = bench.open();
        }
    }
    // Half a second after the last write sled has written its buffers by itself.
    let db = bench.store().join("sled/db");
    store.shared.index().unwrap().1.flush().unwrap();
    let whole = bench.directory.path().join("whole");
    copy(bench.store(), &whole);
    drop(store);
    let segments = length(&whole.join("sled/db")).div_ceil(8 << 20);
    assert!(segments > 3, "{segments} segments only");
    for segment in 0..segments {
        std::fs::remove_dir_all(bench.store()).unwrap();
        copy(&whole, bench.store());
        noise(&db, segment * (8 << 20), 20);
        let store = bench.open();
        holds(&store, &model, &format!("segment {segment} of {segments}")).await;
    }
}

/// What no checksum of a single record could tell.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_sled_lost_or_brought_back_are_missed_by_the_sum() {
    type Tamper = fn(&sled::Db, &[u8], sled::IVec);
    let cases: [(&str, Tamper); 3] = [
        ("lost", |db, at, _| drop(db.remove(at).unwrap())),
        ("brought back", |db, at, older| drop(db.insert(at, older).unwrap())),
        ("added", |db, _, older| drop(db.insert(b"r\x01\x00\x01x", older).unwrap())),
    ];
    for (what, tamper) in cases {
        let bench = Bench::new();
        let store = bench.open();
        let epoch = lead(&store).await;
        let mut model = Model::new();
        write(&store, epoch, &mut model, vec![put(key(1), vec![1; 300]), put(key(2), vec![1; 300])]).await;
        let at = super::super::record::record_key(key(1).as_bytes());
        let index = store.shared.index().unwrap().1;
        let older = index.raw().get(&at).unwrap().unwrap();
        write(&store, epoch, &mut model, vec![put(key(1), vec![2; 300])]).await;
        tamper(index.raw(), &at, older);
        index.flush().unwrap();
        let left = bench.directory.path().join("left");
        copy(bench.store(), &left);
        let opened = SledStore::open(&bench.elsewhere(left)).unwrap();
        let rebuilt = opened.facts().rebuilt.expect(what);
        assert_eq!(rebuilt.reason, "sled lost or resurrected records", "{what}");
        holds(&opened, &model, what).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sled_may_be_harmed_while_it_is_open() {
    let (mut bench, mut model) = aged(true, false).await;
    bench.options.cache_bytes = 1 << 10;
    let store = bench.open();
    let epoch = lead(&store).await;
    let db = bench.store().join("sled/db");
    for round in 0..3 {
        noise(&db, 0, length(&db));
        holds(&store, &model, &format!("round {round}")).await;
        live(&store, epoch, &mut model, 10, 50 + round).await;
        holds(&store, &model, &format!("round {round}, written")).await;
    }
    let set_aside = std::fs::read_dir(bench.store()).unwrap().flatten();
    let set_aside =
        set_aside.filter(|entry| entry.file_name().to_str().unwrap().starts_with("sled.damaged-"));
    assert!(set_aside.count() <= 1, "one damaged sled is kept at most");
}

#[tokio::test]
async fn a_damaged_log_is_an_error_that_names_file_and_offset() {
    let (bench, _) = aged(true, false).await;
    let first = bench.store().join("wal/000000000001.log");
    noise(&first, length(&first) / 2, 1);
    for sled_too in [false, true] {
        if sled_too {
            std::fs::remove_dir_all(bench.store().join("sled")).unwrap();
        }
        let error = bench.error();
        assert!(matches!(error, StorageError::Corrupt(_)), "{error}");
        let text = error.to_string();
        assert!(text.contains("wal/000000000001.log` at offset") && !text.contains('\n'), "{text}");
    }
}

#[tokio::test]
async fn a_damaged_export_is_an_error_only_when_it_is_needed() {
    let (bench, model) = aged(true, true).await;
    let export = std::fs::read_dir(bench.store().join("export")).unwrap().next().unwrap().unwrap().path();
    noise(&export, length(&export) / 2, 1);
    let store = bench.open();
    holds(&store, &model, "sled is whole").await;
    drop(store);
    std::fs::remove_dir_all(bench.store().join("sled")).unwrap();
    let error = bench.error();
    assert!(matches!(&error, StorageError::Corrupt(text) if text.contains(".export` at offset")), "{error}");
}

#[tokio::test]
async fn a_log_whose_end_is_gone_is_damage_when_sled_knows_better() {
    let (bench, _) = aged(true, false).await;
    let mut segments: Vec<_> =
        std::fs::read_dir(bench.store().join("wal")).unwrap().map(|entry| entry.unwrap().path()).collect();
    segments.sort();
    let last = segments.pop().unwrap();
    truncate(&last, length(&last) - 1);
    let error = bench.error();
    assert!(matches!(&error, StorageError::Corrupt(text) if text.contains("at offset")), "{error}");
    std::fs::remove_file(&last).unwrap();
    let error = bench.error();
    assert!(matches!(&error, StorageError::Corrupt(text) if text.contains("was acknowledged")), "{error}");
}
