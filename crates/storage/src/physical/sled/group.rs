//! One group of commits: checked in order against the store and each other, and answered together.
//!
//! Invariants: a batch sees every earlier batch of its group and none that was refused; refusals are answered with the
//! rest, for they may rest on commits that are not visible before. Knows nothing of the log.

use std::collections::HashMap;

use super::guard::Trouble;
use super::index::Index;
use super::shared::Answer;
use super::space::Space;
use crate::log::frame::{Change, Content};
use crate::{Batch, Claim, Epoch, Expect, Key, Op, Seq, StampRule, StorageError};

/// Who may write, at this moment.
#[derive(Clone, Copy)]
pub(crate) struct Leader {
    pub(crate) epoch: Epoch,
    pub(crate) leading: bool,
}

/// What is to be written for a group, and what each writer will hear.
pub(crate) struct Plan {
    pub(crate) batches: Vec<Vec<Change>>,
    /// The keys of each of these, for watchers.
    pub(crate) keys: Vec<Vec<Key>>,
    /// One for each writer, in order.
    pub(crate) outcomes: Vec<Result<Seq, StorageError>>,
    /// Whether some of it claims the reserve.
    pub(crate) reserved: bool,
}

/// The stamps that the group leaves behind, where they differ from the store's.
struct Overlay<'a> {
    index: &'a Index,
    changed: HashMap<Vec<u8>, Option<u64>>,
}

impl Overlay<'_> {
    fn stamp(&self, key: &Key) -> Result<Option<u64>, Trouble> {
        match self.changed.get(key.as_bytes()) {
            Some(stamp) => Ok(*stamp),
            None => Ok(self.index.head(key.as_bytes())?.map(|head| head.stamp)),
        }
    }
}

impl Plan {
    /// Judges `batches`, the first of which would get the number `first`.
    pub(crate) fn make(
        batches: &[Batch],
        first: u64,
        index: &Index,
        leader: Leader,
        space: &Space,
    ) -> Result<Self, Trouble> {
        let mut overlay = Overlay { index, changed: HashMap::new() };
        let mut plan = Self { batches: Vec::new(), keys: Vec::new(), outcomes: Vec::new(), reserved: false };
        let ordinary = space.admit(Claim::Ordinary);
        for batch in batches {
            let seq = first + plan.batches.len() as u64;
            let outcome = match (refusal(batch, leader, &ordinary), conflicts(batch, &overlay)?) {
                (Some(error), _) => Err(error),
                (None, true) => Err(StorageError::Conflict),
                (None, false) => {
                    plan.reserved |= claim(batch) == Claim::Reserved;
                    plan.batches.push(resolve(batch, seq, &mut overlay)?);
                    plan.keys.push(batch.ops.iter().map(|op| op.key().clone()).collect());
                    Ok(Seq(seq))
                }
            };
            plan.outcomes.push(outcome);
        }
        if plan.reserved {
            // May give the reserve back; the write itself decides.
            let _ = space.admit(Claim::Reserved);
        }
        Ok(plan)
    }
}

/// A batch that only deletes makes room in the end, whatever it claims.
fn claim(batch: &Batch) -> Claim {
    let deletes = batch.ops.iter().all(|op| matches!(op, Op::Delete { .. }));
    if deletes { Claim::Reserved } else { batch.claim }
}

fn refusal(batch: &Batch, leader: Leader, ordinary: &Result<(), StorageError>) -> Option<StorageError> {
    if !leader.leading || batch.epoch < leader.epoch {
        return Some(StorageError::Fenced);
    }
    match (claim(batch), ordinary) {
        (Claim::Ordinary, Err(full)) => Some(full.clone()),
        _ => None,
    }
}

fn conflicts(batch: &Batch, overlay: &Overlay<'_>) -> Result<bool, Trouble> {
    for (key, expect) in &batch.expect {
        let found = overlay.stamp(key)?;
        let holds = match expect {
            Expect::Absent => found.is_none(),
            Expect::Unchanged(stamp) => found == Some(stamp.0),
        };
        if !holds {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The batch in absolute values.
fn resolve(batch: &Batch, seq: u64, overlay: &mut Overlay<'_>) -> Result<Vec<Change>, Trouble> {
    let mut changes = Vec::with_capacity(batch.ops.len());
    for op in &batch.ops {
        let key = op.key().as_bytes().to_vec();
        let value = match op {
            Op::Delete { .. } => None,
            Op::Put { key, sealed, stamp } => {
                let kept = if *stamp == StampRule::Keep { overlay.stamp(key)? } else { None };
                Some(Content { stamp: kept.unwrap_or(seq), bytes: sealed.as_bytes().to_vec() })
            }
        };
        overlay.changed.insert(key.clone(), value.as_ref().map(|value| value.stamp));
        changes.push(Change { key, value });
    }
    Ok(changes)
}

/// Writers who wait, and what they will hear.
pub(crate) struct Group {
    pub(crate) waiting: Vec<(Answer<Seq>, Result<Seq, StorageError>)>,
    /// Of the accepted batches.
    pub(crate) keys: Vec<Vec<Key>>,
}

impl Group {
    /// Tells everyone.
    pub(crate) fn answer(&mut self) {
        for (answer, outcome) in self.waiting.drain(..) {
            let _ = answer.send(outcome);
        }
    }

    /// Tells everyone whose batch was accepted from number `from` on that it failed so, and the others what they were to
    /// hear. A conflict found against commits that failed is no conflict: those hear the error too.
    pub(crate) fn fail(&mut self, from: u64, error: &StorageError) {
        for (answer, outcome) in self.waiting.drain(..) {
            let outcome = match outcome {
                Ok(seq) if seq.0 < from => Ok(seq),
                Ok(_) | Err(StorageError::Conflict) => Err(error.clone()),
                Err(refused) => Err(refused),
            };
            let _ = answer.send(outcome);
        }
    }
}
