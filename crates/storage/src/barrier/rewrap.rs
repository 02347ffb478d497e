//! Moves records to the newest term of the keyring, a page at a time.
//!
//! Invariants: a record keeps its stamp, because nothing about it changed; a record changed meanwhile is read again and
//! never overwritten. Knows nothing of pace: whoever calls decides when the next page is due.

use super::{Barrier, Cursor};
use crate::{Batch, Expect, Key, Op, Seek, StampRule, StorageError, Stored};

/// How often a record that keeps changing is read again before the walk gives up.
const TRIES: usize = 8;

/// What one page came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewrapped {
    /// How many records were sealed anew.
    pub count: usize,
    /// Where to go on; `None` when everything has been seen.
    pub next: Option<Cursor>,
}

impl Barrier {
    /// Seals those of the next `limit` records anew that carry an older term. Headers in the clear and wrapped keys are
    /// left as they are.
    pub async fn rewrap(&self, after: Option<&Cursor>, limit: usize) -> Result<Rewrapped, StorageError> {
        let seek = after.map_or(Seek::Start, |Cursor(key)| Seek::After(key));
        let page = self.physical().page(&Key::root(), seek, limit).await?;
        let next = page.last().map(|(key, _)| Cursor(key.clone()));
        let mut batch = Batch::default();
        for (key, stored) in &page {
            self.add_rewrap(key, stored, &mut batch)?;
        }
        let keys: Vec<Key> = batch.ops.iter().map(|op| op.key().clone()).collect();
        if keys.is_empty() {
            return Ok(Rewrapped { count: 0, next });
        }
        let count = match self.commit_sealed(batch).await {
            Ok(_) => keys.len(),
            Err(StorageError::Conflict) => self.rewrap_each(&keys).await?,
            Err(error) => return Err(error),
        };
        Ok(Rewrapped { count, next })
    }

    /// One commit for each record, for a page in which some were changed meanwhile.
    async fn rewrap_each(&self, keys: &[Key]) -> Result<usize, StorageError> {
        let mut count = 0;
        for key in keys {
            count += usize::from(self.rewrap_one(key).await?);
        }
        Ok(count)
    }

    async fn rewrap_one(&self, key: &Key) -> Result<bool, StorageError> {
        for _ in 0..TRIES {
            let Some(stored) = self.physical().get(key).await? else { return Ok(false) };
            let mut batch = Batch::default();
            self.add_rewrap(key, &stored, &mut batch)?;
            if batch.ops.is_empty() {
                return Ok(false);
            }
            match self.commit_sealed(batch).await {
                Ok(_) => return Ok(true),
                Err(StorageError::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Err(StorageError::Conflict)
    }

    fn add_rewrap(&self, key: &Key, stored: &Stored, batch: &mut Batch) -> Result<(), StorageError> {
        if let Some(sealed) = self.slot().reseal(self.entropy(), key, &stored.sealed)? {
            batch.ops.push(Op::Put { key: key.clone(), sealed, stamp: StampRule::Keep });
            batch.expect.push((key.clone(), Expect::Unchanged(stored.stamp)));
        }
        Ok(())
    }
}
