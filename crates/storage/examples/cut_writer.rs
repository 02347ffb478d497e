//! The two ends of the power-cut loop (`cargo xtask cut`): writes and tells what was acknowledged; checks what is left.
//!
//! `cut_writer write DIRECTORY KIND BASELINE` writes until it is killed, and prints `TASK KEY VERSION` for each
//! acknowledged commit. `cut_writer check DIRECTORY KIND ACKNOWLEDGED FOUND` opens the store, compares, and prints one line
//! of figures. Each key has one writer, so after the acknowledged version only the next one may be there.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use vestal_crypto::{ClearHeader, Sealed};
use vestal_storage::{
    Batch, Claim, Epoch, Key, Op, Physical, SledOptions, SledStore, StampRule, StorageError,
};

type Versions = BTreeMap<(u32, u32), u64>;

const TASKS: u32 = 16;
/// One in eight is a deletion, so that 60,000 and some are there.
const BULK: u32 = 69_000;

/// What the values are like.
#[derive(Clone, Copy)]
struct Kind {
    keys: u32,
    shortest: u64,
    longest: u64,
    bulk: u32,
}

impl Kind {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "small" => Self { keys: 64, shortest: 600, longest: 1800, bulk: 0 },
            "large" => Self { keys: 32, shortest: 10 << 10, longest: 29 << 10, bulk: 0 },
            "mixed" => Self { keys: 6, shortest: 600, longest: 1 << 20, bulk: 0 },
            "big-store" => Self { keys: 64, shortest: 600, longest: 1800, bulk: BULK },
            _ => return None,
        })
    }

    /// What version `version` of a record holds; `None` is a deletion.
    fn content(self, seed: u64, version: u64, half: u64) -> Option<Vec<u8>> {
        let mut random = mix(seed ^ version.rotate_left(40));
        if version == 0 || random.is_multiple_of(8) {
            return None;
        }
        random = mix(random);
        // Lengths spread over their magnitudes, so that short ones are not rare beside 1 MiB.
        let spread = self.longest.ilog2() - self.shortest.ilog2() + 1;
        let top = self.longest.min(self.shortest << (random % u64::from(spread) + 1));
        random = mix(random);
        let length = self.shortest + random % (top - self.shortest + 1);
        let mut bytes = Vec::new();
        let mut word = mix(random ^ half);
        while (bytes.len() as u64) < length {
            word = mix(word);
            bytes.extend_from_slice(&word.to_be_bytes());
        }
        Some(bytes)
    }
}

/// splitmix64.
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

fn key(task: u32, key: u32, half: u64) -> Key {
    Key::root().plain("cut").plain(&format!("{task:02}-{key:04}-{half}"))
}

fn bulk_key(number: u32) -> Key {
    Key::root().plain("bulk").plain(&format!("{number:08}"))
}

fn seed(task: u32, key: u32) -> u64 {
    mix(u64::from(task) << 32 | u64::from(key))
}

fn op(key: Key, content: Option<Vec<u8>>) -> Op {
    match content {
        Some(bytes) => {
            Op::Put { key, sealed: Sealed::clear(ClearHeader::from_bytes(bytes)), stamp: StampRule::New }
        }
        None => Op::Delete { key },
    }
}

fn read_versions(path: &Path) -> Result<Versions, Box<dyn Error>> {
    let mut versions = Versions::new();
    for line in std::io::BufReader::new(std::fs::File::open(path)?).lines() {
        let line = line?;
        let mut words = line.split(' ');
        let mut next = || words.next().ok_or("a line is cut short");
        let (task, key, version) = (next()?.parse()?, next()?.parse()?, next()?.parse()?);
        versions.insert((task, key), version);
    }
    Ok(versions)
}

fn options(directory: &str) -> SledOptions {
    // Small enough that checkpoints, exports and retired segments happen under the cuts.
    let mut options = SledOptions::new(directory);
    options.export_after = 24 << 20;
    options
}

async fn write(directory: &str, kind: Kind, baseline: Versions) -> Result<(), Box<dyn Error>> {
    let store = Arc::new(SledStore::open(&options(directory))?);
    let epoch = store.leadership().acquire().await?;
    if store.get(&bulk_key(kind.bulk.saturating_sub(1))).await?.is_none() {
        for first in (0..kind.bulk).step_by(500) {
            let ops = (first..first + 500)
                .map(|number| op(bulk_key(number), kind.content(seed(99, number), 3, 0)))
                .collect();
            store.commit(Batch { ops, epoch, ..Batch::default() }).await?;
        }
    }
    println!("ready");
    let mut writers = Vec::new();
    for task in 0..TASKS {
        let store = Arc::clone(&store);
        let versions: Vec<u64> =
            (0..kind.keys).map(|key| baseline.get(&(task, key)).copied().unwrap_or(0)).collect();
        writers.push(tokio::spawn(write_task(store, kind, epoch, task, versions)));
    }
    for writer in writers {
        writer.await??;
    }
    Ok(())
}

async fn write_task(
    store: Arc<SledStore>,
    kind: Kind,
    epoch: Epoch,
    task: u32,
    mut versions: Vec<u64>,
) -> Result<(), StorageError> {
    let mut random = mix(u64::from(std::process::id()) << 8 | u64::from(task));
    loop {
        random = mix(random);
        let number = u32::try_from(random % u64::from(kind.keys)).unwrap_or(0);
        let Some(version) = versions.get_mut(number as usize) else { continue };
        let next = *version + 1;
        let ops =
            (0..2).map(|half| op(key(task, number, half), kind.content(seed(task, number), next, half)));
        let batch = Batch { ops: ops.collect(), epoch, claim: Claim::Ordinary, ..Batch::default() };
        store.commit(batch).await?;
        *version = next;
        // One write each: what a killed process has printed is whole lines.
        let line = format!("{task} {number} {next}\n");
        if std::io::stdout().lock().write_all(line.as_bytes()).is_err() {
            return Ok(());
        }
    }
}

/// The version that both halves of a record are of, if it is `acknowledged` or the next.
async fn version_of(
    store: &SledStore,
    kind: Kind,
    (task, number): (u32, u32),
    acknowledged: u64,
) -> Result<Option<u64>, StorageError> {
    let mut halves = Vec::new();
    for half in 0..2 {
        let found = store.get(&key(task, number, half)).await?;
        halves.push(found.map(|stored| stored.sealed.clear_header().unwrap_or_default().to_vec()));
    }
    for version in [acknowledged + 1, acknowledged] {
        let expected: Vec<_> = (0..2).map(|half| kind.content(seed(task, number), version, half)).collect();
        if expected == halves {
            return Ok(Some(version));
        }
    }
    Ok(None)
}

async fn check(
    directory: &str,
    kind: Kind,
    acknowledged: &Versions,
    found: &str,
) -> Result<(), Box<dyn Error>> {
    let store = SledStore::open(&options(directory))?;
    let mut lost = 0;
    let mut lines = Vec::new();
    for task in 0..TASKS {
        for number in 0..kind.keys {
            let known = acknowledged.get(&(task, number)).copied().unwrap_or(0);
            match version_of(&store, kind, (task, number), known).await? {
                Some(version) => writeln!(lines, "{task} {number} {version}")?,
                None => {
                    eprintln!("lost: task {task}, key {number}, version {known} was acknowledged");
                    lost += 1;
                }
            }
        }
    }
    for number in 0..kind.bulk {
        let there = store.get(&bulk_key(number)).await?;
        let there = there.map(|stored| stored.sealed.clear_header().unwrap_or_default().to_vec());
        lost += u32::from(there != kind.content(seed(99, number), 3, 0));
    }
    std::fs::write(found, lines)?;
    let facts = store.facts();
    let rebuilt = facts.rebuilt.as_ref().map_or_else(
        || "opened plainly".to_owned(),
        |rebuilt| format!("rebuilt, {:.1} s/GB ({})", rebuilt.seconds_per_gb(), rebuilt.reason),
    );
    println!("{lost} lost; {rebuilt} in {:.2} s; {} records", facts.opened_in.as_secs_f64(), facts.records);
    store.close().await?;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let kind = words.get(2).and_then(|name| Kind::named(name)).ok_or("name a kind of values")?;
    match words.as_slice() {
        ["write", directory, _, baseline] => {
            write(directory, kind, read_versions(Path::new(baseline))?).await
        }
        ["check", directory, _, acknowledged, found] => {
            check(directory, kind, &read_versions(Path::new(acknowledged))?, found).await
        }
        _ => Err("write DIRECTORY KIND BASELINE, or check DIRECTORY KIND ACKNOWLEDGED FOUND".into()),
    }
}
