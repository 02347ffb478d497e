//! Lists what lies directly below a place, as Vault does: leaves and folders by name, sorted by bytes.
//!
//! Sealed names lie in no order, so all children of the folder are opened and sorted; what lies below a child is skipped
//! by seeking past it.
//!
//! Invariants: each child comes once, however much lies below it. Knows nothing of how lists are shown or paged further up.

use std::cmp::Ordering;

use super::place::{Part, Place};
use super::view::View;
use crate::{Key, Seek, StorageError};

/// Keys read at a time, at the least and at the most.
const STEP: std::ops::RangeInclusive<usize> = 2..=1024;

/// A direct child of a folder. Ordered as it is shown.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Child {
    /// A record, or several below a leaf.
    Leaf(String),
    /// A folder with something in it.
    Folder(String),
}

impl Child {
    /// The name, a folder's with a trailing slash.
    pub fn shown(&self) -> String {
        match self {
            Self::Leaf(name) => name.clone(),
            Self::Folder(name) => format!("{name}/"),
        }
    }

    fn bytes(&self) -> impl Iterator<Item = u8> {
        let (name, slash) = match self {
            Self::Leaf(name) => (name, None),
            Self::Folder(name) => (name, Some(b'/')),
        };
        name.bytes().chain(slash)
    }
}

impl Ord for Child {
    fn cmp(&self, other: &Self) -> Ordering {
        // A leaf whose own name ends in a slash is shown like a folder; the kind tells them apart.
        let kind = |child: &Self| matches!(child, Self::Folder(_));
        self.bytes().cmp(other.bytes()).then_with(|| kind(self).cmp(&kind(other)))
    }
}

impl PartialOrd for Child {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl std::fmt::Debug for Child {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Leaf(_) => "<leaf>",
            Self::Folder(_) => "<folder>",
        })
    }
}

impl View {
    /// The named children of `folder`, sorted as they are shown. Structural words are left out.
    pub async fn list(&self, folder: &Place) -> Result<Vec<Child>, StorageError> {
        let mut children: Vec<Child> = self
            .children(folder)
            .await?
            .into_iter()
            .filter_map(|part| match part {
                Part::Leaf(name) => Some(Child::Leaf(name)),
                Part::Folder(name) => Some(Child::Folder(name)),
                Part::Plain(_) | Part::Id(_) => None,
            })
            .collect();
        children.sort_unstable();
        Ok(children)
    }

    /// The structural words directly below `folder`, sorted.
    pub async fn list_plain(&self, folder: &Place) -> Result<Vec<String>, StorageError> {
        let mut words: Vec<String> = self
            .children(folder)
            .await?
            .into_iter()
            .filter_map(|part| match part {
                Part::Plain(word) => Some(word),
                Part::Leaf(_) | Part::Folder(_) | Part::Id(_) => None,
            })
            .collect();
        words.sort_unstable();
        Ok(words)
    }

    /// The first parts below `folder`, each once, in stored order.
    async fn children(&self, folder: &Place) -> Result<Vec<Part>, StorageError> {
        let prefix = self.key(folder)?;
        let mut children = Vec::new();
        let mut last: Option<Key> = None;
        let mut step = 128;
        loop {
            let seek = last.as_ref().map_or(Seek::After(&prefix), Seek::Past);
            let keys = self.barrier().physical().keys(&prefix, seek, step).await?;
            if keys.is_empty() {
                return Ok(children);
            }
            let found = children.len();
            last = self.barrier().slot().children(&prefix, &keys, last, &mut children)?;
            // Wide folders are read in long strides; of deep ones most keys would be read in vain.
            let fresh = children.len() - found;
            step = if fresh * 2 > keys.len() { step * 2 } else { step / 2 };
            step = step.clamp(*STEP.start(), *STEP.end());
        }
    }
}
