//! Deletes the records of a mount that is gone, in pages. What a crash interrupts goes on at the next unseal.

use vestal_logical::Error;
use vestal_storage::{Changes, Place};

use super::Mounts;

const PAGE: usize = 256;

impl Mounts {
    /// Deletes everything below `<class>/<uuid>`, then the note that it was to be deleted.
    pub(super) async fn purge(&self, class: &str, uuid: &str) -> Result<(), Error> {
        let view = self.barrier.view(&Place::root().plain(class).plain(uuid));
        loop {
            let page = view.keys(&Place::root(), None, PAGE).await?;
            if page.items.is_empty() {
                break;
            }
            let mut changes = Changes::new();
            changes.reserved();
            for item in &page.items {
                changes.delete(&view, &item.place)?;
            }
            self.barrier.commit(changes).await?;
        }
        let mut changes = Changes::new();
        changes.reserved().delete(&self.view, &Self::purge_place(class, uuid))?;
        self.barrier.commit(changes).await?;
        Ok(())
    }

    /// Finishes every purge that was begun.
    pub(super) async fn purge_leftovers(&self) -> Result<(), Error> {
        let page = self.view.keys(&Place::root().plain("purge"), None, PAGE).await?;
        for item in page.items {
            if let (Some(class), Some(uuid)) = (item.place.word(1), item.place.word(2)) {
                self.purge(class, uuid).await?;
            }
        }
        Ok(())
    }
}
