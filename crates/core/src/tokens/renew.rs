//! Renewing: a later end, never beyond what the token may reach.

use std::sync::Arc;

use vestal_logical::{Error, Timestamp};
use vestal_storage::{Changes, StorageError};

use super::entry::TokenEntry;
use super::lifetime::Lifetime;
use super::store::{Found, TRIES, TokenStore, id_place, too_much_traffic};

/// A token with its new end.
pub(crate) struct Renewed {
    pub(crate) entry: Arc<TokenEntry>,
    pub(crate) warning: Option<String>,
}

impl TokenStore {
    /// Grants `increment` seconds from now (0: what was granted last), within the mount's maximum.
    pub(crate) async fn renew(
        &self,
        id: &str,
        increment: u64,
        mount_max: u64,
        now: Timestamp,
    ) -> Result<Renewed, Error> {
        for _ in 0..TRIES {
            let found = self.read(id).await?.filter(|found| found.entry.alive(now));
            let found = found.ok_or_else(|| Error::invalid("token not found"))?;
            refuse_unrenewable(&found.entry)?;
            let lifetime = Lifetime::at_renewal(&found.entry, increment, mount_max, now)?;
            match self.prolong(&found, &lifetime, mount_max, now).await {
                Ok(entry) => return Ok(Renewed { entry: Arc::new(entry), warning: lifetime.warning }),
                Err(StorageError::Conflict) => tokio::task::yield_now().await,
                Err(error) => return Err(error.into()),
            }
        }
        Err(too_much_traffic())
    }

    async fn prolong(
        &self,
        found: &Found,
        lifetime: &Lifetime,
        mount_max: u64,
        now: Timestamp,
    ) -> Result<TokenEntry, StorageError> {
        let mut entry = TokenEntry::clone(&found.entry);
        let mut changes = Changes::new();
        if let Some(due) = entry.due() {
            self.due.remove(&mut changes, &due)?;
        }
        entry.expires = Some(lifetime.end(&entry, mount_max, now));
        entry.granted = lifetime.ttl;
        entry.last_renewal = Some(now);
        let place = id_place(&entry.id);
        changes.put(&self.view, &place, &entry)?.expect(&self.view, &place, found.stamp)?;
        if let Some(due) = entry.due() {
            self.due.add(&mut changes, &due)?;
            self.barrier.commit(changes).await?;
            self.wake_for(due.at);
        }
        Ok(entry)
    }
}

fn refuse_unrenewable(entry: &TokenEntry) -> Result<(), Error> {
    if entry.initial() {
        return Err(Error::invalid("invalid lease ID"));
    }
    if !entry.renewable || entry.expires.is_none() {
        return Err(Error::invalid("lease is not renewable"));
    }
    Ok(())
}
