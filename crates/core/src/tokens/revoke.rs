//! Revoking: a token and all that hangs on it, or a token alone.
//!
//! The first batch marks the token `revoking` and notes the revocation, so it is dead at once, gets no more children and
//! no more records in its cubbyhole, and the walk is resumed should the process die. A child is marked before its own
//! children are looked for, and a node goes when it has none left, so the note at the root goes last.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use vestal_logical::Error;
use vestal_storage::{Changes, StorageError};

use super::entry::{Fate, Revocation, TokenEntry};
use super::store::{
    Found, TRIES, TokenStore, accessor_place, child_place, children_place, id_place, revocations_place,
    too_much_traffic,
};

/// How many tokens are handled together.
const PAGE: usize = 128;

impl TokenStore {
    /// Revokes a token with its whole tree. Nothing there is fine. When this returns nothing of the tree is left.
    pub(crate) async fn revoke(&self, id: &str) -> Result<(), Error> {
        let done = match self.condemn(id, Fate::Tree).await {
            Ok(true) => self.fell(id).await,
            Ok(false) => Ok(()),
            Err(error) => Err(error),
        };
        if done.is_err() {
            self.finish_later();
        }
        done
    }

    /// The reaper goes on with what is noted: the token may be condemned although that could not be told.
    fn finish_later(&self) {
        self.unfinished.store(true, Ordering::SeqCst);
        self.nudge.notify_one();
    }

    /// Revokes a token and cuts its children loose; false when it was not there.
    pub(crate) async fn revoke_alone(&self, id: &str) -> Result<bool, Error> {
        let done = match self.condemn(id, Fate::Alone).await {
            Ok(true) => self.loosen(id).await.map(|()| true),
            other => other,
        };
        if done.is_err() {
            self.finish_later();
        }
        done
    }

    /// Finishes what an earlier process, or an earlier try, began. A damaged record stops its own revocation only.
    pub(super) async fn resume_revocations(&self) -> Result<(), Error> {
        let mut after = None;
        loop {
            let page = self.view.keys(&revocations_place(), after.as_ref(), PAGE).await?;
            for id in page.items.iter().filter_map(|item| item.place.word(1)) {
                match self.resume(id).await {
                    Err(error) if is_damage(&error) => {
                        tracing::error!(%error, "a revocation that was begun cannot be finished");
                    }
                    other => other?,
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn resume(&self, id: &str) -> Result<(), Error> {
        let note = self.view.get::<Revocation>(&revocations_place().plain(id)).await?;
        match note.map(|note| note.fate) {
            Some(Fate::Tree) => self.fell(id).await,
            Some(Fate::Alone) => self.loosen(id).await,
            None => Ok(()),
        }
    }

    /// From here on the token is dead; false when it was not there.
    async fn condemn(&self, id: &str, fate: Fate) -> Result<bool, Error> {
        for _ in 0..TRIES {
            let Some(found) = self.read(id).await? else { return Ok(false) };
            // The note is there already; and a tree that is falling is not saved by revoking its root alone.
            if found.entry.spent || (found.entry.revoking && fate == Fate::Alone) {
                return Ok(true);
            }
            let mut changes = Changes::new();
            self.mark(&mut changes, &found)?;
            changes.put(&self.view, &revocations_place().plain(id), &Revocation { fate })?;
            match self.barrier.commit(changes).await {
                Ok(_) => return Ok(true),
                Err(StorageError::Conflict) => tokio::task::yield_now().await,
                Err(error) => return Err(error.into()),
            }
        }
        Err(too_much_traffic())
    }

    fn mark(&self, changes: &mut Changes, found: &Found) -> Result<(), StorageError> {
        let place = id_place(&found.entry.id);
        let marked = TokenEntry { revoking: true, ..TokenEntry::clone(&found.entry) };
        changes.reserved().put(&self.view, &place, &marked)?.expect(&self.view, &place, found.stamp)?;
        Ok(())
    }

    /// Removes a condemned token with everything below it, leaves first.
    async fn fell(&self, root: &str) -> Result<(), Error> {
        let mut path = vec![root.to_owned()];
        while let Some(top) = path.last().cloned() {
            let children = self.children(&top).await?;
            if children.is_empty() {
                self.remove(&top).await?;
                path.pop();
                continue;
            }
            self.condemn_children(&top, &children).await?;
            let mut leaves = Vec::new();
            for child in children {
                if self.view.first(&children_place(&child)).await?.is_some() {
                    path.push(child);
                } else {
                    leaves.push(child);
                }
            }
            self.remove_all(&leaves).await?;
        }
        Ok(())
    }

    async fn children(&self, parent: &str) -> Result<Vec<String>, Error> {
        let page = self.view.keys(&children_place(parent), None, PAGE).await?;
        Ok(page.items.iter().filter_map(|item| item.place.word(2)).map(str::to_owned).collect())
    }

    /// Marks all of them in one batch. The note at the root stands for them.
    async fn condemn_children(&self, parent: &str, children: &[String]) -> Result<(), Error> {
        for _ in 0..TRIES {
            let mut changes = Changes::new();
            for child in children {
                match self.read(child).await? {
                    Some(found) if found.entry.parent.as_deref() == Some(parent) => {
                        if !found.entry.revoking {
                            self.mark(&mut changes, &found)?;
                        }
                    }
                    // An index entry without its token would keep the walk here for ever.
                    _ => drop(changes.reserved().delete(&self.view, &child_place(parent, child))?),
                }
            }
            match self.barrier.commit(changes).await {
                Ok(_) => return Ok(()),
                Err(StorageError::Conflict) => tokio::task::yield_now().await,
                Err(error) => return Err(error.into()),
            }
        }
        Err(too_much_traffic())
    }

    /// Makes the children of a condemned token orphans, then removes it.
    async fn loosen(&self, id: &str) -> Result<(), Error> {
        loop {
            let children = self.children(id).await?;
            if children.is_empty() {
                return self.remove(id).await;
            }
            for child in children {
                self.cut_loose(id, &child).await?;
            }
        }
    }

    async fn cut_loose(&self, parent: &str, child: &str) -> Result<(), Error> {
        for _ in 0..TRIES {
            let mut changes = Changes::new();
            changes.reserved().delete(&self.view, &child_place(parent, child))?;
            if let Some(found) = self.read(child).await?
                && found.entry.parent.as_deref() == Some(parent)
            {
                let entry = TokenEntry { parent: None, ..TokenEntry::clone(&found.entry) };
                let place = id_place(child);
                changes.put(&self.view, &place, &entry)?.expect(&self.view, &place, found.stamp)?;
            }
            match self.barrier.commit(changes).await {
                Ok(_) => return Ok(()),
                Err(StorageError::Conflict) => tokio::task::yield_now().await,
                Err(error) => return Err(error.into()),
            }
        }
        Err(too_much_traffic())
    }

    /// Removes condemned tokens in one batch, or one by one when somebody interferes.
    async fn remove_all(&self, ids: &[String]) -> Result<(), Error> {
        let mut changes = Changes::new();
        for id in ids {
            if let Some(found) = self.read(id).await?.filter(|found| found.entry.revoking) {
                changes.join(self.removal(&found).await?);
            }
        }
        match self.barrier.commit(changes).await {
            Ok(_) => return Ok(()),
            Err(StorageError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
        for id in ids {
            self.remove(id).await?;
        }
        Ok(())
    }

    /// Removes one condemned token. One that was made anew under the same chosen id is another token and stays.
    async fn remove(&self, id: &str) -> Result<(), Error> {
        for _ in 0..TRIES {
            let Some(found) = self.read(id).await?.filter(|found| found.entry.revoking) else {
                return Ok(());
            };
            match self.barrier.commit(self.removal(&found).await?).await {
                Ok(_) => return Ok(()),
                Err(StorageError::Conflict) => tokio::task::yield_now().await,
                Err(error) => return Err(error.into()),
            }
        }
        Err(too_much_traffic())
    }

    /// The batch that leaves nothing of a token, expecting that it is as it was found. What lies in its cubbyhole beyond
    /// the first hundreds of records is deleted on the way.
    pub(crate) async fn removal(&self, found: &Found) -> Result<Changes, Error> {
        let entry: &Arc<TokenEntry> = &found.entry;
        let mut changes = self.cubbyholes.removal(&entry.id).await?;
        let place = id_place(&entry.id);
        changes.reserved().delete(&self.view, &place)?.expect(&self.view, &place, found.stamp)?;
        changes.delete(&self.view, &accessor_place(&self.accessor_id(&entry.accessor)?))?;
        changes.delete(&self.view, &revocations_place().plain(&entry.id))?;
        if let Some(parent) = &entry.parent {
            changes.delete(&self.view, &child_place(parent, &entry.id))?;
        }
        if let Some(due) = entry.due() {
            self.due.remove(&mut changes, &due)?;
        }
        Ok(changes)
    }
}

/// Whether a record cannot be read: trying again would not help.
fn is_damage(error: &Error) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref());
    matches!(source, Some(StorageError::Corrupt(_)))
}
