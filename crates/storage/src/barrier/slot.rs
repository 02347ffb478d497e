//! Holds the keyring while unsealed, and is the one place where the barrier meets `vestal-crypto`.
//!
//! Keys are used under a read lock and never handed out, so when [`KeySlot::empty`] returns, no one uses them any more,
//! whoever still holds the barrier.
//!
//! Invariants: no lock is held across an await; a name's associated data is its parent's encoded key and its kind, a
//! record's is its whole encoded key.

use std::sync::{PoisonError, RwLock};

use vestal_crypto::{Entropy, Keyring, Sealed};

use super::place::{Part, Place, SegmentId};
use super::record::{Record, from_plaintext, to_plaintext};
use crate::{Key, Segment, StorageError};

/// The longest name that is sealed into a key, in bytes. Its id, in hex, still fits into one segment.
pub const NAME_LIMIT: usize = 16 << 10;

/// The longest word or sealed name that a key can encode.
const WORD_LIMIT: usize = 0xffff;

const LEAF: u8 = b'l';
const FOLDER: u8 = b'f';

pub(super) struct KeySlot(RwLock<Option<Keyring>>);

impl KeySlot {
    pub(super) fn new(keyring: Keyring) -> Self {
        Self(RwLock::new(Some(keyring)))
    }

    pub(super) fn with<T>(&self, work: impl FnOnce(&Keyring) -> T) -> Result<T, StorageError> {
        let slot = self.0.read().unwrap_or_else(PoisonError::into_inner);
        slot.as_ref().map(work).ok_or(StorageError::Sealed)
    }

    /// Puts `keyring` in the place of the present one; an empty slot stays empty.
    pub(super) fn replace(&self, keyring: Keyring) -> Result<(), StorageError> {
        let mut slot = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match slot.as_mut() {
            Some(present) if keyring.term() < present.term() => return Err(StorageError::Conflict),
            Some(present) => *present = keyring,
            None => return Err(StorageError::Sealed),
        }
        Ok(())
    }

    pub(super) fn empty(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// The key of `place` below `prefix`.
    pub(super) fn key(&self, prefix: &Key, place: &Place) -> Result<Key, StorageError> {
        self.with(|keyring| {
            place.parts().iter().try_fold(prefix.clone(), |key, part| {
                let segment = match part {
                    Part::Plain(word) if word.len() > WORD_LIMIT => {
                        return Err(StorageError::TooLarge { limit: WORD_LIMIT });
                    }
                    Part::Plain(word) => Segment::Plain(word.clone()),
                    Part::Id(id) if id.as_bytes().len() > WORD_LIMIT => {
                        return Err(StorageError::TooLarge { limit: WORD_LIMIT });
                    }
                    Part::Leaf(name) => Segment::Leaf(seal_name(keyring, &key, LEAF, name)?),
                    Part::Folder(name) => Segment::Folder(seal_name(keyring, &key, FOLDER, name)?),
                    Part::Id(id) => Segment::Leaf(id.as_bytes().to_vec()),
                };
                Ok(key.with(&segment))
            })
        })?
    }

    /// The place of `key` below `prefix`, all names opened.
    pub(super) fn place(&self, prefix: &Key, key: &Key) -> Result<Place, StorageError> {
        let segments = segments_below(prefix, key)?;
        self.with(|keyring| {
            let mut parent = prefix.clone();
            let mut place = Place::root();
            for segment in segments {
                let below = parent.with(&segment);
                place = place.with(open_segment(keyring, &parent, segment)?);
                parent = below;
            }
            Ok(place)
        })?
    }

    /// Adds the parts that come next to `prefix` in `keys` to `children`, those at or below `last` left out, and returns
    /// the key of the last child seen.
    pub(super) fn children(
        &self,
        prefix: &Key,
        keys: &[Key],
        mut last: Option<Key>,
        children: &mut Vec<Part>,
    ) -> Result<Option<Key>, StorageError> {
        self.with(|keyring| {
            for key in keys {
                if last.as_ref().is_some_and(|last| last.covers(key)) {
                    continue;
                }
                let Some(segment) = segments_below(prefix, key)?.into_iter().next() else { continue };
                last = Some(prefix.with(&segment));
                children.push(open_segment(keyring, prefix, segment)?);
            }
            Ok(last)
        })?
    }

    /// `record` sealed for `key`.
    pub(super) fn seal<R: Record>(
        &self,
        entropy: &dyn Entropy,
        key: &Key,
        record: &R,
    ) -> Result<Sealed, StorageError> {
        let plaintext = to_plaintext(record)?;
        self.with(|keyring| keyring.seal(entropy, key.as_bytes(), plaintext.as_bytes()))
    }

    /// The record sealed at `key`.
    pub(super) fn open<R: Record>(&self, key: &Key, sealed: &Sealed) -> Result<R, StorageError> {
        let plaintext = self.with(|keyring| keyring.open(key.as_bytes(), sealed))?.map_err(damaged)?;
        from_plaintext(plaintext.expose())
    }

    /// What `sealed` holds, sealed anew by the newest term, or `None` when it is that already or no term has sealed it.
    pub(super) fn reseal(
        &self,
        entropy: &dyn Entropy,
        key: &Key,
        sealed: &Sealed,
    ) -> Result<Option<Sealed>, StorageError> {
        self.with(|keyring| {
            if !keyring.is_outdated(sealed) {
                return Ok(None);
            }
            let plaintext = keyring.open(key.as_bytes(), sealed).map_err(damaged)?;
            Ok(Some(keyring.seal(entropy, key.as_bytes(), plaintext.expose())))
        })?
    }
}

fn damaged(_: impl std::error::Error) -> StorageError {
    StorageError::Corrupt("a record does not open with the keys of this store".to_owned())
}

/// The segments of `key` behind those of `prefix`.
fn segments_below(prefix: &Key, key: &Key) -> Result<Vec<Segment>, StorageError> {
    let broken = || StorageError::Corrupt("a stored key is no path of segments".to_owned());
    let rest = key.as_bytes().strip_prefix(prefix.as_bytes()).ok_or_else(broken)?;
    Key::decode(rest).and_then(|below| below.segments()).ok_or_else(broken)
}

/// The id that a key ends in, or `None` when it ends otherwise.
pub(super) fn id_of(key: &Key) -> Option<SegmentId> {
    match key.segments()?.pop()? {
        Segment::Leaf(sealed) => Some(SegmentId::new(sealed)),
        Segment::Plain(_) | Segment::Folder(_) => None,
    }
}

fn context(parent: &Key, kind: u8) -> Vec<u8> {
    let mut context = Vec::with_capacity(parent.as_bytes().len() + 1);
    context.extend_from_slice(parent.as_bytes());
    context.push(kind);
    context
}

fn seal_name(keyring: &Keyring, parent: &Key, kind: u8, name: &str) -> Result<Vec<u8>, StorageError> {
    if name.len() > NAME_LIMIT {
        return Err(StorageError::TooLarge { limit: NAME_LIMIT });
    }
    Ok(keyring.names().seal(&context(parent, kind), name))
}

fn open_segment(keyring: &Keyring, parent: &Key, segment: Segment) -> Result<Part, StorageError> {
    Ok(match segment {
        Segment::Plain(word) => Part::Plain(word),
        Segment::Leaf(sealed) => Part::Leaf(open_name(keyring, parent, LEAF, &sealed)?),
        Segment::Folder(sealed) => Part::Folder(open_name(keyring, parent, FOLDER, &sealed)?),
    })
}

fn open_name(keyring: &Keyring, parent: &Key, kind: u8, sealed: &[u8]) -> Result<String, StorageError> {
    keyring.names().open(&context(parent, kind), sealed).map_err(|_| {
        StorageError::Corrupt("a stored name does not open with the keys of this store".to_owned())
    })
}
