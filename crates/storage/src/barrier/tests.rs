//! Tests of the barrier above a memory store, by room; what they share stands here.

mod damage;
mod listing;
mod oracle;
mod records;
mod rewrap;
mod secrecy;
mod views;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use vestal_crypto::{Keyring, SeededEntropy};

use super::{Barrier, Changes, Place, Record, View};
use crate::{Key, MemoryStore, Physical, Seek, Seq, StorageError, Stored};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Note {
    text: String,
}

impl Record for Note {
    const VERSION: u8 = 1;
}

fn note(text: &str) -> Note {
    Note { text: text.to_owned() }
}

struct House {
    barrier: Barrier,
    view: View,
    store: Arc<dyn Physical>,
}

async fn house() -> House {
    house_on(Arc::new(MemoryStore::new()), 1).await
}

async fn house_on(store: Arc<dyn Physical>, seed: u64) -> House {
    let entropy = Arc::new(SeededEntropy::new(seed));
    let epoch = store.leadership().acquire().await.unwrap();
    let barrier = Barrier::open(Arc::clone(&store), Keyring::generate(entropy.as_ref(), 0), epoch, entropy);
    let view = barrier.view(&Place::root().plain("logical").plain("mount-1"));
    House { barrier, view, store }
}

impl House {
    async fn put(&self, place: &Place, text: &str) -> Seq {
        put(&self.view, place, text).await.unwrap()
    }

    async fn text(&self, place: &Place) -> Option<String> {
        self.view.get::<Note>(place).await.unwrap().map(|note| note.value.text)
    }

    /// Everything as it lies in the store.
    async fn stored(&self) -> Vec<(Key, Stored)> {
        self.store.page(&Key::root(), Seek::Start, 10_000).await.unwrap()
    }
}

async fn put(view: &View, place: &Place, text: &str) -> Result<Seq, StorageError> {
    let mut changes = Changes::new();
    changes.put(view, place, &note(text))?;
    view.commit(changes).await
}

fn is_corrupt<T>(answer: &Result<T, StorageError>) -> bool {
    matches!(answer, Err(StorageError::Corrupt(_)))
}

fn is_sealed<T>(answer: &Result<T, StorageError>) -> bool {
    matches!(answer, Err(StorageError::Sealed))
}

fn is_conflict<T>(answer: &Result<T, StorageError>) -> bool {
    matches!(answer, Err(StorageError::Conflict))
}
