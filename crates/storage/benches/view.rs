//! How long a view takes above a memory store: `cargo bench -p vestal-storage`.
//!
//! Prints microseconds for each operation; asserts nothing, so that it never depends on the speed of a machine.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use vestal_crypto::{Keyring, OsEntropy};
use vestal_storage::{Barrier, Changes, MemoryStore, Physical, Place, RawBytes, StorageError, View};

const RECORDS: usize = 20_000;

fn place(n: usize) -> Place {
    Place::root().plain("cred").leaf(format!("team/user-{n}"))
}

async fn filled() -> Result<View, StorageError> {
    let store = Arc::new(MemoryStore::new());
    let epoch = store.leadership().acquire().await?;
    let barrier = Barrier::open(store, Keyring::generate(&OsEntropy, 0), epoch, Arc::new(OsEntropy));
    let view = barrier.view(&Place::root().plain("logical").plain("a-mount"));
    for n in 0..RECORDS {
        put(&view, n).await?;
    }
    Ok(view)
}

async fn put(view: &View, n: usize) -> Result<(), StorageError> {
    let mut changes = Changes::new();
    changes.put(view, &place(n), &RawBytes::new(vec![7; 1024]))?;
    view.commit(changes).await.map(|_| ())
}

async fn walk(view: &View) -> Result<usize, StorageError> {
    let (mut seen, mut cursor) = (0, None);
    loop {
        let page = view.page::<RawBytes>(&Place::root().plain("cred"), cursor.as_ref(), 257).await?;
        seen += page.items.len();
        cursor = page.next;
        if cursor.is_none() {
            return Ok(seen);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures the wall clock")]
async fn timed<T>(
    name: &str,
    times: usize,
    work: impl Future<Output = Result<T, StorageError>>,
) -> Result<(), StorageError> {
    let start = Instant::now();
    black_box(work.await?);
    let micros = start.elapsed().as_secs_f64() * 1e6;
    #[expect(clippy::cast_precision_loss, reason = "counts here are small")]
    let each = micros / times as f64;
    println!("{name:<40} {each:>8.2} µs");
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StorageError> {
    let view = filled().await?;
    timed("get, 1 KiB", RECORDS, async {
        for n in 0..RECORDS {
            black_box(view.get::<RawBytes>(&place(n)).await?);
        }
        Ok(())
    })
    .await?;
    timed("put, 1 KiB", RECORDS, async {
        for n in 0..RECORDS {
            put(&view, n).await?;
        }
        Ok(())
    })
    .await?;
    timed("page, each of 257 records", RECORDS, walk(&view)).await?;
    timed("list, each name", RECORDS, view.list(&Place::root().plain("cred"))).await
}
