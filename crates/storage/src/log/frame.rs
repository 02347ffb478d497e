//! One frame: the batches of one group as the log keeps them, chained to the frame before.
//!
//! Layout, numbers big-endian: magic, payload length (u32), frame number (u64), number of the first batch (u64), batches
//! (u32), epoch (u64), digest of the frame before (32), SHA-256 of all of these and the payload (32), payload. The
//! payload holds absolute values, so a frame may be applied again.
//!
//! Invariants: a frame that decodes is whole and unchanged. Knows nothing of files or of what sealed bytes mean.

use sha2::{Digest as _, Sha256};

/// SHA-256 of a frame; the next one carries it.
pub(crate) type Digest = [u8; 32];

const MAGIC: [u8; 4] = *b"\xF7vf1";
const BEFORE_DIGEST: usize = 4 + 4 + 8 + 8 + 4 + 8 + 32;
/// Bytes before the payload.
pub(crate) const HEADER: usize = BEFORE_DIGEST + 32;
/// No frame's payload is longer: the bound against lengths read from noise.
pub(crate) const MAX_PAYLOAD: usize = 256 << 20;

const PUT: u8 = 1;
const DELETE: u8 = 2;

/// What one key holds from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) key: Vec<u8>,
    /// `None` deletes.
    pub(crate) value: Option<Content>,
}

/// A stored record: its stamp and its sealed bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) stamp: u64,
    pub(crate) bytes: Vec<u8>,
}

/// One group of batches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Counted from 1, without gaps.
    pub(crate) number: u64,
    /// The commit number of the first batch; the others follow.
    pub(crate) first: u64,
    /// The newest epoch granted when the frame was written.
    pub(crate) epoch: u64,
    /// Applied one by one; a frame that only grants an epoch has none.
    pub(crate) batches: Vec<Vec<Change>>,
}

impl Frame {
    /// The frame's bytes behind a frame of digest `previous`, and its own digest.
    pub(crate) fn encode(&self, previous: &Digest) -> (Vec<u8>, Digest) {
        let payload = encode_batches(&self.batches);
        let mut bytes = Vec::with_capacity(HEADER + payload.len());
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&length(payload.len()).to_be_bytes());
        bytes.extend_from_slice(&self.number.to_be_bytes());
        bytes.extend_from_slice(&self.first.to_be_bytes());
        bytes.extend_from_slice(&length(self.batches.len()).to_be_bytes());
        bytes.extend_from_slice(&self.epoch.to_be_bytes());
        bytes.extend_from_slice(previous);
        let digest: Digest = Sha256::new().chain_update(&bytes).chain_update(&payload).finalize().into();
        bytes.extend_from_slice(&digest);
        bytes.extend_from_slice(&payload);
        (bytes, digest)
    }

    /// How many bytes a batch takes in a frame, roughly.
    pub(crate) fn weight(batch: &[Change]) -> usize {
        batch
            .iter()
            .map(|change| 17 + change.key.len() + change.value.as_ref().map_or(0, |value| value.bytes.len()))
            .sum()
    }
}

/// A frame as it was found.
pub(crate) struct Found {
    pub(crate) frame: Frame,
    pub(crate) previous: Digest,
    pub(crate) digest: Digest,
    /// Its length in bytes.
    pub(crate) length: usize,
}

/// The whole frame at the beginning of `bytes`, or why there is none.
pub(crate) fn decode(bytes: &[u8]) -> Result<Found, &'static str> {
    let mut reader = Reader(bytes);
    let short = "the frame is cut short";
    if reader.array::<4>().ok_or(short)? != MAGIC {
        return Err("no frame begins here");
    }
    let payload_length = reader.u32().ok_or(short)? as usize;
    let number = reader.u64().ok_or(short)?;
    let first = reader.u64().ok_or(short)?;
    let count = reader.u32().ok_or(short)?;
    let epoch = reader.u64().ok_or(short)?;
    let previous: Digest = reader.array().ok_or(short)?;
    let digest: Digest = reader.array().ok_or(short)?;
    if payload_length > MAX_PAYLOAD {
        return Err("the frame's length is impossible");
    }
    let payload = reader.bytes(payload_length).ok_or(short)?;
    let covered = bytes.get(..BEFORE_DIGEST).ok_or(short)?;
    let actual: Digest = Sha256::new().chain_update(covered).chain_update(payload).finalize().into();
    if actual != digest {
        return Err("the frame's checksum does not fit");
    }
    let batches = decode_batches(payload, count).ok_or("the frame's content cannot be read")?;
    let frame = Frame { number, first, epoch, batches };
    Ok(Found { frame, previous, digest, length: HEADER + payload_length })
}

/// The offset of the first whole frame in `bytes` that is numbered `number` or later, wherever it begins.
pub(crate) fn search(bytes: &[u8], number: u64) -> Option<usize> {
    bytes.windows(MAGIC.len()).enumerate().filter(|(_, window)| *window == MAGIC).find_map(|(at, _)| {
        let found = decode(bytes.get(at..)?).ok()?;
        (found.frame.number >= number).then_some(at)
    })
}

fn length(length: usize) -> u32 {
    // Batches are bounded far below; a length that did not fit would fail the frame's own check when it is read.
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn encode_batches(batches: &[Vec<Change>]) -> Vec<u8> {
    let weight: usize = batches.iter().map(|batch| 4 + Frame::weight(batch)).sum();
    let mut bytes = Vec::with_capacity(weight);
    for batch in batches {
        bytes.extend_from_slice(&length(batch.len()).to_be_bytes());
        for change in batch {
            encode_change(change, &mut bytes);
        }
    }
    bytes
}

/// Appends one change as frames and exports keep it.
pub(crate) fn encode_change(change: &Change, bytes: &mut Vec<u8>) {
    bytes.push(if change.value.is_some() { PUT } else { DELETE });
    bytes.extend_from_slice(&length(change.key.len()).to_be_bytes());
    if let Some(value) = &change.value {
        bytes.extend_from_slice(&length(value.bytes.len()).to_be_bytes());
        bytes.extend_from_slice(&value.stamp.to_be_bytes());
    }
    bytes.extend_from_slice(&change.key);
    if let Some(value) = &change.value {
        bytes.extend_from_slice(&value.bytes);
    }
}

pub(crate) fn decode_batches(payload: &[u8], count: u32) -> Option<Vec<Vec<Change>>> {
    let mut reader = Reader(payload);
    let mut batches = Vec::new();
    for _ in 0..count {
        let changes = reader.u32()?;
        let batch: Option<Vec<Change>> = (0..changes).map(|_| decode_change(&mut reader)).collect();
        batches.push(batch?);
    }
    reader.0.is_empty().then_some(batches)
}

fn decode_change(reader: &mut Reader<'_>) -> Option<Change> {
    let kind = reader.array::<1>()?;
    let key_length = reader.u32()? as usize;
    match kind {
        [PUT] => {
            let value_length = reader.u32()? as usize;
            let stamp = reader.u64()?;
            let key = reader.bytes(key_length)?.to_vec();
            let bytes = reader.bytes(value_length)?.to_vec();
            Some(Change { key, value: Some(Content { stamp, bytes }) })
        }
        [DELETE] => Some(Change { key: reader.bytes(key_length)?.to_vec(), value: None }),
        _ => None,
    }
}

/// Takes numbers and bytes from the front of a slice.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }
}
