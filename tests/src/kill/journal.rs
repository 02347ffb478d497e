//! What was acknowledged, and whether it is still so.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use serde_json::{Value, json};

use super::Dice;
use super::writers::{Written, write_until};
use crate::server::Server;

/// What is known of one key: the last acknowledged number, and the highest that was tried.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Key {
    pub(super) acknowledged: u64,
    pub(super) tried: u64,
}

/// All acknowledgements so far.
pub(super) struct Journal {
    seed: u64,
    keys: HashMap<String, Key>,
    /// Tokens whose creation was acknowledged.
    alive: Vec<String>,
    /// Tokens whose revocation was acknowledged.
    dead: Vec<String>,
    /// Tokens whose revocation was under way at a kill: either is right.
    either: Vec<String>,
}

/// The writers of one round.
pub(super) struct Writing {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Written>>,
}

/// How many older acknowledgements are looked at in each round; all are at the end.
const SAMPLE: usize = 400;

impl Journal {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, keys: HashMap::new(), alive: Vec::new(), dead: Vec::new(), either: Vec::new() }
    }

    pub(super) fn start_writers(&mut self, address: &str, root: &str, writers: u32) -> Writing {
        let stop = Arc::new(AtomicBool::new(false));
        let threads = (0..writers).map(|writer| {
            let (address, root, stop) = (address.to_owned(), root.to_owned(), Arc::clone(&stop));
            let mine: HashMap<String, Key> = self
                .keys
                .iter()
                .filter(|(key, _)| key.starts_with(&format!("w{writer}-")))
                .map(|(key, known)| (key.clone(), *known))
                .collect();
            self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let dice = Dice::new(self.seed);
            std::thread::spawn(move || write_until(&stop, &address, &root, writer, mine, dice))
        });
        Writing { threads: threads.collect(), stop }
    }

    /// Collects what the writers know; how many acknowledgements they got.
    pub(super) fn join(&mut self, writing: Writing) -> u64 {
        writing.stop.store(true, Ordering::SeqCst);
        let mut acknowledged = 0;
        for thread in writing.threads {
            let written = thread.join().expect("a writer ends");
            acknowledged += written.acknowledged;
            self.keys.extend(written.keys);
            self.alive.extend(written.alive);
            self.dead.extend(written.dead);
            self.either.extend(written.either);
        }
        acknowledged
    }

    /// How many revocations of tokens were acknowledged.
    pub(super) fn revoked(&self) -> usize {
        self.dead.len()
    }

    /// Looks whether everything (or a sample) is as it was acknowledged; how much was looked at.
    pub(super) fn check(&self, server: &Server, root: &str, dice: &mut Dice, all: bool) -> u64 {
        let mut looked = 0;
        for (name, key) in &self.keys {
            check_key(server, root, name, *key);
            looked += 1;
        }
        for (tokens, expected) in
            [(&self.alive, &[200][..]), (&self.dead, &[403]), (&self.either, &[200, 403])]
        {
            let newest = tokens.len().saturating_sub(SAMPLE);
            for (number, token) in tokens.iter().enumerate() {
                if all || number >= newest || dice.below(50) == 0 {
                    let (status, _) = server.call(token, "GET", "auth/token/lookup-self", None);
                    assert!(expected.contains(&status), "token {number} of {}: {status}", tokens.len());
                    looked += 1;
                }
            }
        }
        looked
    }
}

/// What is there is the acknowledged number, or a later one that was under way.
fn check_key(server: &Server, root: &str, name: &str, key: Key) {
    let (status, answer) = server.call(root, "GET", &format!("journal/{name}"), None);
    if key.acknowledged == 0 && status == 404 {
        return;
    }
    assert_eq!(status, 200, "{name}: {answer}");
    let stored = answer.pointer("/data/n").and_then(Value::as_u64).expect("a number");
    assert!(
        (key.acknowledged..=key.tried).contains(&stored),
        "{name} holds {stored}, acknowledged {}, tried {}",
        key.acknowledged,
        key.tried
    );
}

/// The body of a write; long enough that records are not all alike.
pub(super) fn body(number: u64) -> Value {
    let length = usize::try_from(number % 1500).unwrap_or(0);
    json!({ "n": number, "filling": "x".repeat(length) })
}
