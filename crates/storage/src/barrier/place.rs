//! Says where a record lies, in the words of whoever keeps it: structural words in the clear, names a user chose to be
//! sealed.
//!
//! Invariants: `Debug` never shows a name; `foo` and `foo/` are different places. Knows nothing of keys; a
//! [`View`](super::View) turns a place into a [`Key`](crate::Key).

use std::fmt;

/// One part of a [`Place`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// A structural word, stored as it is: `cred`, a hex instant, a random id. Never anything a user chose.
    Plain(String),
    /// A name that ends a path; sealed.
    Leaf(String),
    /// A name with more below it; sealed.
    Folder(String),
    /// A leaf whose name is already sealed.
    Id(SegmentId),
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(word) => f.write_str(word),
            Self::Leaf(_) => f.write_str("<leaf>"),
            Self::Folder(_) => f.write_str("<folder>"),
            Self::Id(_) => f.write_str("<id>"),
        }
    }
}

/// A path of [`Part`]s, relative to a [`View`](super::View).
///
/// ```
/// use vestal_storage::Place;
///
/// let record = Place::root().plain("cred").leaf("alice/bob");
/// let nested = Place::root().plain("data").path("team/web/password");
/// let prefix = Place::root().plain("data").path("team/");
/// assert_eq!(format!("{nested:?}"), "[data, <folder>, <folder>, <leaf>]");
/// # let _ = (record, prefix);
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Place(Vec<Part>);

impl Place {
    /// The view's own prefix.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// Below this, a structural word that tells nothing of the user.
    #[must_use]
    pub fn plain(self, word: impl Into<String>) -> Self {
        self.with(Part::Plain(word.into()))
    }

    /// Below this, a sealed name that ends the path; slashes in it are part of the name.
    #[must_use]
    pub fn leaf(self, name: impl Into<String>) -> Self {
        self.with(Part::Leaf(name.into()))
    }

    /// Below this, a sealed name with more below it.
    #[must_use]
    pub fn folder(self, name: impl Into<String>) -> Self {
        self.with(Part::Folder(name.into()))
    }

    /// Below this, `a/b/c` as folders `a` and `b` and leaf `c`. After a trailing slash all are folders; the empty path
    /// adds nothing.
    #[must_use]
    pub fn path(mut self, path: &str) -> Self {
        let mut rest = path;
        while let Some((folder, below)) = rest.split_once('/') {
            self = self.folder(folder);
            rest = below;
        }
        if rest.is_empty() { self } else { self.leaf(rest) }
    }

    /// Below this, a leaf known by its id.
    #[must_use]
    pub fn id(self, id: &SegmentId) -> Self {
        self.with(Part::Id(id.clone()))
    }

    /// Below this, one more part.
    #[must_use]
    pub fn with(mut self, part: Part) -> Self {
        self.0.push(part);
        self
    }

    /// Below this, all parts of `other`.
    #[must_use]
    pub fn join(mut self, other: &Self) -> Self {
        self.0.extend(other.0.iter().cloned());
        self
    }

    /// The parts in order.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.0
    }

    /// The structural word at `index`, or `None` when another kind of part stands there.
    #[must_use]
    pub fn word(&self, index: usize) -> Option<&str> {
        match self.0.get(index) {
            Some(Part::Plain(word)) => Some(word),
            _ => None,
        }
    }

    /// The name of the last part, or `None` at the root and for an id.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self.0.last()? {
            Part::Plain(name) | Part::Leaf(name) | Part::Folder(name) => Some(name),
            Part::Id(_) => None,
        }
    }

    /// Leaf and folder names joined by slashes, as [`path`](Self::path) takes them; words and ids are left out.
    #[must_use]
    pub fn named_path(&self) -> String {
        let mut path = String::new();
        for part in &self.0 {
            match part {
                Part::Leaf(name) => path.push_str(name),
                Part::Folder(name) => {
                    path.push_str(name);
                    path.push('/');
                }
                Part::Plain(_) | Part::Id(_) => {}
            }
        }
        path
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0).finish()
    }
}

/// A sealed leaf: stable for a name below its parent, and meaningless without the keyring. Printed in hex, it serves as a
/// structural word inside index keys.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentId(Vec<u8>);

impl SegmentId {
    pub(super) fn new(sealed: Vec<u8>) -> Self {
        Self(sealed)
    }

    /// The id that `word` prints, or `None` when it is not hex.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        hex::decode(word).ok().map(Self)
    }

    /// The sealed bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SegmentId({self})")
    }
}
