//! A token is presented: is it alive, and is this its last use?

use std::sync::Arc;
use std::time::Duration;

use vestal_crypto::SecretString;
use vestal_logical::{Error, Timestamp};
use vestal_storage::{Changes, StorageError};

use super::entry::{Fate, Presented, Revocation, TokenEntry};
use super::store::{Found, TRIES, TokenStore, id_place, revocations_place, too_much_traffic};

/// How long the removal of a token waits for the calls that it let in: longer than calls last.
const OTHERS: Duration = Duration::from_secs(120);

impl TokenStore {
    /// Finds the living token and spends one use of it. A token without a limit costs no storage once it is in memory.
    /// Unknown, dead, expired and used-up tokens are the same to the caller.
    pub(crate) async fn authenticate(
        &self,
        token: &SecretString,
        now: Timestamp,
    ) -> Result<Presented, Error> {
        let id = self.id_of(token)?;
        let found = self.find(&id).await?.filter(|found| found.entry.alive(now));
        let entry = found.ok_or_else(Error::unauthenticated)?.entry;
        if self.outlived(&entry, now).await? {
            return Err(Error::unauthenticated());
        }
        if entry.num_uses == 0 {
            return Ok(Presented { entry, last_use: false, in_use: None });
        }
        self.spend(&id, now).await
    }

    /// Removes a token whose last use is over, and all that hangs on it: at once, or behind the other calls that it let in.
    /// Nobody waits for those, since the token is refused already, and a crash in between is made up for at the start.
    pub(crate) async fn remove_spent(self: &Arc<Self>, presented: &Presented) {
        match &presented.in_use {
            Some(in_use) if in_use.is_shared() => {
                let (store, presented, in_use) = (Arc::clone(self), presented.clone(), Arc::clone(in_use));
                tokio::spawn(async move {
                    in_use.alone(store.clock.as_ref(), store.clock.now().plus(OTHERS)).await;
                    store.take_away(&presented).await;
                });
            }
            _ => self.take_away(presented).await,
        }
    }

    async fn take_away(&self, presented: &Presented) {
        if let Err(error) = self.revoke(&presented.entry.id).await {
            tracing::error!(%error, "a token whose uses are spent could not be revoked; it is refused all the same");
        }
    }

    async fn spend(&self, id: &str, now: Timestamp) -> Result<Presented, Error> {
        let lane = id.bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        let lock = self.spenders.get(lane % self.spenders.len().max(1)).ok_or_else(too_much_traffic)?;
        let _turn = lock.lock().await;
        for _ in 0..TRIES {
            let found = self.read(id).await?.filter(|found| found.entry.alive(now));
            let found = found.ok_or_else(Error::unauthenticated)?;
            match self.spend_one(&found).await {
                Ok(entry) => {
                    // Still in turn: so whoever has the last use sees all who paid before.
                    let in_use = Some(self.crowd.enter(id));
                    return Ok(Presented { last_use: entry.spent, entry: Arc::new(entry), in_use });
                }
                Err(StorageError::Conflict) => tokio::task::yield_now().await,
                Err(error) => return Err(error.into()),
            }
        }
        Err(too_much_traffic())
    }

    /// Takes one use, or with the last one begins the revocation: should the process die now, the next one ends it.
    async fn spend_one(&self, found: &Found) -> Result<TokenEntry, StorageError> {
        let mut entry = TokenEntry::clone(&found.entry);
        let place = id_place(&entry.id);
        let mut changes = Changes::new();
        entry.num_uses = entry.num_uses.saturating_sub(1);
        if entry.num_uses == 0 {
            entry.spent = true;
            entry.revoking = true;
            let revocation = Revocation { fate: Fate::Tree };
            changes.put(&self.view, &revocations_place().plain(&entry.id), &revocation)?;
        }
        changes.reserved().put(&self.view, &place, &entry)?;
        changes.expect(&self.view, &place, found.stamp)?;
        self.barrier.commit(changes).await?;
        Ok(entry)
    }
}
