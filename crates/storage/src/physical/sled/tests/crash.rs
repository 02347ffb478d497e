//! A crash between any two steps that survive: the directory is copied at each, and each copy opens with everything.

use std::sync::Mutex;

use super::*;

/// Copies the store at each step.
#[derive(Clone)]
struct Camera {
    pictures: Arc<Mutex<Vec<(String, PathBuf)>>>,
    _album: Arc<TempDir>,
}

impl Camera {
    fn on(bench: &Bench) -> Self {
        let pictures: Arc<Mutex<Vec<(String, PathBuf)>>> = Arc::default();
        let (taken, store) = (Arc::clone(&pictures), bench.store().to_owned());
        let album = Arc::new(tempfile::tempdir().unwrap());
        let kept = Arc::clone(&album);
        bench.disk.on_step(move |step| {
            let mut taken = taken.lock().unwrap();
            let path = album.path().join(format!("{}", taken.len()));
            copy(&store, &path);
            taken.push((step.to_owned(), path));
        });
        Self { pictures, _album: kept }
    }

    async fn each_opens(&self, bench: &Bench, model: &Model, steps: &[&str]) {
        // What happens from here on is no part of the crash.
        bench.disk.on_step(|_| {});
        let pictures = std::mem::take(&mut *self.pictures.lock().unwrap());
        let seen: Vec<&str> = pictures.iter().map(|(step, _)| step.as_str()).collect();
        for step in steps {
            assert!(seen.contains(step), "{step} was never reached, only {seen:?}");
        }
        for (step, path) in pictures {
            let store =
                SledStore::open(&bench.elsewhere(path)).unwrap_or_else(|error| panic!("{step}: {error}"));
            holds(&store, model, &step).await;
            goes_on(&store, &step).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_while_a_store_is_made_leaves_an_empty_one() {
    let bench = Bench::new();
    let camera = Camera::on(&bench);
    drop(bench.open());
    let steps = ["a new store has its empty export", "a replacement is written", "a replacement is in place"];
    camera.each_opens(&bench, &Model::new(), &steps).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_in_an_export_loses_nothing() {
    let bench = Bench::new();
    let store = bench.open();
    let epoch = lead(&store).await;
    let mut model = Model::new();
    for seed in 1..=2 {
        live(&store, epoch, &mut model, 80, seed).await;
        let camera = Camera::on(&bench);
        store.export().await.unwrap();
        let steps = [
            "an export has walked the store",
            "an export is written",
            "an export has its name",
            "a replacement is in place",
            "an export is the base",
            "the old export is gone",
            "segments are retired",
        ];
        camera.each_opens(&bench, &model, &steps).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_in_closing_and_opening_loses_nothing() {
    let bench = Bench::new();
    let mut model = Model::new();
    for seed in 1..=3 {
        let camera = Camera::on(&bench);
        let store = bench.open();
        camera.each_opens(&bench, &model, &[]).await;
        let epoch = lead(&store).await;
        live(&store, epoch, &mut model, 40, seed).await;
        let camera = Camera::on(&bench);
        store.close().await.unwrap();
        camera.each_opens(&bench, &model, &["sled is flushed", "a replacement is in place"]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_in_a_rebuild_starts_it_over() {
    let bench = Bench::new();
    let mut model = Model::new();
    {
        let store = bench.open();
        let epoch = lead(&store).await;
        live(&store, epoch, &mut model, 60, 1).await;
        store.export().await.unwrap();
        live(&store, epoch, &mut model, 60, 2).await;
    }
    for missing in [false, true] {
        if missing {
            std::fs::remove_dir_all(bench.store().join("sled")).unwrap();
        } else {
            std::fs::write(bench.store().join("sled/db"), [7; 5000]).unwrap();
        }
        let camera = Camera::on(&bench);
        let store = bench.open();
        holds(&store, &model, "rebuilt").await;
        assert!(store.facts().rebuilt.is_some());
        let mut steps = vec!["the export is loaded", "the new sled is durable", "the new sled is in place"];
        if !missing {
            steps.push("the old sled is set aside");
        }
        camera.each_opens(&bench, &model, &steps).await;
        drop(store);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_dies_at_any_moment_loses_nothing_acknowledged() {
    let bench = Bench::new();
    let store = bench.open();
    let epoch = lead(&store).await;
    let mut model = Model::new();
    for moment in 0..12 {
        live(&store, epoch, &mut model, 15, moment).await;
        let left = bench.directory.path().join(format!("left-{moment}"));
        copy(bench.store(), &left);
        let after = SledStore::open(&bench.elsewhere(left)).unwrap();
        holds(&after, &model, &format!("moment {moment}")).await;
        goes_on(&after, "after a death").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_during_an_export_are_in_it() {
    let bench = Bench::new();
    let store = Arc::new(bench.open());
    let epoch = lead(&store).await;
    let mut model = Model::new();
    live(&store, epoch, &mut model, 60, 1).await;
    let writing = Arc::clone(&store);
    let (during, runtime) = (Arc::new(Mutex::new(None)), tokio::runtime::Handle::current());
    let written = Arc::clone(&during);
    let mut before = model.clone();
    bench.disk.on_step(move |step| {
        if step == "an export has walked the store" && written.lock().unwrap().is_none() {
            // Written over what the walk has seen, deleted, and added.
            runtime.block_on(live(&writing, epoch, &mut before, 40, 9));
            *written.lock().unwrap() = Some(before.clone());
        }
    });
    store.export().await.unwrap();
    let model = during.lock().unwrap().take().expect("there were commits during the walk");
    holds(&store, &model, "live").await;
    store.close().await.unwrap();
    std::fs::remove_dir_all(bench.store().join("sled")).unwrap();
    let rebuilt = bench.open();
    holds(&rebuilt, &model, "rebuilt").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_between_two_batches_of_one_frame_loses_none_of_them() {
    use crate::log::frame::{Change, Content};
    use crate::log::{Bounds, Log, Scan, manifest::Manifest, segment};
    let change = |number: u64, seq: u64| {
        let value = Some(Content { stamp: seq, bytes: vec![u8::try_from(seq).unwrap(); 100] });
        vec![Change { key: key(number).as_bytes().to_vec(), value }]
    };
    for applied in 0..=4_usize {
        let bench = Bench::new();
        let store = bench.open();
        lead(&store).await;
        store.close().await.unwrap();
        drop(store);
        let home = super::super::open::Home {
            directory: bench.store().to_owned(),
            disk: Arc::new(bench.disk.clone()),
            cache_bytes: 1 << 20,
        };
        let manifest = Manifest::read(bench.store()).unwrap().unwrap();
        let segments = segment::list(&home.wal()).unwrap();
        let bounds = Bounds { base: manifest.base, known: 0 };
        let scan = Scan::run(&segments, &manifest.store, &bounds, |_| Ok(())).unwrap();
        let mut log = Log::open(Arc::clone(&home.disk), &home.wal(), manifest.store, scan);
        // One frame of four commits, of which sled had `applied` when the power was cut; key 1 is written twice.
        let frame = log.append(vec![change(1, 1), change(2, 2), change(1, 3), change(3, 4)], 1).unwrap();
        let index = super::super::open::index(&home.sled(), 1 << 20, manifest.store, false).unwrap();
        for (seq, batch) in (frame.first..).zip(&frame.batches).take(applied) {
            index.apply(batch, seq, frame.number).unwrap();
        }
        index.flush().unwrap();
        drop(index);
        let store = bench.open();
        let what = format!("{applied} of 4 applied");
        assert!(store.facts().rebuilt.is_none(), "{what}");
        assert_eq!(store.applied(), Seq(4), "{what}");
        let expected: Model = [(1, 3), (2, 2), (3, 4)]
            .map(|(number, seq): (u64, u64)| {
                (key(number), (vec![u8::try_from(seq).unwrap(); 100], Stamp(seq)))
            })
            .into();
        holds(&store, &expected, &what).await;
    }
}
