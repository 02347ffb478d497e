//! A long random life, step by step compared with a sorted map.

use std::collections::BTreeMap;
use std::future::Future;

use super::{Subject, folder, leaf, led, put};
use crate::testing::random::Random;
use crate::{Batch, Expect, Key, Op, Seek, Stamp, StampRule, StorageError};

const STEPS: usize = 600;

type Model = BTreeMap<Key, (Vec<u8>, Stamp)>;

pub(super) async fn run<F: Future<Output = Subject>>(make: &impl Fn() -> F) {
    for seed in 1..=3 {
        live(led(make).await, seed).await;
    }
}

async fn live(mut subject: Subject, seed: u64) {
    let mut random = Random::new(seed);
    let mut model = Model::new();
    for step in 0..STEPS {
        match random.below(100) {
            0 => {
                subject.reopened().await;
            }
            1..60 => commit(&subject, &mut random, &mut model, &format!("seed {seed}, step {step}")).await,
            _ => read(&subject, &mut random, &model, &format!("seed {seed}, step {step}")).await,
        }
    }
    let walked = subject.walk(&Key::root(), 7).await;
    let expected: Vec<_> = model.into_iter().map(|(key, (bytes, stamp))| (key, bytes, stamp)).collect();
    assert!(walked == expected, "seed {seed}, at the end");
}

/// Few keys, so that they meet again, and some below others.
fn some_key(random: &mut Random) -> Key {
    let mut key = Key::root();
    for _ in 0..=random.below(3) {
        let name = [u8::try_from(random.below(4)).unwrap(); 2];
        key = match random.below(3) {
            0 => key.plain(["a", "b", "aa"][usize::try_from(random.below(3)).unwrap()]),
            1 => leaf(&key, &name),
            _ => folder(&key, &name),
        };
    }
    key
}

fn some_bytes(random: &mut Random) -> Vec<u8> {
    let length = match random.below(20) {
        0 => 70_000,
        1 => 1,
        _ => 40,
    };
    vec![u8::try_from(random.below(256)).unwrap(); length]
}

async fn commit(subject: &Subject, random: &mut Random, model: &mut Model, at: &str) {
    let mut batch = Batch::default();
    for _ in 0..=random.below(5) {
        let key = some_key(random);
        batch.ops.push(match random.below(4) {
            0 => Op::Delete { key },
            1 => match put(key, some_bytes(random)) {
                Op::Put { key, sealed, .. } => Op::Put { key, sealed, stamp: StampRule::Keep },
                other @ Op::Delete { .. } => other,
            },
            _ => put(key, some_bytes(random)),
        });
    }
    for _ in 0..random.below(3) {
        let key = some_key(random);
        let expect = match model.get(&key) {
            Some((_, stamp)) if random.below(8) > 0 => Expect::Unchanged(*stamp),
            Some((_, stamp)) => Expect::Unchanged(Stamp(stamp.0 + 1)),
            None => Expect::Absent,
        };
        batch.expect.push((key, expect));
    }
    let holds = batch.expect.iter().all(|(key, expect)| match expect {
        Expect::Absent => !model.contains_key(key),
        Expect::Unchanged(stamp) => model.get(key).is_some_and(|(_, there)| there == stamp),
    });
    match subject.commit(batch.clone()).await {
        Ok(seq) => {
            assert!(holds, "{at}: committed against its expectations");
            apply(model, batch.ops, Stamp(seq.0));
        }
        Err(StorageError::Conflict) => assert!(!holds, "{at}: refused though its expectations hold"),
        Err(error) => panic!("{at}: {error}"),
    }
}

fn apply(model: &mut Model, ops: Vec<Op>, now: Stamp) {
    for op in ops {
        match op {
            Op::Put { key, sealed, stamp } => {
                let kept = model.get(&key).map(|(_, there)| *there).filter(|_| stamp == StampRule::Keep);
                model.insert(key, (sealed.into_bytes(), kept.unwrap_or(now)));
            }
            Op::Delete { key } => {
                model.remove(&key);
            }
        }
    }
}

async fn read(subject: &Subject, random: &mut Random, model: &Model, at: &str) {
    let key = some_key(random);
    let found = subject.store.get(&key).await.unwrap();
    let found = found.map(|stored| (stored.sealed.into_bytes(), stored.stamp));
    assert!(found.as_ref() == model.get(&key), "{at}: get {key:?}");
    let (prefix, from) = (some_key(random), some_key(random));
    let limit = usize::try_from(random.below(6)).unwrap() + 1;
    let (seek, past) = match random.below(3) {
        0 => (Seek::Start, false),
        1 => (Seek::After(&from), false),
        _ => (Seek::Past(&from), true),
    };
    let behind = |key: &Key| match seek {
        Seek::Start => true,
        Seek::After(_) | Seek::Past(_) => *key > from && !(past && from.covers(key)),
    };
    let expected: Vec<&Key> =
        model.keys().filter(|key| prefix.covers(key) && behind(key)).take(limit).collect();
    let keys = subject.store.keys(&prefix, seek, limit).await.unwrap();
    assert_eq!(keys.iter().collect::<Vec<_>>(), expected, "{at}: keys below {prefix:?}, {seek:?}");
}
