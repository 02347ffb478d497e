//! The states of a credential, and every legal step from one to another as a row of one table.
//!
//! What is stored is a [`State`]. A credential with an open intent is refreshing, whatever its stored state; so a
//! refresh costs one small record, not a rewrite of the credential.
//!
//! ```text
//!             connect                       began                issued
//!   (absent) ─────────▶ live, idle   live ────────▶ refreshing ─────────▶ live, idle
//!                                      ▲              │  │  │  answer lost
//!                         not spent ───┴──────────────┘  │  └────────────▶ in doubt ──began──▶ refreshing
//!                                                        │ refused                             (once more)
//!   any ──delete──▶ (absent)   any ──connect──▶ live     └─────▶ broken
//!   live, in doubt, refreshing ──server unusable for it──▶ parked ──server rewritten──▶ live, in doubt
//! ```
//!
//! Invariants: a step that is no row fails the test that makes it, and is refused in release. Only connecting leaves
//! `Broken`. Knows nothing of records or storage.

use serde::{Deserialize, Serialize};

/// What is stored about where a credential stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum State {
    /// Kept fresh.
    Live,
    /// Good while it lasts: it has no refresh token, or never expires.
    Idle,
    /// A refresh token was presented and no answer is known; an intent says when and how often.
    InDoubt,
    /// Waits for its server's settings to change.
    Parked(ParkedBy),
    /// Will not recover by itself; only connecting anew helps.
    Broken(BrokenBy),
}

/// What a parked credential waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ParkedBy {
    /// The server's token endpoint lies at another origin than the one that issued the credential.
    Origin,
    /// The provider says that the request as the server's settings make it is wrong; the settings' revision.
    Settings(u64),
}

/// Why a credential is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum BrokenBy {
    /// The provider refused the refresh token for good.
    Rejected,
    /// An answer was lost, and with it, as it turned out, the refresh token.
    AmbiguousRotation,
}

/// Where a credential stands, its intent included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Absent,
    Live,
    Idle,
    Refreshing,
    InDoubt,
    Parked,
    Broken,
}

/// What moves a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// A grant was accepted and can be refreshed.
    Connected,
    /// A grant was accepted and needs no refresh, or allows none.
    ConnectedIdle,
    /// An intent was committed.
    Began,
    /// A new token set came, to be refreshed again.
    Issued,
    /// A new token set came that needs no refresh.
    IssuedIdle,
    /// The attempt failed and spent nothing.
    Unspent,
    /// The attempt failed and spent nothing, but an earlier answer is still unknown.
    UnspentInDoubt,
    /// The answer was lost.
    AnswerLost,
    /// The provider refused for good, or the last allowed answer was lost.
    GivenUp,
    /// The server cannot be used for it.
    Parked,
    /// The server was rewritten.
    Woken,
    /// The server was rewritten, and an earlier answer is still unknown.
    WokenInDoubt,
    /// A crash between presenting and recording was found at start.
    Interrupted,
    /// Deleted.
    Deleted,
}

/// Every legal step.
const STEPS: &[(Phase, Event, Phase)] = &[
    (Phase::Absent, Event::Connected, Phase::Live),
    (Phase::Live, Event::Connected, Phase::Live),
    (Phase::Idle, Event::Connected, Phase::Live),
    (Phase::Refreshing, Event::Connected, Phase::Live),
    (Phase::InDoubt, Event::Connected, Phase::Live),
    (Phase::Parked, Event::Connected, Phase::Live),
    (Phase::Broken, Event::Connected, Phase::Live),
    (Phase::Absent, Event::ConnectedIdle, Phase::Idle),
    (Phase::Live, Event::ConnectedIdle, Phase::Idle),
    (Phase::Idle, Event::ConnectedIdle, Phase::Idle),
    (Phase::Refreshing, Event::ConnectedIdle, Phase::Idle),
    (Phase::InDoubt, Event::ConnectedIdle, Phase::Idle),
    (Phase::Parked, Event::ConnectedIdle, Phase::Idle),
    (Phase::Broken, Event::ConnectedIdle, Phase::Idle),
    (Phase::Live, Event::Began, Phase::Refreshing),
    (Phase::InDoubt, Event::Began, Phase::Refreshing),
    (Phase::Refreshing, Event::Issued, Phase::Live),
    (Phase::Refreshing, Event::IssuedIdle, Phase::Idle),
    (Phase::Refreshing, Event::Unspent, Phase::Live),
    (Phase::Refreshing, Event::UnspentInDoubt, Phase::InDoubt),
    (Phase::Refreshing, Event::AnswerLost, Phase::InDoubt),
    (Phase::Refreshing, Event::GivenUp, Phase::Broken),
    (Phase::Refreshing, Event::Parked, Phase::Parked),
    (Phase::Refreshing, Event::Interrupted, Phase::InDoubt),
    (Phase::InDoubt, Event::GivenUp, Phase::Broken),
    (Phase::Live, Event::Parked, Phase::Parked),
    (Phase::InDoubt, Event::Parked, Phase::Parked),
    (Phase::Parked, Event::Woken, Phase::Live),
    (Phase::Parked, Event::WokenInDoubt, Phase::InDoubt),
    (Phase::Live, Event::Deleted, Phase::Absent),
    (Phase::Idle, Event::Deleted, Phase::Absent),
    (Phase::Refreshing, Event::Deleted, Phase::Absent),
    (Phase::InDoubt, Event::Deleted, Phase::Absent),
    (Phase::Parked, Event::Deleted, Phase::Absent),
    (Phase::Broken, Event::Deleted, Phase::Absent),
];

/// A step that is no row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no credential goes from {from:?} by {event:?}")]
pub(crate) struct IllegalStep {
    from: Phase,
    event: Event,
}

/// Where `event` leads, or that it leads nowhere.
pub(crate) fn lookup(from: Phase, event: Event) -> Result<Phase, IllegalStep> {
    STEPS
        .iter()
        .find(|(before, what, _)| *before == from && *what == event)
        .map(|(_, _, after)| *after)
        .ok_or(IllegalStep { from, event })
}

/// Where `event` leads. A step that is no row is a mistake in this program: it fails the test that makes it.
pub(crate) fn step(from: Phase, event: Event) -> Result<Phase, IllegalStep> {
    let after = lookup(from, event);
    debug_assert!(after.is_ok(), "{after:?}");
    after
}

impl State {
    /// Where a credential stands that has no open intent.
    pub(crate) fn phase(self) -> Phase {
        match self {
            Self::Live => Phase::Live,
            Self::Idle => Phase::Idle,
            Self::InDoubt => Phase::InDoubt,
            Self::Parked(_) => Phase::Parked,
            Self::Broken(_) => Phase::Broken,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHASES: [Phase; 7] = [
        Phase::Absent,
        Phase::Live,
        Phase::Idle,
        Phase::Refreshing,
        Phase::InDoubt,
        Phase::Parked,
        Phase::Broken,
    ];
    const EVENTS: [Event; 14] = [
        Event::Connected,
        Event::ConnectedIdle,
        Event::Began,
        Event::Issued,
        Event::IssuedIdle,
        Event::Unspent,
        Event::UnspentInDoubt,
        Event::AnswerLost,
        Event::GivenUp,
        Event::Parked,
        Event::Woken,
        Event::WokenInDoubt,
        Event::Interrupted,
        Event::Deleted,
    ];

    #[test]
    fn each_step_has_one_row_and_all_others_are_refused() {
        let mut legal = 0;
        for from in PHASES {
            for event in EVENTS {
                let rows = STEPS.iter().filter(|row| row.0 == from && row.1 == event).count();
                assert!(rows <= 1, "{from:?} by {event:?} has {rows} rows");
                assert_eq!(lookup(from, event).is_ok(), rows == 1);
                legal += rows;
            }
        }
        assert_eq!(legal, STEPS.len(), "a row names a phase or an event that this test does not know");
    }

    #[test]
    fn only_connecting_and_deleting_leave_what_is_broken() {
        let ways: Vec<Event> =
            EVENTS.into_iter().filter(|event| lookup(Phase::Broken, *event).is_ok()).collect();
        assert_eq!(ways, [Event::Connected, Event::ConnectedIdle, Event::Deleted]);
    }

    #[test]
    fn whatever_is_present_can_be_connected_anew_and_deleted() {
        for from in PHASES {
            assert_eq!(lookup(from, Event::Connected), Ok(Phase::Live), "{from:?}");
            assert_eq!(lookup(from, Event::ConnectedIdle), Ok(Phase::Idle), "{from:?}");
            assert_eq!(lookup(from, Event::Deleted).is_ok(), from != Phase::Absent, "{from:?}");
        }
    }

    #[test]
    #[should_panic(expected = "IllegalStep")]
    #[cfg(debug_assertions)]
    fn a_step_that_is_no_row_fails_the_test_that_makes_it() {
        let _ = step(Phase::Idle, Event::Began);
    }
}
