//! Storing the tables and publishing what follows from them.

use std::sync::Arc;

use vestal_logical::Error;
use vestal_storage::{Changes, Place};

use super::entry::Tables;
use super::router::{MountedAt, Snapshot};
use super::{Kept, Mounts, tables_place};

impl Mounts {
    /// Commits new tables, expecting that nobody else changed them.
    pub(super) async fn store(&self, kept: &mut Kept, tables: Tables) -> Result<(), Error> {
        self.store_with(kept, tables, Changes::new()).await
    }

    /// Commits new tables and `more` in one batch.
    pub(super) async fn store_with(
        &self,
        kept: &mut Kept,
        tables: Tables,
        more: Changes,
    ) -> Result<(), Error> {
        let place = tables_place();
        let mut changes = Changes::new();
        changes.put(&self.view, &place, &tables)?;
        match kept.stamp {
            Some(stamp) => changes.expect(&self.view, &place, stamp)?,
            None => changes.expect_absent(&self.view, &place)?,
        };
        changes.join(more);
        let seq = self.barrier.commit(changes).await?;
        self.shown.store(Arc::new(tables.clone()));
        *kept = Kept { tables, stamp: Some(seq.into()) };
        Ok(())
    }

    /// From now on requests meet this.
    pub(super) fn publish(&self, gone: Option<&str>, new: Option<MountedAt>) {
        let snapshot = self.snapshot.load_full();
        let next: Snapshot = snapshot.replaced(gone, new.map(Arc::new));
        self.snapshot.store(Arc::new(next));
    }

    /// Where it is written down that a mount's records are still to be deleted.
    pub(super) fn purge_place(class: &str, uuid: &str) -> Place {
        Place::root().plain("purge").plain(class).plain(uuid)
    }
}
