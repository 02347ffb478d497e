//! Runs what is due: one task per mount, asleep until the next instant or a ring of the bell.
//!
//! It keeps an agenda of (instant, server) and a [`Lane`] for each server that has something in the index; it reads as
//! much of the index as a lane has room for, and nothing of servers that do not serve.
//!
//! Invariants: no pass over all credentials, ever; one server's trouble delays no other; all it keeps can be rebuilt from
//! the index, so starting it anew loses nothing. Knows nothing of what a refresh is.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use tokio::sync::mpsc;
use vestal_logical::{DueEntry, Timestamp};
use vestal_storage::{Changes, StorageError};

use super::backoff::STORE;
use super::end::{Effect, Why};
use super::lane::Lane;
use super::refresher::Refresher;
use super::reindex;
use crate::credential::store::Found;

/// Later than anything in the index, and still an index word.
pub(super) const FAR: Timestamp = Timestamp::from_millis(i64::MAX / 1_000_000 - 1);

/// What a job says when it is over.
struct Ended {
    entry: DueEntry,
    effect: Effect,
    /// How often the server had changed when it began.
    changes: u64,
}

/// The schedule of one mount.
pub(crate) struct Scheduler {
    refresher: Arc<Refresher>,
    lanes: HashMap<String, Lane>,
    /// When to look at which lane, each lane once.
    agenda: BTreeSet<(Timestamp, String)>,
    planned: HashMap<String, Timestamp>,
    report: mpsc::UnboundedSender<Ended>,
    reports: mpsc::UnboundedReceiver<Ended>,
}

impl Scheduler {
    pub(crate) fn new(refresher: Arc<Refresher>) -> Self {
        let (report, reports) = mpsc::unbounded_channel();
        Self {
            refresher,
            lanes: HashMap::new(),
            agenda: BTreeSet::new(),
            planned: HashMap::new(),
            report,
            reports,
        }
    }

    /// Runs until it is cancelled.
    pub(crate) async fn run(mut self, candidates: Vec<Found>) {
        for candidate in candidates {
            self.refresher.retry_candidate(candidate);
        }
        self.read_agenda().await;
        loop {
            self.hear();
            self.work().await;
            let next = self.agenda.first().map_or(Timestamp::MAX, |(at, _)| *at);
            let refresher = Arc::clone(&self.refresher);
            tokio::select! {
                () = refresher.clock.sleep_until(next) => {}
                () = refresher.bell.wait() => {}
                Some(ended) = self.reports.recv() => self.ended(ended),
            }
        }
    }

    /// The servers that have something in the index, each with its earliest instant; and those that credentials wait
    /// for, whose settings may have changed just before a crash.
    async fn read_agenda(&mut self) {
        let mut failures = 0;
        while let Err(failure) = self.try_read_agenda().await {
            failures += 1;
            tracing::error!(%failure, "the index of due credentials can not be read, it is tried again");
            let clock = Arc::clone(&self.refresher.clock);
            clock.sleep_until(clock.now().plus(STORE.after(failures, "agenda"))).await;
        }
    }

    async fn try_read_agenda(&mut self) -> Result<(), StorageError> {
        for group in self.refresher.store.due.groups().await? {
            if let Some(first) = self.refresher.store.due.first(&group).await? {
                self.lanes.entry(group.clone()).or_default().hear(first.at);
                self.plan(&group);
            }
        }
        for group in self.refresher.store.parked.groups().await? {
            reindex::wake(&self.refresher, &group);
        }
        Ok(())
    }

    /// Takes what the bell was rung for, and what ended meanwhile.
    fn hear(&mut self) {
        let notes = self.refresher.bell.take();
        for (group, at) in notes.due {
            self.lanes.entry(group.clone()).or_default().hear(at);
            self.plan(&group);
        }
        for group in notes.well {
            if let Some(lane) = self.lanes.get_mut(&group) {
                // What rests for reasons of its own goes on resting.
                if lane.is_idle() {
                    lane.rouse();
                }
                self.plan(&group);
            }
        }
        for group in notes.changed {
            reindex::wake(&self.refresher, &group);
            let now = self.refresher.clock.now();
            let lane = self.lanes.entry(group.clone()).or_default();
            lane.rouse();
            lane.hear(now);
            self.plan(&group);
        }
        while let Ok(ended) = self.reports.try_recv() {
            self.ended(ended);
        }
    }

    fn ended(&mut self, ended: Ended) {
        let now = self.refresher.clock.now();
        let group = ended.entry.group.clone();
        if let Some(lane) = self.lanes.get_mut(&group) {
            lane.ended(ended.entry, ended.effect, ended.changes, now);
            self.plan(&group);
        }
    }

    /// Works on every lane whose instant has come.
    async fn work(&mut self) {
        let now = self.refresher.clock.now();
        while let Some((at, group)) = self.agenda.first().cloned() {
            if at > now {
                return;
            }
            if let Err(failure) = self.fill(&group, now).await {
                tracing::error!(server = group, %failure, "the index of due credentials can not be read, it is tried again");
                self.postpone(&group, now.plus(STORE.after(3, &group)));
                continue;
            }
            if let Some(lane) = self.lanes.get_mut(&group) {
                while let Some(entry) = lane.start(now) {
                    launch(&self.refresher, &self.report, entry, lane.changes());
                }
            }
            self.plan(&group);
        }
    }

    /// Takes up what is due, as far as there is room, and learns when there is more.
    async fn fill(&mut self, group: &str, now: Timestamp) -> Result<(), StorageError> {
        let Some(lane) = self.lanes.get_mut(group) else { return Ok(()) };
        if !lane.wants_more(now) {
            return Ok(());
        }
        let index = &self.refresher.store.due;
        // Those that are taken up still stand in the index, before the others or among them.
        let limit = lane.taken() + lane.room();
        let due = index.due(group, now, limit).await?;
        let more = due.len() == limit;
        for entry in due {
            lane.take(entry);
        }
        lane.next = if more {
            Some(now)
        } else {
            let beyond = index.due(group, FAR, lane.taken() + 1).await?;
            beyond.into_iter().map(|entry| entry.at).find(|at| *at > now)
        };
        Ok(())
    }

    /// Puts a lane on the agenda for when it, and its server's health, want to be looked at.
    fn plan(&mut self, group: &str) {
        let now = self.refresher.clock.now();
        let Some(lane) = self.lanes.get(group) else { return };
        let held = self.refresher.circuits.open_until(group, now).unwrap_or_default();
        let next = lane.wakes(now).map(|at| at.max(held)).filter(|at| *at < Timestamp::MAX);
        match next {
            Some(at) => self.postpone(group, at),
            None => self.strike(group),
        }
    }

    fn postpone(&mut self, group: &str, at: Timestamp) {
        self.strike(group);
        self.planned.insert(group.to_owned(), at);
        self.agenda.insert((at, group.to_owned()));
    }

    fn strike(&mut self, group: &str) {
        if let Some(at) = self.planned.remove(group) {
            self.agenda.remove(&(at, group.to_owned()));
        }
    }
}

/// Runs one entry in a task of its own.
fn launch(refresher: &Arc<Refresher>, report: &mpsc::UnboundedSender<Ended>, entry: DueEntry, changes: u64) {
    let (refresher, report) = (Arc::clone(refresher), report.clone());
    tokio::spawn(async move {
        let effect = run(&refresher, &entry).await.unwrap_or_else(|failure| {
            tracing::warn!(credential = entry.id, %failure, "a due credential could not be looked at");
            Effect::Unstored
        });
        // Nobody listens any more when the schedule was started anew: it has read the index again.
        let _ = report.send(Ended { entry, effect, changes });
    });
}

/// Refreshes what an entry stands for; an entry that its record does not know is dropped.
async fn run(refresher: &Arc<Refresher>, entry: &DueEntry) -> Result<Effect, StorageError> {
    let record = refresher.store.by_id(&entry.id).await?;
    let current = match record {
        Some(record)
            if record.due == Some(entry.at) && refresher.servers.id(&record.server)? == entry.group =>
        {
            record
        }
        other => {
            let mut changes = Changes::new();
            refresher.store.expect(&mut changes, &entry.id, other.as_ref())?;
            refresher.store.drop_entry(&mut changes, entry)?;
            return match refresher.store.commit(changes).await {
                Ok(_) => Ok(Effect::Stale),
                Err(StorageError::Conflict) => Ok(Effect::Untouched),
                Err(failure) => Err(failure),
            };
        }
    };
    let why = Why::Due { at: entry.at };
    let Some(flight) = refresher.refresh(&entry.id, current.generation, why) else {
        return Ok(Effect::Untouched);
    };
    Ok(flight.over().await.map_or(Effect::Unstored, |end| end.effect))
}
