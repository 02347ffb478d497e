//! Gives versions to secrets that were written without. Each secret changes in one batch, so a crash leaves every one
//! of them readable, and the next opening goes on.

use vestal_logical::{Error, Timestamp};
use vestal_storage::{Changes, View};

use super::super::kv1::{Secret, root};
use super::record::{Config, Content, Metadata};
use super::{meta_place, version_place};

const PAGE: usize = 64;

/// Moves every secret; there are none once it is done.
pub(super) async fn upgrade(view: &View, now: Timestamp) -> Result<(), Error> {
    loop {
        let page = view.page::<Secret>(&root(), None, PAGE).await?;
        if page.items.is_empty() {
            return Ok(());
        }
        for item in page.items {
            let path = item.place.named_path();
            let mut metadata = Metadata::new(now);
            let (number, _) = metadata.add_version(&Config::default(), now);
            let mut changes = Changes::new();
            changes.delete(view, &item.place)?;
            changes.put(view, &version_place(&path, number), &Content(Some(item.value.0)))?;
            changes.put(view, &meta_place(&path), &metadata)?;
            view.commit(changes).await?;
        }
    }
}
