//! Read, decide, commit, and again when someone else was first.

use vestal_logical::{Error, Kind};
use vestal_storage::StorageError;

/// How often a change is decided anew before the caller is told to try later. Someone succeeds each time we do not.
const ATTEMPTS: usize = 64;

/// A change that was decided on a record that has changed since.
pub(super) enum Lost {
    /// Decide anew.
    Race,
    /// Give up, for this reason.
    Failed(Error),
}

impl From<StorageError> for Lost {
    fn from(failure: StorageError) -> Self {
        match failure {
            StorageError::Conflict => Self::Race,
            other => Self::Failed(other.into()),
        }
    }
}

impl From<Error> for Lost {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Repeats `attempt` while it loses races. (An `async ||` closure would read better, but its future is not known to be
/// `Send`.)
pub(super) async fn repeat<T, A>(attempt: impl Fn() -> A) -> Result<T, Error>
where
    A: Future<Output = Result<T, Lost>>,
{
    for _ in 0..ATTEMPTS {
        match attempt().await {
            Ok(done) => return Ok(done),
            Err(Lost::Race) => tokio::task::yield_now().await,
            Err(Lost::Failed(error)) => return Err(error),
        }
    }
    Err(Error::new(Kind::Unavailable, "too many writers change this secret at once, try again"))
}
