//! One suite that every [`Physical`] passes, plain and behind the [`FaultStore`](super::FaultStore).
//!
//! Must run inside a tokio runtime. Each case starts from an empty store. Knows nothing of how a store works inside.

mod commits;
mod model;
mod reads;

use std::future::Future;
use std::sync::Arc;

use futures::future::BoxFuture;
use vestal_crypto::Sealed;

use crate::{Batch, Epoch, Expect, Key, Op, Physical, Segment, Seq, Stamp, StampRule, StorageError};

/// Opens what an earlier handle has left, after that one was closed.
pub type Reopen = Box<dyn Fn() -> BoxFuture<'static, Arc<dyn Physical>> + Send + Sync>;

/// A store to be examined.
pub struct Subject {
    store: Arc<dyn Physical>,
    reopen: Option<Reopen>,
    epoch: Epoch,
}

impl Subject {
    /// A store that forgets everything when it is closed.
    pub fn volatile(store: Arc<dyn Physical>) -> Self {
        Self { store, reopen: None, epoch: Epoch::default() }
    }

    /// A store that can be closed and opened again. Whatever `reopen` captures (a temporary directory) lives as long as
    /// the case.
    pub fn durable(store: Arc<dyn Physical>, reopen: Reopen) -> Self {
        Self { store, reopen: Some(reopen), epoch: Epoch::default() }
    }

    async fn lead(&mut self) {
        self.epoch = self.store.leadership().acquire().await.expect("nobody else leads");
    }

    /// Closes the store and opens it again; `false` when it cannot.
    async fn reopened(&mut self) -> bool {
        let Some(reopen) = &self.reopen else { return false };
        self.store.close().await.expect("the store closes");
        self.store = Arc::new(crate::MemoryStore::new());
        self.store = reopen().await;
        self.lead().await;
        true
    }

    async fn commit(&self, batch: Batch) -> Result<Seq, StorageError> {
        self.store.commit(Batch { epoch: self.epoch, ..batch }).await
    }

    async fn put(&self, key: &Key, bytes: &[u8]) -> Seq {
        self.commit(puts([(key.clone(), bytes.to_vec())])).await.expect("a put without expectations holds")
    }

    async fn bytes(&self, key: &Key) -> Option<Vec<u8>> {
        self.store.get(key).await.expect("a read").map(|stored| stored.sealed.into_bytes())
    }

    async fn stamp(&self, key: &Key) -> Option<Stamp> {
        self.store.get(key).await.expect("a read").map(|stored| stored.stamp)
    }

    /// Everything below `prefix`, read in pages of `limit`.
    async fn walk(&self, prefix: &Key, limit: usize) -> Vec<(Key, Vec<u8>, Stamp)> {
        let mut all: Vec<(Key, Vec<u8>, Stamp)> = Vec::new();
        loop {
            let seek = all.last().map_or(crate::Seek::Start, |(key, ..)| crate::Seek::After(key));
            let page = self.store.page(prefix, seek, limit).await.expect("a page");
            assert!(page.len() <= limit, "a page keeps to its limit");
            if page.is_empty() {
                return all;
            }
            all.extend(page.into_iter().map(|(key, stored)| (key, stored.sealed.into_bytes(), stored.stamp)));
        }
    }
}

/// Runs the whole suite; panics where a store differs from the contract.
pub async fn run<F: Future<Output = Subject>>(make: impl Fn() -> F) {
    reads::run(&make).await;
    commits::run(&make).await;
    model::run(&make).await;
}

async fn led<F: Future<Output = Subject>>(make: &impl Fn() -> F) -> Subject {
    let mut subject = make().await;
    subject.lead().await;
    subject
}

fn put(key: Key, bytes: Vec<u8>) -> Op {
    Op::Put { key, sealed: Sealed::read_back(bytes), stamp: StampRule::New }
}

fn puts(records: impl IntoIterator<Item = (Key, Vec<u8>)>) -> Batch {
    Batch { ops: records.into_iter().map(|(key, bytes)| put(key, bytes)).collect(), ..Batch::default() }
}

fn deletes(keys: &[&Key]) -> Batch {
    Batch { ops: keys.iter().map(|key| Op::Delete { key: (*key).clone() }).collect(), ..Batch::default() }
}

fn expecting(mut batch: Batch, key: &Key, expect: Expect) -> Batch {
    batch.expect.push((key.clone(), expect));
    batch
}

fn leaf(parent: &Key, bytes: &[u8]) -> Key {
    parent.with(&Segment::Leaf(bytes.to_vec()))
}

fn folder(parent: &Key, bytes: &[u8]) -> Key {
    parent.with(&Segment::Folder(bytes.to_vec()))
}
