//! The only type of bytes that a physical store accepts.
//!
//! Invariants: there are three makers, the AEAD, [`Sealed::clear`] and [`Sealed::read_back`], so plaintext
//! cannot reach a store by mistake. The first byte tells what follows: 0 is a header in the clear, 1 is a
//! sealed record (laid out in `aead`). It does not know where the bytes are kept.

use std::fmt;

use serde::Serialize;

/// First byte of a header that anyone may read.
const CLEAR: u8 = 0;

/// What has to be readable while the store is sealed: the seal configuration, an epoch. It is neither hidden
/// nor protected against change, so nothing secret belongs in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClearHeader(Vec<u8>);

impl ClearHeader {
    /// A header of JSON. Secrets have no `Serialize`, so a field that holds one does not compile unless it is
    /// exposed.
    pub fn new(value: &impl Serialize) -> Result<Self, serde_json::Error> {
        serde_json::to_vec(value).map(Self)
    }

    /// A header of bytes that the caller has laid out.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }
}

/// Bytes fit for a physical store.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

impl Sealed {
    /// A header in the clear.
    pub fn clear(header: ClearHeader) -> Self {
        let mut bytes = header.0;
        bytes.insert(0, CLEAR);
        Self(bytes)
    }

    /// Bytes that were `Sealed` before they were written somewhere. Only physical stores, exports and tests
    /// call this; anything else would be a way around sealing.
    pub fn read_back(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// For the AEAD alone.
    pub(crate) fn from_aead(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes as they are stored.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes as they are stored, by value.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// How many bytes are stored.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is stored; neither maker yields that, a damaged store may.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The contents of a header in the clear; `None` for a sealed record.
    pub fn clear_header(&self) -> Option<&[u8]> {
        match self.0.split_first() {
            Some((&CLEAR, header)) => Some(header),
            _ => None,
        }
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clear_header_reads_back_and_nothing_else_does() {
        let header = ClearHeader::new(&serde_json::json!({ "threshold": 3 })).unwrap();
        let stored = Sealed::read_back(Sealed::clear(header).into_bytes());
        assert_eq!(stored.clear_header(), Some(br#"{"threshold":3}"#.as_slice()));
        let cases: [(&[u8], Option<&[u8]>); 5] =
            [(b"", None), (b"\0", Some(b"")), (b"\x01abc", None), (b"\x02abc", None), (b"{}", None)];
        for (bytes, header) in cases {
            assert_eq!(Sealed::read_back(bytes.to_vec()).clear_header(), header, "{bytes:?}");
        }
        let empty = Sealed::clear(ClearHeader::from_bytes([]));
        assert_eq!((empty.len(), empty.is_empty()), (1, false));
    }

    #[test]
    fn debug_tells_the_length_only() {
        assert_eq!(format!("{:?}", Sealed::read_back(vec![7; 300])), "Sealed(300 bytes)");
    }
}
