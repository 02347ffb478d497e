//! Deletes the records of a mount that is gone, in pages. What a crash interrupts goes on at the next unseal.

use vestal_logical::Error;
use vestal_storage::{Changes, Empty, Place};

use super::Mounts;

const PAGE: usize = 256;

impl Mounts {
    /// Deletes everything below `<class>/<uuid>`, then the note that it was to be deleted.
    pub(super) async fn purge(&self, class: &str, uuid: &str) -> Result<(), Error> {
        // A call that was cut off may have a batch on its way. What is committed behind it is done after it.
        let mut note = Changes::new();
        note.reserved().put(&self.view, &Self::purge_place(class, uuid), &Empty)?;
        self.barrier.commit(note).await?;
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

    /// Finishes every purge that was begun. One that fails is tried again at the next unseal: records that nobody can
    /// reach must not keep the vault sealed.
    pub(super) async fn purge_leftovers(&self) -> Result<(), Error> {
        let mut after = None;
        loop {
            let page = self.view.keys(&Place::root().plain("purge"), after.as_ref(), PAGE).await?;
            for item in page.items {
                if let (Some(class), Some(uuid)) = (item.place.word(1), item.place.word(2))
                    && let Err(error) = self.purge(class, uuid).await
                {
                    tracing::error!(%error, "the records of a mount that is gone could not be deleted yet");
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }
}
