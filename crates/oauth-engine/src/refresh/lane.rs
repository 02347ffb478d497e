//! One server's part of the schedule: what of its index is taken up, what runs, and how fast it may go.
//!
//! A lane takes up a bounded number of entries and runs a bounded number of them: few at first, more with each success,
//! half after a failure that is the server's. So a hundred thousand that are due at once reach the provider as a steady
//! row, and a server that hangs holds up only its own.
//!
//! Invariants: an entry is taken up once at a time; never more than [`RATE`] starts a second. Knows nothing of storage.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use vestal_logical::{DueEntry, Timestamp};

use super::backoff::CREDENTIAL;
use super::end::Effect;

/// Entries that a lane takes up at most: running, queued and resting.
pub(crate) const TAKEN: usize = 512;
/// What runs at first, and at most.
const WINDOW: std::ops::RangeInclusive<usize> = 4..=64;
/// A server that was missing or unusable is looked at again after this, though nobody changed it: its name may have led
/// elsewhere for a while.
const IDLE: Duration = Duration::from_mins(10);
/// Starts in a second.
pub(crate) const RATE: u32 = 400;

/// The work of one server.
#[derive(Default)]
pub(crate) struct Lane {
    /// The earliest instant at which the index may hold something that is not taken up.
    pub(crate) next: Option<Timestamp>,
    taken: BTreeSet<(Timestamp, String)>,
    queue: VecDeque<DueEntry>,
    /// Taken up in vain; tried again at that instant.
    resting: BTreeMap<(Timestamp, String), DueEntry>,
    vain: BTreeMap<String, u32>,
    running: usize,
    window: usize,
    /// The server is missing or unusable: until it changes, nothing runs before that instant.
    idle: Option<Timestamp>,
    /// How often it changed, so that what was found before is not held against it after.
    changes: u64,
    starts: Starts,
}

/// A bucket that holds a second's worth of starts at most, and starts with a tenth of it.
#[derive(Default)]
struct Starts {
    left: u32,
    since: Timestamp,
}

impl Starts {
    fn refill(&mut self, now: Timestamp) {
        // The clock may have been set back.
        self.since = self.since.min(now);
        let tick = Duration::from_millis(100);
        let ticks = now.since(self.since).as_millis() / tick.as_millis();
        if ticks > 0 {
            let more = u32::try_from(ticks).unwrap_or(u32::MAX).saturating_mul(RATE / 10);
            self.left = self.left.saturating_add(more).min(RATE / 10);
            self.since = now;
        }
    }

    fn next(&self) -> Timestamp {
        self.since.plus(Duration::from_millis(100))
    }
}

impl Lane {
    /// How many more entries may be taken up.
    pub(crate) fn room(&self) -> usize {
        TAKEN.saturating_sub(self.taken.len())
    }

    /// Whether to look for more: when there is something, and enough room for it to be worth reading past what is taken
    /// up already.
    pub(crate) fn wants_more(&self, now: Timestamp) -> bool {
        self.more().is_some_and(|at| at <= now)
    }

    fn more(&self) -> Option<Timestamp> {
        let worth = self.room() >= TAKEN / 4 || self.queue.is_empty() && self.room() > 0;
        self.next.filter(|_| worth && self.idle.is_none())
    }

    /// How many are taken up.
    pub(crate) fn taken(&self) -> usize {
        self.taken.len()
    }

    /// Takes an entry up, unless it is already.
    pub(crate) fn take(&mut self, entry: DueEntry) -> bool {
        let fresh = self.taken.insert((entry.at, entry.id.clone()));
        if fresh {
            self.queue.push_back(entry);
        }
        fresh
    }

    /// There is an entry at this instant.
    pub(crate) fn hear(&mut self, at: Timestamp) {
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
    }

    /// What may start now.
    pub(crate) fn start(&mut self, now: Timestamp) -> Option<DueEntry> {
        self.wake(now);
        self.starts.refill(now);
        self.idle = self.idle.filter(|until| *until > now);
        if self.idle.is_some() || self.running >= self.width() || self.starts.left == 0 {
            return None;
        }
        let entry = self.queue.pop_front()?;
        self.running += 1;
        self.starts.left -= 1;
        Some(entry)
    }

    /// An entry's work is over that was started when the server had changed so often.
    pub(crate) fn ended(&mut self, entry: DueEntry, effect: Effect, changes: u64, now: Timestamp) {
        self.running = self.running.saturating_sub(1);
        let window = self.width();
        match effect {
            Effect::Issued => self.window = (window + 1).min(*WINDOW.end()),
            Effect::Failed => self.window = (window / 2).max(1),
            Effect::NoServer if changes == self.changes => self.idle = Some(now.plus(IDLE)),
            Effect::NoServer
            | Effect::Judged
            | Effect::Untouched
            | Effect::Moved
            | Effect::Stale
            | Effect::Unstored => {}
        }
        if matches!(effect, Effect::Untouched | Effect::NoServer | Effect::Unstored) {
            // The entry is where it was: looking at it at once again would be a circle.
            let vain = self.vain.entry(entry.id.clone()).or_default();
            *vain += 1;
            let until = now.plus(CREDENTIAL.after(*vain, &entry.id));
            self.resting.insert((until, entry.id.clone()), entry);
        } else {
            self.vain.remove(&entry.id);
            // It may have been put back at the very same instant while it counted as taken up.
            if effect != Effect::Issued {
                self.hear(entry.at);
            }
            self.taken.remove(&(entry.at, entry.id));
        }
    }

    /// The server changed or proved to be well: nothing rests.
    pub(crate) fn rouse(&mut self) {
        self.idle = None;
        self.changes += 1;
        self.vain.clear();
        let resting = std::mem::take(&mut self.resting);
        self.queue.extend(resting.into_values());
    }

    /// When there may be something to do, if nothing ends before.
    pub(crate) fn wakes(&self, now: Timestamp) -> Option<Timestamp> {
        if self.idle.is_some() {
            return self.idle;
        }
        let rested = self.resting.keys().next().map(|(until, _)| *until);
        let free = self.running < self.width();
        let queued = (!self.queue.is_empty() && free)
            .then(|| if self.starts.left > 0 { now } else { self.starts.next() });
        [rested, queued, self.more()].into_iter().flatten().min()
    }

    /// Whether it waits for its server.
    pub(crate) fn is_idle(&self) -> bool {
        self.idle.is_some()
    }

    /// How often the server changed.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// How many may run at once.
    fn width(&self) -> usize {
        if self.window == 0 { *WINDOW.start() } else { self.window }
    }

    fn wake(&mut self, now: Timestamp) {
        while let Some(first) = self.resting.first_entry() {
            if first.key().0 > now {
                return;
            }
            let entry = first.remove();
            self.queue.push_back(entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(n: u64) -> DueEntry {
        DueEntry { group: "s".to_owned(), at: Timestamp::from_seconds(1), id: format!("{n:04}") }
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + millis)
    }

    fn started(lane: &mut Lane, now: Timestamp) -> Vec<DueEntry> {
        std::iter::from_fn(|| lane.start(now)).collect()
    }

    #[test]
    fn an_entry_is_taken_up_once_at_a_time() {
        let mut lane = Lane::default();
        assert!(lane.take(entry(1)) && !lane.take(entry(1)));
        let running = started(&mut lane, at(0));
        assert_eq!(running.len(), 1);
        assert!(!lane.take(entry(1)), "it runs");
        lane.ended(entry(1), Effect::Issued, 0, at(1));
        assert!(lane.take(entry(1)), "it may come again");
    }

    #[test]
    fn a_lane_starts_slowly_widens_with_success_and_narrows_with_failure() {
        let mut lane = Lane::default();
        for n in 0..500 {
            lane.take(entry(n));
        }
        let first = started(&mut lane, at(0));
        assert_eq!(first.len(), 4);
        for one in first {
            lane.ended(one, Effect::Issued, 0, at(10));
        }
        let second = started(&mut lane, at(10));
        assert_eq!(second.len(), 8);
        for one in second.into_iter().take(3) {
            lane.ended(one, Effect::Failed, 0, at(20));
        }
        assert_eq!(lane.window, 1);
    }

    #[test]
    fn starts_in_a_second_are_bounded_however_fast_answers_come() {
        let mut lane = Lane::default();
        let mut starts = 0;
        for tick in 0..1000 {
            while lane.room() > 0 {
                lane.take(entry(tick * 10_000 + lane.taken() as u64));
            }
            let now = at(i64::try_from(tick).unwrap());
            while let Some(one) = lane.start(now) {
                starts += 1;
                lane.ended(one, Effect::Issued, 0, now);
            }
        }
        assert!(starts > RATE / 2 && starts <= RATE + RATE / 10, "{starts}");
    }

    #[test]
    fn what_was_taken_up_in_vain_rests_before_it_is_tried_again() {
        let mut lane = Lane::default();
        lane.take(entry(1));
        let one = lane.start(at(0)).unwrap();
        lane.ended(one, Effect::Untouched, 0, at(0));
        assert_eq!(lane.start(at(100)), None);
        let wake = lane.wakes(at(100)).unwrap();
        assert!(wake > at(1000));
        assert!(lane.start(wake).is_some());
    }

    #[test]
    fn a_lane_without_server_does_nothing_until_it_is_roused_or_ten_minutes_are_over() {
        let mut lane = Lane::default();
        for n in 0..2 {
            lane.take(entry(n));
        }
        let one = lane.start(at(0)).unwrap();
        lane.ended(one, Effect::NoServer, 0, at(0));
        assert_eq!((lane.start(at(500_000)), lane.wakes(at(500_000))), (None, Some(at(600_000))));
        lane.rouse();
        assert_eq!(started(&mut lane, at(500_000)).len(), 2);
        // It was started before the server changed.
        lane.ended(entry(0), Effect::NoServer, 0, at(500_000));
        assert!(!lane.is_idle());
        lane.ended(entry(1), Effect::NoServer, 1, at(500_000));
        assert!(lane.is_idle());
        assert_eq!(started(&mut lane, at(1_100_000)).len(), 2);
    }

    #[test]
    fn a_clock_that_is_set_back_stops_no_lane() {
        let mut lane = Lane::default();
        let mut now = at(10_000_000);
        for n in 0..100 {
            lane.take(entry(n));
        }
        while let Some(one) = lane.start(now) {
            lane.ended(one, Effect::Issued, 0, now);
        }
        now = at(0);
        assert!(lane.start(now).is_none() && lane.start(at(100)).is_some());
    }
}
