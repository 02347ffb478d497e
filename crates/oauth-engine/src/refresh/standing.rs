//! Tells a reader of a credential that may not be refreshed whether its server can be used at all (row X17).
//!
//! Invariants: nobody is called; a record is written only when what it says of its server is news.

use vestal_logical::Error;
use vestal_storage::{Changes, Stamped, StorageError};

use super::refresher::{OTHER_ORIGIN, Refresher};
use crate::credential::record::Credential;
use crate::credential::state::State;
use crate::server::{Server, ServerProblem};

impl Refresher {
    /// The credential with what is wrong with its server now, or without what was. Absent when it was deleted.
    pub(crate) async fn with_server_noted(
        &self,
        id: &str,
        seen: Credential,
    ) -> Result<Option<Credential>, Error> {
        if !waits(&seen) {
            return Ok(Some(seen));
        }
        let found = match self.servers.get(&seen.server).await {
            Ok(server) => elsewhere(&seen, &server),
            Err(ServerProblem::Storage(failure)) => return Err(failure.into()),
            Err(problem) => Some(problem.to_string()),
        };
        if seen.trouble.server == found {
            return Ok(Some(seen));
        }
        let Some(old) = self.store.by_id(id).await? else { return Ok(None) };
        if old.generation != seen.generation || !waits(&old) {
            return Ok(Some(old.value));
        }
        let mut noted = old.value.clone();
        match found {
            Some(text) => noted.server_trouble(&text, self.clock.now()),
            None => noted.trouble.server = None,
        }
        match self.note(id, &old, &noted).await {
            // Whoever was first may have more to tell; the next reader hears it.
            Ok(()) | Err(StorageError::Conflict) => Ok(Some(noted)),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Stores what a reader hears. When the store does not take it the reader hears it all the same.
    pub(super) async fn note(
        &self,
        id: &str,
        old: &Stamped<Credential>,
        noted: &Credential,
    ) -> Result<(), StorageError> {
        let mut changes = Changes::new();
        self.store.replace(&mut changes, id, Some(old), Some(noted))?;
        match self.store.commit(changes).await {
            Err(StorageError::Conflict) => Err(StorageError::Conflict),
            Err(failure) => {
                tracing::warn!(credential = id, %failure, "a server's trouble could not be noted");
                Ok(())
            }
            Ok(_) => Ok(()),
        }
    }
}

/// What has a refresh token that may not be presented as things are.
fn waits(record: &Credential) -> bool {
    matches!(record.state, State::Parked(_) | State::Broken(_))
}

/// What a credential says that waits for its server, when that is not where it was.
fn elsewhere(record: &Credential, server: &Server) -> Option<String> {
    let parked = matches!(record.state, State::Parked(_));
    (parked && server.provider.origin() != record.origin).then(|| OTHER_ORIGIN.to_owned())
}
