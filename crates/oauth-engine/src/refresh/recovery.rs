//! What becomes of a refresh token that may be spent: when it may be presented once more, and what a start finds.
//!
//! | rotation | an answer in doubt |
//! |---|---|
//! | reusable | presented again |
//! | grace | presented again at once and, after growing waits, while the grace lasts; else as single |
//! | single | once more, at the last moment of the old access token |
//! | unknown | once more, at once if it is younger than a minute, else at that last moment |
//!
//! Invariants: outside a provider's own grace no token is presented a third time; a start reads as many intents as there
//! were refreshes under way, and calls nobody. Knows nothing of providers' answers.

use std::time::Duration;

use vestal_logical::{Error, Kind, Timestamp};
use vestal_storage::{Changes, StorageError};

use super::refresher::Refresher;
use crate::credential::intent::Intent;
use crate::credential::record::{Credential, LEAST_DELTA};
use crate::credential::state::{Event, Phase, State, step};
use crate::credential::store::{Found, whole};
use crate::providers::Rotation;

/// How long an unknown provider is trusted to forgive.
const YOUNG: Duration = Duration::from_mins(1);
/// The last moment is this much before the old access token stops being handed out.
const MARGIN: Duration = Duration::from_secs(10);
/// The first wait between presentations within a grace.
const GRACE_STEP: Duration = Duration::from_secs(1);
/// Intents read at a time.
const PAGE: usize = 256;

/// When a token in doubt may be presented again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replay {
    At(Timestamp),
    Never,
}

/// The rule of the table above.
pub(crate) fn replay(rotation: Rotation, intent: &Intent, record: &Credential, now: Timestamp) -> Replay {
    let again = intent.presentations;
    let at_the_end = || if again < 2 { Replay::At(last_moment(record, now)) } else { Replay::Never };
    match rotation {
        Rotation::Reusable => Replay::At(now),
        Rotation::Grace(grace) => {
            let wait = match again {
                0 | 1 => Duration::ZERO,
                more => GRACE_STEP.saturating_mul(1 << (more - 2).min(16)),
            };
            let at = intent.presented.plus(wait).max(now);
            if at < intent.started.plus(grace) { Replay::At(at) } else { at_the_end() }
        }
        Rotation::Unknown if again < 2 && now.since(intent.started) < YOUNG => Replay::At(now),
        Rotation::Single | Rotation::Unknown => at_the_end(),
    }
}

/// Just before the old access token is no longer handed out; now, when that has passed.
fn last_moment(record: &Credential, now: Timestamp) -> Timestamp {
    let end = record.life().map_or(now, |(_, end)| end);
    end.minus(LEAST_DELTA).minus(MARGIN).max(now)
}

/// Puts in doubt what a crash interrupted, and finds handed-in tokens that were not accepted yet.
pub(crate) async fn recover(refresher: &Refresher) -> Result<Vec<Found>, Error> {
    let mut candidates = Vec::new();
    let mut interrupted = 0_usize;
    let mut after = None;
    loop {
        let (found, next) = refresher.store.intents(after.as_ref(), PAGE).await?;
        for one in found {
            if one.intent.candidate.is_some() {
                candidates.push(one);
            } else if !one.intent.doubtful {
                match doubt(refresher, &one).await {
                    Ok(counts) => interrupted += usize::from(counts),
                    Err(failure) if matches!(failure.kind(), Kind::Sealed | Kind::Standby) => {
                        return Err(failure);
                    }
                    // The intent says the same unmarked, whenever the credential is looked at: one that cannot be
                    // written or read keeps no house sealed.
                    Err(failure) => {
                        tracing::error!(credential = one.id, %failure, "an interrupted refresh could not be marked");
                    }
                }
            }
        }
        after = match next {
            Some(next) => Some(next),
            None => break,
        };
    }
    if interrupted + candidates.len() > 0 {
        tracing::warn!(
            interrupted,
            candidates = candidates.len(),
            "refreshes were under way when the engine last stopped, their answers are unknown"
        );
    }
    Ok(candidates)
}

/// Marks one interrupted refresh as doubtful, due when it may be presented again.
async fn doubt(refresher: &Refresher, found: &Found) -> Result<bool, Error> {
    let Found { id, intent } = found;
    let current = refresher.store.by_id(id).await?;
    let Some(old) = current.filter(|record| record.generation == intent.generation) else {
        let mut changes = Changes::new();
        refresher.store.end_intent(&mut changes, id, intent)?;
        changes.reserved();
        refresher.store.commit(changes).await?;
        return Ok(false);
    };
    let now = refresher.clock.now();
    let rotation = refresher.rotation(&old.server).await?;
    let floor = refresher.floor().await?;
    let mut record = old.value.clone();
    let at = match replay(rotation, intent, &record, now) {
        Replay::At(at) => at,
        // The next look at it gives it up, with all that belongs to that.
        Replay::Never => now,
    };
    if !matches!(record.state, State::Parked(_)) {
        step(Phase::Refreshing, Event::Interrupted).map_err(Error::internal)?;
        record.state = State::InDoubt;
        record.due = if floor.reads_only() { None } else { Some(whole(at)) };
    }
    tracing::warn!(credential = id, "a refresh was interrupted, its token may be spent");
    let marked = Intent { doubtful: true, ..intent.value.clone() };
    let mut changes = Changes::new();
    refresher.store.replace(&mut changes, id, Some(&old), Some(&record))?;
    refresher.store.put_intent(&mut changes, id, Some(intent), &marked)?;
    changes.reserved();
    refresher.store.commit(changes).await?;
    Ok(true)
}

impl Refresher {
    /// What is known of a server's refresh tokens; nothing when it cannot be used.
    async fn rotation(&self, server: &str) -> Result<Rotation, StorageError> {
        use crate::server::ServerProblem;
        match self.servers.get(server).await {
            Ok(server) => Ok(server.provider.rotation()),
            Err(ServerProblem::Storage(failure)) => Err(failure),
            Err(ServerProblem::Missing | ServerProblem::Unusable(_)) => Ok(Rotation::Unknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::record::Terms;
    use crate::providers::{Issued, Life, Options, TokenSet};

    const ISSUED: Timestamp = Timestamp::from_seconds(1_000_000);

    fn at(seconds: u64) -> Timestamp {
        ISSUED.plus(Duration::from_secs(seconds))
    }

    /// Issued at 0 for an hour.
    fn record() -> Credential {
        let terms = Terms {
            generation: 1,
            server: "s".to_owned(),
            origin: "o".to_owned(),
            cap: 0,
            options: Options::new(),
        };
        let tokens = TokenSet {
            access_token: "a".into(),
            token_type: "Bearer".to_owned(),
            refresh_token: Some("r".into()),
            expires_in: Some(Life::Seconds(3600)),
            extra: None,
        };
        let issued = Issued { tokens, learned: None, warning: None };
        Credential::connected(terms, &issued, None, ISSUED, ISSUED)
    }

    fn intent(presentations: u32, started: u64, presented: u64) -> Intent {
        Intent {
            generation: 1,
            version: 1,
            attempt: 1,
            nonce: 1,
            epoch: 1,
            started: at(started),
            presented: at(presented),
            presentations,
            doubtful: true,
            candidate: None,
        }
    }

    #[test]
    fn a_token_in_doubt_is_presented_again_as_its_rotation_allows() {
        let last = Replay::At(at(3580));
        let now = |seconds| Replay::At(at(seconds));
        let grace = Rotation::Grace(Duration::from_secs(30));
        let cases = [
            // rotation, presentations, first, last, now, expected
            (Rotation::Reusable, 1, 3200, 3200, 3201, now(3201)),
            (Rotation::Reusable, 9, 3200, 3201, 3900, now(3900)),
            (grace, 1, 3200, 3200, 3201, now(3201)),
            (grace, 2, 3200, 3201, 3201, now(3202)),
            (grace, 3, 3200, 3202, 3203, now(3204)),
            (grace, 3, 3200, 3202, 3229, now(3229)),
            (grace, 6, 3200, 3220, 3221, Replay::Never),
            (grace, 2, 3200, 3201, 3230, Replay::Never),
            (grace, 1, 3200, 3200, 3230, last),
            (Rotation::Single, 1, 3200, 3200, 3201, last),
            (Rotation::Single, 1, 3200, 3200, 3590, now(3590)),
            (Rotation::Single, 2, 3200, 3580, 3581, Replay::Never),
            (Rotation::Unknown, 1, 3200, 3200, 3259, now(3259)),
            (Rotation::Unknown, 1, 3200, 3200, 3260, last),
            (Rotation::Unknown, 1, 3200, 3200, 9999, now(9999)),
            (Rotation::Unknown, 2, 3200, 3201, 3202, Replay::Never),
        ];
        for (rotation, presentations, first, latest, instant, expected) in cases {
            let found = replay(rotation, &intent(presentations, first, latest), &record(), at(instant));
            assert_eq!(found, expected, "{rotation:?}, presented {presentations} times, at {instant}");
        }
    }
}
