//! How a record lies in sled: a head with stamp, checksum and length, and either the bytes or the place of its parts.
//!
//! One tree, three prefixes: `m` what the tree stands for, `r<key>` the records in the order of their keys, `p…` the parts
//! of records too large for one value (sled would put their page into a file that it never syncs).
//!
//! Invariants: no value is longer than [`PART`] and its head. Knows nothing of sled's calls.

use sha2::{Digest as _, Sha256};

use crate::log::frame::{Content, Reader};
use crate::log::segment::StoreId;

/// No more bytes of a record lie in one value.
pub(crate) const PART: usize = 60 << 10;
/// The key of the tree's own entry.
pub(crate) const MARK: &[u8] = b"m";

const INLINE: u8 = 0;
const SPLIT: u8 = 1;
const HEAD: usize = 8 + 1 + 4 + 4;

/// What a record's value begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) stamp: u64,
    pub(crate) checksum: u32,
    pub(crate) length: u32,
    /// Where its parts lie, when it does not lie here.
    pub(crate) parts: Option<PartsId>,
}

/// Names the parts of one write: the commit (or piece of an export) and the place in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PartsId {
    pub(crate) writer: u64,
    pub(crate) op: u32,
}

pub(crate) fn record_key(key: &[u8]) -> Vec<u8> {
    [b"r", key].concat()
}

pub(crate) fn part_key(id: PartsId, number: u32) -> Vec<u8> {
    let mut key = Vec::with_capacity(17);
    key.push(b'p');
    key.extend_from_slice(&id.writer.to_be_bytes());
    key.extend_from_slice(&id.op.to_be_bytes());
    key.extend_from_slice(&number.to_be_bytes());
    key
}

impl Head {
    /// The head of `content` written as `id`.
    pub(crate) fn of(content: &Content, id: PartsId) -> Self {
        Self {
            stamp: content.stamp,
            checksum: crc32fast::hash(&content.bytes),
            length: u32::try_from(content.bytes.len()).unwrap_or(u32::MAX),
            parts: (content.bytes.len() > PART).then_some(id),
        }
    }

    /// The value of a record: head, and the bytes unless they lie elsewhere.
    pub(crate) fn value(&self, bytes: &[u8]) -> Vec<u8> {
        let mut value = Vec::with_capacity(HEAD + 12.max(bytes.len()));
        value.extend_from_slice(&self.stamp.to_be_bytes());
        value.push(if self.parts.is_some() { SPLIT } else { INLINE });
        value.extend_from_slice(&self.checksum.to_be_bytes());
        value.extend_from_slice(&self.length.to_be_bytes());
        match self.parts {
            Some(id) => {
                value.extend_from_slice(&id.writer.to_be_bytes());
                value.extend_from_slice(&id.op.to_be_bytes());
            }
            None => value.extend_from_slice(bytes),
        }
        value
    }

    /// Head and inline bytes of a value; `None` when it is none.
    pub(crate) fn parse(value: &[u8]) -> Option<(Self, &[u8])> {
        let mut reader = Reader(value);
        let stamp = reader.u64()?;
        let kind = reader.array::<1>()?;
        let (checksum, length) = (reader.u32()?, reader.u32()?);
        let parts = match kind {
            [INLINE] if reader.0.len() == length as usize => None,
            [SPLIT] => Some(PartsId { writer: reader.u64()?, op: reader.u32()? }),
            _ => return None,
        };
        Some((Self { stamp, checksum, length, parts }, reader.0))
    }

    /// How many parts there are.
    pub(crate) fn part_count(&self) -> u32 {
        match self.parts {
            Some(_) => self.length.div_ceil(u32::try_from(PART).unwrap_or(u32::MAX)),
            None => 0,
        }
    }

    /// Whether `bytes` are the record's.
    pub(crate) fn fits(&self, bytes: &[u8]) -> bool {
        bytes.len() == self.length as usize && crc32fast::hash(bytes) == self.checksum
    }
}

/// The sum over all records, whatever order they came in: what the tree *should* hold, kept beside what it does.
///
/// sled can forget pages without noticing when its files are damaged; the sum notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sum {
    pub(crate) records: u64,
    /// Bytes of keys and sealed records.
    pub(crate) bytes: u64,
    lanes: [u64; 4],
}

impl Sum {
    pub(crate) fn add(&mut self, key: &[u8], head: &Head) {
        self.records = self.records.wrapping_add(1);
        self.bytes = self.bytes.wrapping_add(key.len() as u64 + u64::from(head.length));
        for (lane, part) in self.lanes.iter_mut().zip(lanes(key, head)) {
            *lane = lane.wrapping_add(part);
        }
    }

    pub(crate) fn remove(&mut self, key: &[u8], head: &Head) {
        self.records = self.records.wrapping_sub(1);
        self.bytes = self.bytes.wrapping_sub(key.len() as u64 + u64::from(head.length));
        for (lane, part) in self.lanes.iter_mut().zip(lanes(key, head)) {
            *lane = lane.wrapping_sub(part);
        }
    }
}

fn lanes(key: &[u8], head: &Head) -> [u64; 4] {
    let digest: [u8; 32] = Sha256::new()
        .chain_update(head.stamp.to_be_bytes())
        .chain_update(head.checksum.to_be_bytes())
        .chain_update(head.length.to_be_bytes())
        .chain_update(key)
        .finalize()
        .into();
    let mut reader = Reader(&digest);
    std::array::from_fn(|_| reader.u64().unwrap_or_default())
}

/// What the tree stands for: written with every batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) store: StoreId,
    /// The newest commit applied, and the frame it was in (whose later batches may be missing still).
    pub(crate) seq: u64,
    pub(crate) frame: u64,
    pub(crate) sum: Sum,
}

impl Mark {
    pub(crate) fn value(&self) -> Vec<u8> {
        let mut value = Vec::with_capacity(80);
        value.extend_from_slice(&self.store);
        for number in [self.seq, self.frame, self.sum.records, self.sum.bytes] {
            value.extend_from_slice(&number.to_be_bytes());
        }
        for lane in self.sum.lanes {
            value.extend_from_slice(&lane.to_be_bytes());
        }
        let checksum = crc32fast::hash(&value);
        value.extend_from_slice(&checksum.to_be_bytes());
        value
    }

    pub(crate) fn parse(value: &[u8]) -> Option<Self> {
        let mut reader = Reader(value);
        let store = reader.array()?;
        let (seq, frame) = (reader.u64()?, reader.u64()?);
        let mut sum = Sum { records: reader.u64()?, bytes: reader.u64()?, lanes: [0; 4] };
        for lane in &mut sum.lanes {
            *lane = reader.u64()?;
        }
        let covered = value.len().checked_sub(4).and_then(|end| value.get(..end))?;
        let fits = reader.u32()? == crc32fast::hash(covered) && reader.0.is_empty();
        fits.then_some(Self { store, seq, frame, sum })
    }
}
