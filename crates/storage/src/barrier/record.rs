//! Turns typed records into versioned plaintext and back.
//!
//! The first byte is the version, the rest the body: JSON unless the record says otherwise. Buffers that held a plaintext
//! are wiped, also when they had to grow.
//!
//! Invariants: no error text carries a value; a newer version than the program knows is refused, never guessed at.

use std::io::{self, Write};
use std::ops::Deref;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::{Stamp, StorageError};

/// The largest plaintext a record may have, version included.
pub const RECORD_LIMIT: usize = 1 << 20;

/// Something that is kept as one record.
pub trait Record: Serialize + DeserializeOwned {
    /// The version that is written. Raise it when the body changes in a way that older readers cannot take, and teach
    /// [`upgrade`](Self::upgrade) the version before.
    const VERSION: u8;

    /// Reads the body of an older version.
    fn upgrade(version: u8, body: &[u8]) -> Result<Self, StorageError> {
        let _ = body;
        Err(unknown_version(version, Self::VERSION))
    }

    /// Writes the body. JSON unless overridden.
    fn encode(&self, body: &mut Plaintext) -> Result<(), StorageError> {
        match serde_json::to_writer(&mut *body, self) {
            Ok(()) => Ok(()),
            Err(_) if body.full => Err(StorageError::TooLarge { limit: RECORD_LIMIT }),
            Err(_) => Err(StorageError::Corrupt("the record has no json form".to_owned())),
        }
    }

    /// Reads the body of the current version. JSON unless overridden.
    fn decode(body: &[u8]) -> Result<Self, StorageError> {
        // The text of a serde error can quote the value, so only the place is kept.
        serde_json::from_slice(body).map_err(|error| {
            StorageError::Corrupt(format!(
                "a record does not read as its type, at line {} column {}",
                error.line(),
                error.column()
            ))
        })
    }
}

fn unknown_version(found: u8, known: u8) -> StorageError {
    StorageError::Corrupt(format!("a record has version {found}, this program knows {known}"))
}

/// The plaintext of `record`, or `TooLarge`.
pub(super) fn to_plaintext<R: Record>(record: &R) -> Result<Plaintext, StorageError> {
    let mut plaintext = Plaintext::new();
    plaintext.push(&[R::VERSION])?;
    record.encode(&mut plaintext)?;
    Ok(plaintext)
}

/// The record whose plaintext this is.
pub(super) fn from_plaintext<R: Record>(plaintext: &[u8]) -> Result<R, StorageError> {
    match plaintext {
        [version, body @ ..] if *version == R::VERSION => R::decode(body),
        [version, body @ ..] if *version < R::VERSION => R::upgrade(*version, body),
        [version, ..] => Err(unknown_version(*version, R::VERSION)),
        [] => Err(StorageError::Corrupt("a record is empty".to_owned())),
    }
}

/// A growing buffer for a plaintext, bounded by [`RECORD_LIMIT`] and wiped in the end.
pub struct Plaintext {
    bytes: Zeroizing<Vec<u8>>,
    full: bool,
}

impl Plaintext {
    fn new() -> Self {
        Self { bytes: Zeroizing::new(Vec::with_capacity(1024)), full: false }
    }

    /// Appends bytes, or fails when the record would be too large.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        let length = self.bytes.len() + bytes.len();
        if length > RECORD_LIMIT {
            self.full = true;
            return Err(StorageError::TooLarge { limit: RECORD_LIMIT });
        }
        if length > self.bytes.capacity() {
            // Growing in place would leave the old bytes behind in freed memory.
            let mut larger = Vec::with_capacity(length.max(self.bytes.capacity() * 2));
            larger.extend_from_slice(&self.bytes);
            let mut old = std::mem::replace(&mut *self.bytes, larger);
            old.zeroize();
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Write for Plaintext {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(bytes).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A record that says all by being there: an index entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Empty;

impl Record for Empty {
    const VERSION: u8 = 1;

    fn encode(&self, _body: &mut Plaintext) -> Result<(), StorageError> {
        Ok(())
    }

    fn decode(body: &[u8]) -> Result<Self, StorageError> {
        if body.is_empty() {
            return Ok(Self);
        }
        Err(StorageError::Corrupt("an index entry has a body".to_owned()))
    }
}

/// Bytes whose form is the keeper's own matter. No `Debug`: they may be secret; wiped when dropped.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RawBytes(Zeroizing<Vec<u8>>);

impl RawBytes {
    /// Keeps `bytes` as they are.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Record for RawBytes {
    const VERSION: u8 = 1;

    fn encode(&self, body: &mut Plaintext) -> Result<(), StorageError> {
        body.push(&self.0)
    }

    fn decode(body: &[u8]) -> Result<Self, StorageError> {
        Ok(Self::new(body.to_vec()))
    }
}

/// A record as it was read, with the stamp to expect when it is changed. Reads as the record itself.
#[derive(Debug, Clone)]
pub struct Stamped<R> {
    /// The record.
    pub value: R,
    /// The commit of its last logical change.
    pub stamp: Stamp,
}

impl<R> Deref for Stamped<R> {
    type Target = R;

    fn deref(&self) -> &R {
        &self.value
    }
}
