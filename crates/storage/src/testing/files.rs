//! Every reader of the sled store's own files, as a function of bytes: for fuzzing.

use std::path::Path;

use crate::export;
use crate::log::frame::{self, Frame};
use crate::log::manifest::Manifest;
use crate::log::segment::Segment;
use crate::physical::sled::record::{Head, Mark};

/// Reads `bytes` as each file of a store, and as what lies in sled. What reads as something is written the same way again.
pub fn store_file(bytes: &[u8]) {
    let path = Path::new("fuzzed");
    if let Ok(found) = frame::decode(bytes) {
        let (again, digest) = found.frame.encode(&found.previous);
        assert!(again == bytes[..found.length] && digest == found.digest);
    }
    // Checksums keep a fuzzer out of what lies behind them.
    if let Some((count, payload)) = bytes.split_first()
        && let Some(batches) = frame::decode_batches(payload, u32::from(*count))
    {
        let frame = Frame { number: 1, first: 1, epoch: 1, batches };
        let (again, _) = frame.encode(&[0; 32]);
        assert_eq!(frame::decode(&again).ok().map(|found| found.frame), Some(frame));
    }
    let owner = bytes.get(12..28).and_then(|id| id.try_into().ok()).unwrap_or([0; 16]);
    if let Ok(mut segment) = Segment::parse(path, bytes.to_vec(), &owner) {
        while let Some(Ok(_)) = segment.next() {}
        let _ = segment.has_successor(0);
    }
    let _ = Manifest::parse(path, bytes);
    let _ = export::read_from(path, bytes, |_| Ok(()));
    if let Some((head, inline)) = Head::parse(bytes) {
        assert!(head.parts.is_some() || head.value(inline) == bytes);
        let _ = head.part_count();
    }
    if let Some(mark) = Mark::parse(bytes) {
        assert_eq!(mark.value(), bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(name: &str) -> Vec<u8> {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/store_file");
        std::fs::read(corpus.join(name)).unwrap()
    }

    /// A corpus that every reader refuses at its first byte would teach a fuzzer nothing.
    #[test]
    fn the_corpus_holds_what_each_reader_accepts() {
        let path = Path::new("sample");
        assert!(frame::decode(&sample("frame")).is_ok());
        let batches = sample("batches");
        assert!(frame::decode_batches(&batches[1..], u32::from(batches[0])).is_some());
        let mut segment = Segment::parse(path, sample("segment"), &[7; 16]).unwrap();
        assert!(segment.start.is_some());
        assert!(
            segment.next().unwrap().is_ok() && segment.next().unwrap().is_ok() && segment.next().is_none()
        );
        assert!(Manifest::parse(path, &sample("manifest")).is_ok());
        let read = export::read_from(path, sample("export").as_slice(), |_| Ok(()));
        assert_eq!(read.unwrap().entries, 2);
        for name in ["record", "split_record"] {
            assert!(Head::parse(&sample(name)).is_some(), "{name}");
        }
        assert!(Mark::parse(&sample("mark")).is_some());
    }
}
