//! The store of tokens: under a crowd, across crashes, over time.

mod crashes;
mod crowds;
mod lifetimes;
mod trees;
mod unit;

use std::collections::BTreeSet;
use std::sync::Arc;

use vestal_crypto::SecretString;
use vestal_crypto::entropy::SeededEntropy;
use vestal_logical::testing::SimClock;
use vestal_logical::{Clock, Error};
use vestal_storage::testing::FaultStore;
use vestal_storage::{Barrier, Place, View};

use super::entry::{AccessorRecord, NewToken, TokenEntry};
use super::store::TokenStore;
use crate::testing::{START, barrier};

/// A token store on a fault store, with a clock that moves when told.
pub(super) struct Bench {
    pub(super) tokens: Arc<TokenStore>,
    pub(super) clock: Arc<SimClock>,
    pub(super) store: Arc<FaultStore>,
    pub(super) barrier: Barrier,
}

impl Bench {
    pub(super) async fn new() -> Self {
        Self::on(FaultStore::in_memory(), 1).await.expect("a memory store does not fail")
    }

    pub(super) async fn on(store: Arc<FaultStore>, seed: u64) -> Result<Self, Error> {
        let clock = Arc::new(SimClock::at(START));
        let barrier = barrier(&store, seed).await?;
        let entropy = Arc::new(SeededEntropy::new(seed));
        let tokens = TokenStore::open(&barrier, Arc::clone(&clock) as Arc<dyn Clock>, entropy).await?;
        Ok(Self { tokens, clock, store, barrier })
    }

    pub(super) async fn make(&self, new: NewToken) -> Result<(SecretString, TokenEntry), Error> {
        self.tokens.create(new, self.clock.now()).await
    }

    pub(super) async fn alive(&self, id: &str) -> bool {
        self.tokens.living(id, self.clock.now()).await.expect("read").is_some()
    }
}

/// A plain token below `parent`.
pub(super) fn below(parent: Option<&str>) -> NewToken {
    NewToken {
        policies: vec!["p".to_owned()],
        path: "auth/token/create".to_owned(),
        ttl: 3600,
        renewable: true,
        parent: parent.map(str::to_owned),
        ..NewToken::default()
    }
}

async fn words(view: &View, folder: &Place) -> Vec<Vec<String>> {
    let page = view.keys(folder, None, 100_000).await.expect("read");
    let words =
        |place: &Place| (0..place.parts().len()).filter_map(|at| place.word(at).map(str::to_owned)).collect();
    page.items.iter().map(|item| words(&item.place)).collect()
}

/// What is stored about tokens that are not there, or half there, or whose revocation did not come to its end.
pub(crate) async fn left_behind(barrier: &Barrier) -> Vec<String> {
    let sys = barrier.view(&Place::root().plain("sys"));
    let tokens = sys.sub(&Place::root().plain("token"));
    let mut left = Vec::new();
    let entries =
        tokens.page::<TokenEntry>(&Place::root().plain("id"), None, 100_000).await.expect("read").items;
    let ids: BTreeSet<String> = entries.iter().map(|item| item.value.id.clone()).collect();
    let accessors = tokens.page::<AccessorRecord>(&Place::root().plain("accessor"), None, 100_000).await;
    let accessors = accessors.expect("read").items;
    for stray in accessors.iter().filter(|item| !ids.contains(&item.value.id)) {
        left.push(format!("an accessor of {}", stray.value.id));
    }
    if accessors.len() != entries.len() {
        left.push(format!("{} accessors of {} tokens", accessors.len(), entries.len()));
    }
    for (folder, at) in [("parent", 1), ("parent", 2), ("due", 3), ("revoking", 1)] {
        let all = words(&tokens, &Place::root().plain(folder)).await;
        left.extend(all.into_iter().filter(|words| !ids.contains(&words[at])).map(|words| words.join("/")));
    }
    for words in words(&sys, &Place::root().plain("cubbyhole")).await {
        if !ids.contains(&words[1]) {
            left.push(words.join("/"));
        }
    }
    let due = words(&tokens, &Place::root().plain("due")).await;
    for item in &entries {
        let entry = &item.value;
        if entry.revoking {
            left.push(format!("{} is still being revoked", entry.id));
        }
        if due.iter().filter(|words| words[3] == entry.id).count() != usize::from(entry.expires.is_some()) {
            left.push(format!("{} has another number of ends", entry.id));
        }
        if let Some(parent) = &entry.parent
            && !ids.contains(parent)
        {
            left.push(format!("{} has lost its parent", entry.id));
        }
    }
    left
}
