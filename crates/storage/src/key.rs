//! Ordered keys made of segments, and their one encoding.
//!
//! Each segment is encoded as tag, length (u16, big-endian), bytes. So no segment can be mistaken for two, a parent's
//! encoding is a prefix of its children's, and everything below a parent is one contiguous range.

use std::fmt;

const PLAIN: u8 = 1;
const LEAF: u8 = 2;
const FOLDER: u8 = 3;

/// One part of a [`Key`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// A structural word that tells nothing of the user: `cred`, a hex instant, a mount's uuid.
    Plain(String),
    /// A sealed name that ends a path. `foo` and `foo/` are different names.
    Leaf(Vec<u8>),
    /// A sealed name with more below it.
    Folder(Vec<u8>),
}

impl fmt::Debug for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(word) => write!(f, "{word}"),
            Self::Leaf(bytes) => write!(f, "<leaf of {} bytes>", bytes.len()),
            Self::Folder(bytes) => write!(f, "<folder of {} bytes>", bytes.len()),
        }
    }
}

/// The encoded place of one record. The empty key is the root: the prefix of every other.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Key(Vec<u8>);

impl Key {
    /// The prefix of everything.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// This key with one more segment. Segments longer than 65 535 bytes are cut by no one: names are bounded far
    /// below (the HTTP layer refuses longer paths), so a longer one is truncated to the encodable length and never equal to a legal one.
    #[must_use]
    pub fn with(&self, segment: &Segment) -> Self {
        let (tag, bytes) = match segment {
            Segment::Plain(word) => (PLAIN, word.as_bytes()),
            Segment::Leaf(bytes) => (LEAF, bytes.as_slice()),
            Segment::Folder(bytes) => (FOLDER, bytes.as_slice()),
        };
        let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
        let mut encoded = Vec::with_capacity(self.0.len() + 3 + usize::from(length));
        encoded.extend_from_slice(&self.0);
        encoded.push(tag);
        encoded.extend_from_slice(&length.to_be_bytes());
        encoded.extend(bytes.iter().take(usize::from(length)));
        Self(encoded)
    }

    /// This key with a structural word appended.
    #[must_use]
    pub fn plain(&self, word: &str) -> Self {
        self.with(&Segment::Plain(word.to_owned()))
    }

    /// The encoded bytes, as stores order them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A key from bytes read back from a store, or `None` when they are no encoding of a key.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let key = Self(bytes.to_vec());
        key.segments().map(|_| key.clone())
    }

    /// The segments of this key, or `None` when its bytes are damaged.
    #[must_use]
    pub fn segments(&self) -> Option<Vec<Segment>> {
        let mut segments = Vec::new();
        let mut rest = self.0.as_slice();
        while let [tag, high, low, tail @ ..] = rest {
            let (bytes, next) = tail.split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))?;
            segments.push(match *tag {
                PLAIN => Segment::Plain(String::from_utf8(bytes.to_vec()).ok()?),
                LEAF => Segment::Leaf(bytes.to_vec()),
                FOLDER => Segment::Folder(bytes.to_vec()),
                _ => return None,
            });
            rest = next;
        }
        rest.is_empty().then_some(segments)
    }

    /// Whether `other` is this key or lies below it.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }

    /// The first byte string after everything below this key, or `None` when there is none.
    #[must_use]
    pub fn range_end(&self) -> Option<Vec<u8>> {
        let kept = self.0.iter().rposition(|byte| *byte != u8::MAX)?;
        let mut end: Vec<u8> = self.0.iter().take(kept + 1).copied().collect();
        if let Some(last) = end.last_mut() {
            *last += 1;
        }
        Some(end)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.segments() {
            Some(segments) => f.debug_list().entries(segments).finish(),
            None => write!(f, "<damaged key of {} bytes>", self.0.len()),
        }
    }
}

/// Ordered maps can be searched by bytes that are no key themselves, such as [`Key::range_end`].
impl std::borrow::Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}
