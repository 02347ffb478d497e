//! The one thread that writes: it drains its queue, checks, appends one frame, applies, answers.
//!
//! Invariants: nothing is visible before it is durable, and nothing is answered before it is visible; a group that may be
//! in the log stays first in line until it surely is. Knows nothing of what the bytes mean.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::closing;
use super::group::{Group, Leader, Plan};
use super::guard::Trouble;
use super::open::stopwatch;
use super::repair;
use super::shared::{Answer, Door, Message, Shared, Task, held, shut};
use crate::log::AppendError;
use crate::log::frame::{Change, Frame};
use crate::{Batch, Epoch, Key, Op, Seq, StorageError};

/// No frame takes more batches, or more bytes unless its last batch is large.
const GROUP_BATCHES: usize = 512;
const GROUP_BYTES: usize = 4 << 20;
/// How often a log that fails, and an index that is gone, are tried again.
const LOG_PAUSE: Duration = Duration::from_millis(250);
const INDEX_PAUSE: Duration = Duration::from_secs(5);
/// How often a group is tried again before its writers are told that nobody knows.
const PATIENCE: u32 = 40;
/// How often a group is judged when sled fails under it.
const PLANS: u32 = 3;
/// The log may grow so much before sled is made durable.
const CHECKPOINT_BYTES: u64 = 32 << 20;

/// The committer's own state.
pub(crate) struct Committer {
    shared: Arc<Shared>,
    queue: Receiver<Message>,
    leader: Leader,
    state: State,
    tried: Instant,
    since_checkpoint: u64,
}

enum State {
    Ready,
    /// This may be in the log or not, and nothing can be written before it.
    Limbo(Limbo),
    /// Durable, but sled is gone: these commits are not visible yet.
    Blind(Trouble, Vec<(Seq, Vec<Key>)>),
}

struct Limbo {
    batches: Vec<Vec<Change>>,
    asked: Asked,
    tries: u32,
    why: StorageError,
}

/// Who waits for a frame.
enum Asked {
    Commits(Group),
    Epoch(Epoch, Option<Answer<Epoch>>),
}

impl Committer {
    pub(crate) fn new(shared: Arc<Shared>, queue: Receiver<Message>, epoch: Epoch) -> Self {
        let leader = Leader { epoch, leading: false };
        // What earlier processes left counts: many short lives must not make an endless log.
        let since_checkpoint = held(&shared.log).bytes();
        Self { shared, queue, leader, state: State::Ready, tried: stopwatch(), since_checkpoint }
    }

    /// Works until the store is closed; gives back who waits for that.
    pub(crate) fn run(mut self) {
        let mut kept: Option<Message> = None;
        loop {
            let message = match (kept.take(), &self.state) {
                (Some(message), _) => Ok(message),
                (None, State::Ready) => self.queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
                (None, State::Limbo(_)) => self.queue.recv_timeout(LOG_PAUSE),
                (None, State::Blind(..)) => self.queue.recv_timeout(INDEX_PAUSE),
            };
            self.try_again(false);
            self.mend();
            match message {
                Ok(Message::Commit(batch, answer)) => kept = self.gather(batch, answer),
                Ok(Message::Acquire(answer)) => self.acquire(answer),
                Ok(Message::Release(answer)) => {
                    self.leader.leading = false;
                    let _ = answer.send(Ok(()));
                }
                Ok(Message::Broken(generation, trouble)) => self.broken(generation, trouble),
                Ok(Message::Close(answer)) => {
                    let closed = self.close();
                    let _ = answer.send(closed);
                    return;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Takes what else is waiting into one group; gives back what ended it.
    fn gather(&mut self, batch: Batch, answer: Answer<Seq>) -> Option<Message> {
        let mut bytes = weight(&batch);
        let (mut batches, mut answers) = (vec![batch], vec![answer]);
        let mut kept = None;
        while batches.len() < GROUP_BATCHES && bytes < GROUP_BYTES {
            match self.queue.try_recv() {
                Ok(Message::Commit(batch, answer)) => {
                    bytes += weight(&batch);
                    batches.push(batch);
                    answers.push(answer);
                }
                Ok(other) => {
                    kept = Some(other);
                    break;
                }
                Err(_) => break,
            }
        }
        self.commit(&batches, answers);
        kept
    }

    fn commit(&mut self, batches: &[Batch], answers: Vec<Answer<Seq>>) {
        match self.plan(batches) {
            Ok(plan) => {
                let group =
                    Group { waiting: answers.into_iter().zip(plan.outcomes).collect(), keys: plan.keys };
                self.write(plan.batches, Asked::Commits(group), plan.reserved);
            }
            Err(error) => {
                for answer in answers {
                    let _ = answer.send(Err(error.clone()));
                }
            }
        }
    }

    /// Judges the batches; when sled breaks under it, once more after it was opened anew or rebuilt.
    fn plan(&mut self, batches: &[Batch]) -> Result<Plan, StorageError> {
        for _ in 0..PLANS {
            self.ready()?;
            let first = held(&self.shared.log).end().seq + 1;
            let (generation, index) =
                self.shared.index().ok_or_else(|| shut("the store is being rebuilt"))?;
            match Plan::make(batches, first, &index, self.leader, &self.shared.space) {
                Ok(plan) => return Ok(plan),
                Err(Trouble::Io(why)) => return Err(shut(&why)),
                Err(trouble) => {
                    drop(index);
                    self.broken(generation, trouble);
                }
            }
        }
        Err(shut("sled fails again and again"))
    }

    /// A reader may have found sled broken while its message is still on its way, or while the log was unsettled.
    fn mend(&mut self) {
        if matches!(&self.state, State::Ready) && self.shared.index().is_none() {
            self.repair(Trouble::Broken("sled broke under a reader".to_owned()), Vec::new());
        }
    }

    /// Whether anything can be written now.
    fn ready(&mut self) -> Result<(), StorageError> {
        self.mend();
        match &self.state {
            State::Ready => Ok(()),
            State::Limbo(limbo) => Err(shut(&format!("an earlier write is not settled: {}", limbo.why))),
            State::Blind(trouble, _) => Err(shut(&trouble.to_string())),
        }
    }

    fn acquire(&mut self, answer: Answer<Epoch>) {
        if let Err(error) = self.ready() {
            let _ = answer.send(Err(error));
            return;
        }
        let epoch = Epoch(self.leader.epoch.0 + 1);
        self.write(Vec::new(), Asked::Epoch(epoch, Some(answer)), true);
    }

    /// Appends and applies; whoever asked hears of it in the end.
    fn write(&mut self, batches: Vec<Vec<Change>>, mut asked: Asked, reserved: bool) {
        if let Asked::Commits(group) = &mut asked
            && batches.is_empty()
        {
            return group.answer();
        }
        match self.append(batches, &asked) {
            Ok(frame) => self.show(&frame, asked),
            // The write fell short, so giving the reserve back and trying again is safe.
            Err(failed) if !failed.uncertain && reserved && self.shared.space.give_back() => {
                match self.append(failed.batches, &asked) {
                    Ok(frame) => self.show(&frame, asked),
                    Err(failed) => self.not_written(failed, asked),
                }
            }
            Err(failed) => self.not_written(failed, asked),
        }
    }

    fn append(&mut self, batches: Vec<Vec<Change>>, asked: &Asked) -> Result<Frame, AppendError> {
        let epoch = match asked {
            Asked::Commits(_) => self.leader.epoch,
            Asked::Epoch(epoch, _) => *epoch,
        };
        held(&self.shared.log).append(batches, epoch.0)
    }

    fn not_written(&mut self, failed: AppendError, mut asked: Asked) {
        tracing::error!(error = %failed.error, uncertain = failed.uncertain, "the log could not be written");
        self.tried = stopwatch();
        if failed.uncertain {
            self.state = State::Limbo(Limbo { batches: failed.batches, asked, tries: 0, why: failed.error });
        } else {
            asked.fail(0, &failed.error);
        }
    }

    /// Makes a durable frame visible and answers.
    fn show(&mut self, frame: &Frame, asked: Asked) {
        match asked {
            Asked::Epoch(epoch, answer) => {
                self.leader = Leader { epoch, leading: true };
                let reached =
                    self.shared.index().map(|(_, index)| index.reached(frame.first - 1, frame.number));
                if let Some(Err(trouble)) = reached {
                    self.repair(trouble, Vec::new());
                }
                self.visible();
                if let Some(answer) = answer {
                    let _ = answer.send(Ok(epoch));
                }
            }
            Asked::Commits(group) => self.show_commits(frame, group),
        }
        self.keep_short(frame);
    }

    fn show_commits(&mut self, frame: &Frame, mut group: Group) {
        let mut commits = (frame.first..).zip(&frame.batches).zip(std::mem::take(&mut group.keys));
        while let Some(((seq, batch), keys)) = commits.next() {
            let applied = match self.shared.index() {
                Some((_, index)) => index.apply(batch, seq, frame.number),
                None => Err(Trouble::Broken("sled broke under a reader".to_owned())),
            };
            match applied {
                Ok(()) => self.shared.committed(Seq(seq), &keys),
                Err(trouble) => {
                    let first = (Seq(seq), keys);
                    let rest = commits.map(|((seq, _), keys)| (Seq(seq), keys));
                    self.repair(trouble, std::iter::once(first).chain(rest).collect());
                    if let State::Blind(trouble, _) = &self.state {
                        let text = format!("it is in the log, but not visible yet: {trouble}");
                        group.fail(seq, &StorageError::Undetermined(text));
                    }
                    break;
                }
            }
        }
        self.visible();
        group.answer();
    }

    /// Readers see the whole log, unless sled is gone.
    fn visible(&self) {
        if !matches!(self.state, State::Blind(..)) {
            *held(&self.shared.visible) = held(&self.shared.log).end();
        }
    }

    fn keep_short(&mut self, frame: &Frame) {
        let bytes: usize = frame.batches.iter().map(|batch| Frame::weight(batch)).sum();
        self.since_checkpoint += bytes as u64;
        if self.since_checkpoint < CHECKPOINT_BYTES.min(self.shared.export_after) {
            return;
        }
        self.since_checkpoint = 0;
        self.shared.space.restock();
        self.shared.ask_checkpoint();
        let live = self.shared.index().map_or(0, |(_, index)| index.mark().sum.bytes);
        if held(&self.shared.log).bytes() > live.max(self.shared.export_after) {
            self.shared.ask_export();
        }
    }

    /// sled broke; readers are kept out already or are from now on.
    fn broken(&mut self, generation: u64, trouble: Trouble) {
        let current = self.shared.index().is_none_or(|(open, _)| open == generation);
        if current && matches!(self.state, State::Ready) {
            self.repair(trouble, Vec::new());
        }
    }

    /// Gets a whole index again; until then the commits in `waiting` are durable but not visible.
    fn repair(&mut self, trouble: Trouble, waiting: Vec<(Seq, Vec<Key>)>) {
        self.tried = stopwatch();
        match repair::repair(&self.shared, &trouble) {
            Ok(()) => {
                for (seq, keys) in waiting {
                    self.shared.committed(seq, &keys);
                }
                self.state = State::Ready;
                self.visible();
            }
            Err(still) => self.state = State::Blind(still, waiting),
        }
    }

    /// Another try at what failed, not too often.
    fn try_again(&mut self, at_once: bool) {
        let due = |pause: Duration| at_once || self.tried.elapsed() >= pause;
        match &self.state {
            State::Limbo(_) if due(LOG_PAUSE) => {}
            State::Blind(..) if due(INDEX_PAUSE) => {}
            _ => return,
        }
        match std::mem::replace(&mut self.state, State::Ready) {
            State::Ready => {}
            State::Blind(trouble, waiting) => self.repair(trouble, waiting),
            State::Limbo(limbo) => self.settle(limbo),
        }
    }

    fn settle(&mut self, limbo: Limbo) {
        self.tried = stopwatch();
        let Limbo { batches, mut asked, tries, why } = limbo;
        match self.append(batches, &asked) {
            Ok(frame) => {
                tracing::warn!("the log can be written again");
                self.show(&frame, asked);
            }
            Err(failed) => {
                if tries >= PATIENCE {
                    asked.fail(0, &StorageError::Undetermined(why.to_string()));
                }
                let tries = tries.saturating_add(1);
                self.state = State::Limbo(Limbo { batches: failed.batches, asked, tries, why: failed.error });
            }
        }
    }

    fn close(mut self) -> Result<(), StorageError> {
        self.try_again(true);
        let unsettled = match &mut self.state {
            State::Limbo(limbo) => {
                limbo.asked.fail(0, &StorageError::Undetermined(limbo.why.to_string()));
                true
            }
            State::Blind(..) => true,
            State::Ready => false,
        };
        let closed = closing::close(&self.shared, !unsettled);
        self.shared.door.send_replace(Door::Shut("the store is closed".to_owned()));
        closed
    }
}

impl Asked {
    fn fail(&mut self, from: u64, error: &StorageError) {
        match self {
            Self::Commits(group) => group.fail(from, error),
            Self::Epoch(_, answer) => {
                if let Some(answer) = answer.take() {
                    let _ = answer.send(Err(error.clone()));
                }
            }
        }
    }
}

impl Shared {
    fn ask_checkpoint(&self) {
        if !self.checkpoint_asked.swap(true, std::sync::atomic::Ordering::AcqRel) {
            self.ask(Task::Checkpoint);
        }
    }

    /// Has a new base export made in the background.
    pub(super) fn ask_export(&self) {
        if !self.export_asked.swap(true, std::sync::atomic::Ordering::AcqRel) {
            self.ask(Task::Export(None));
        }
    }
}

fn weight(batch: &Batch) -> usize {
    let size = |op: &Op| match op {
        Op::Put { key, sealed, .. } => key.as_bytes().len() + sealed.len(),
        Op::Delete { key } => key.as_bytes().len(),
    };
    batch.ops.iter().map(size).sum()
}
