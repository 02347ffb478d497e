use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;
use tempfile::TempDir;

use super::disk::Disk;
use super::faulty::{Failure, FaultyDisk};
use super::frame::{Change, Content, Frame, decode};
use super::manifest::{Manifest, Position};
use super::{Bounds, Log, Scan, segment};
use crate::StorageError;

const STORE: [u8; 16] = [7; 16];

fn change(key: u8, length: usize) -> Change {
    let value = (length > 0).then(|| Content { stamp: u64::from(key), bytes: vec![key; length] });
    Change { key: vec![key; 3], value }
}

fn frame(number: u64) -> Frame {
    let batches = vec![vec![change(1, 40), change(2, 0)], vec![change(3, 200)]];
    Frame { number, first: number * 2 - 1, epoch: 4, batches }
}

struct Bench {
    directory: TempDir,
    disk: FaultyDisk,
}

impl Bench {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), disk: FaultyDisk::default() }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn scan(&self, known: u64) -> Result<(Scan, Vec<Frame>), StorageError> {
        scan(self.path(), known)
    }

    fn open(&self) -> Log {
        let (found, _) = self.scan(0).unwrap();
        Log::open(Arc::new(self.disk.clone()), self.path(), STORE, found)
    }

    /// A log of `frames` frames in segments of three or so.
    fn filled(frames: u64) -> Self {
        let bench = Self::new();
        let mut log = bench.open();
        log.set_segment_bytes(1200);
        for number in 1..=frames {
            log.append(frame(number).batches, 4).unwrap();
        }
        bench
    }
}

fn scan(directory: &Path, known: u64) -> Result<(Scan, Vec<Frame>), StorageError> {
    let mut frames = Vec::new();
    let bounds = Bounds { base: Position::default(), known };
    let found = Scan::run(&segment::list(directory)?, &STORE, &bounds, |frame| {
        frames.push(frame);
        Ok(())
    })?;
    Ok((found, frames))
}

fn segments(directory: &Path) -> Vec<PathBuf> {
    segment::list(directory).unwrap().into_iter().map(|(_, path)| path).collect()
}

#[test]
fn a_frame_reads_back_and_any_changed_byte_of_it_is_noticed() {
    let (bytes, digest) = frame(3).encode(&[9; 32]);
    let found = decode(&bytes).unwrap();
    assert_eq!((found.frame, found.previous, found.digest), (frame(3), [9; 32], digest));
    assert_eq!(found.length, bytes.len());
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        assert!(decode(&flipped).is_err(), "byte {at}");
        assert!(decode(&bytes[..at]).is_err(), "cut at {at}");
    }
}

#[test]
fn a_log_is_read_as_it_was_written_over_segments_and_openings() {
    let bench = Bench::filled(10);
    assert!(segments(bench.path()).len() > 2, "several segments");
    let mut log = bench.open();
    assert_eq!(log.end().frame, 10);
    log.append(frame(11).batches, 4).unwrap();
    log.append(Vec::new(), 5).unwrap();
    let (found, frames) = bench.scan(12).unwrap();
    assert_eq!(frames[..11], (1..=11).map(frame).collect::<Vec<_>>());
    assert_eq!(
        (frames[11].batches.len(), frames[11].epoch),
        (0, 5),
        "a grant of an epoch is a frame without batches"
    );
    assert_eq!((found.end.seq, found.end.epoch, found.torn), (22, 5, false));
}

#[test]
fn opening_does_not_write() {
    let bench = Bench::filled(3);
    let before = segments(bench.path());
    drop(bench.open());
    assert_eq!(segments(bench.path()), before);
}

#[test]
fn a_cut_anywhere_in_the_last_segment_is_a_torn_tail_unless_the_frame_is_known() {
    let bench = Bench::filled(8);
    let last = segments(bench.path()).pop().unwrap();
    let whole = std::fs::read(&last).unwrap();
    for cut in 0..whole.len() {
        std::fs::write(&last, &whole[..cut]).unwrap();
        let (found, frames) = bench.scan(0).unwrap();
        assert_eq!(frames, (1..=found.end.frame).map(frame).collect::<Vec<_>>(), "cut at {cut}");
        assert!(found.end.frame < 8);
        assert!(matches!(bench.scan(8), Err(StorageError::Corrupt(_))), "cut at {cut}: frame 8 is known");
    }
}

#[test]
fn a_cut_in_an_earlier_segment_is_damage_that_is_named() {
    let bench = Bench::filled(10);
    let first = segments(bench.path()).remove(0);
    let whole = std::fs::read(&first).unwrap();
    for cut in 0..whole.len() {
        std::fs::write(&first, &whole[..cut]).unwrap();
        let error = bench.scan(0).unwrap_err().to_string();
        assert!(error.contains(".log` at offset"), "cut at {cut}: {error}");
    }
}

#[test]
fn a_missing_segment_is_damage() {
    for (at, name) in [(0, "first"), (1, "middle")] {
        let bench = Bench::filled(12);
        std::fs::remove_file(&segments(bench.path())[at]).unwrap();
        assert!(matches!(bench.scan(0), Err(StorageError::Corrupt(_))), "{name}");
    }
    let bench = Bench::filled(12);
    std::fs::remove_file(segments(bench.path()).pop().unwrap()).unwrap();
    assert!(matches!(bench.scan(12), Err(StorageError::Corrupt(_))), "last");
}

#[test]
fn a_torn_tail_is_left_behind_by_the_next_segment() {
    let bench = Bench::filled(3);
    let mut last =
        std::fs::OpenOptions::new().append(true).open(segments(bench.path()).pop().unwrap()).unwrap();
    let (torn, _) = frame(4).encode(&[1; 32]);
    std::io::Write::write_all(&mut last, &torn[..torn.len() - 1]).unwrap();
    let (found, _) = bench.scan(0).unwrap();
    assert!(found.torn && found.end.frame == 3);
    let mut log = bench.open();
    log.append(frame(4).batches, 4).unwrap();
    log.append(frame(5).batches, 4).unwrap();
    assert_eq!(bench.scan(5).unwrap().1, (1..=5).map(frame).collect::<Vec<_>>());
}

#[test]
fn a_segment_of_another_store_or_a_newer_version_is_refused() {
    let bench = Bench::filled(2);
    let path = segments(bench.path()).remove(0);
    let error = segment::Segment::peek(&path, &[8; 16]).unwrap_err();
    assert!(error.to_string().contains("another store"), "{error}");
    // What is called otherwise is not ours.
    std::fs::write(bench.path().join("000000000099.txt"), b"x").unwrap();
    assert_eq!(bench.scan(2).unwrap().0.end.frame, 2);
}

#[test]
fn after_a_failed_write_or_sync_the_frame_goes_to_a_new_segment_and_counts_once() {
    let cases =
        [vec![Failure::Short(0)], vec![Failure::Short(100)], vec![Failure::Append], vec![Failure::Sync]];
    for failures in cases {
        let bench = Bench::new();
        let mut log = bench.open();
        log.append(frame(1).batches, 4).unwrap();
        bench.disk.next(failures.clone());
        log.append(frame(2).batches, 4).unwrap();
        log.append(frame(3).batches, 4).unwrap();
        assert_eq!(segments(bench.path()).len(), 2, "{failures:?}");
        assert_eq!(bench.scan(3).unwrap().1, (1..=3).map(frame).collect::<Vec<_>>(), "{failures:?}");
    }
}

#[test]
fn a_frame_that_fails_twice_is_uncertain_only_if_a_sync_failed() {
    let cases = [
        (vec![Failure::Append, Failure::Create], false),
        (vec![Failure::Short(3), Failure::None, Failure::Short(0)], false),
        (vec![Failure::Sync, Failure::Create], true),
        (vec![Failure::Sync, Failure::Sync], true),
    ];
    for (failures, uncertain) in cases {
        let bench = Bench::new();
        let mut log = bench.open();
        log.append(frame(1).batches, 4).unwrap();
        bench.disk.next(failures.clone());
        let failed = log.append(frame(2).batches, 4).unwrap_err();
        assert_eq!(failed.uncertain, uncertain, "{failures:?}");
        assert_eq!(failed.batches, frame(2).batches);
        // Another frame takes its number: what of the first is on the disk must not count.
        log.append(vec![vec![change(9, 9)]], 4).unwrap();
        let (_, frames) = bench.scan(2).unwrap();
        assert_eq!(frames[1].batches, [vec![change(9, 9)]], "{failures:?}");
        assert_eq!(frames.len(), 2);
    }
}

#[test]
fn a_full_disk_leaves_no_segments_behind() {
    let bench = Bench::filled(1);
    let mut log = bench.open();
    bench.disk.for_ever(Some(Failure::Short(0)));
    for _ in 0..20 {
        assert!(matches!(log.append(frame(2).batches, 4).unwrap_err().error, StorageError::Full(_)));
    }
    assert_eq!(segments(bench.path()).len(), 1);
    bench.disk.for_ever(None);
    log.append(frame(2).batches, 4).unwrap();
    assert_eq!(bench.scan(2).unwrap().1.len(), 2);
}

#[test]
fn segments_before_the_base_go_and_need_not_be_there() {
    let bench = Bench::filled(12);
    let mut log = bench.open();
    let (found, _) = bench.scan(0).unwrap();
    let mut positions = Vec::new();
    let mut at = Position::default();
    for number in 1..=found.end.frame {
        let (_, digest) = frame(number).encode(&at.digest);
        at = Position { frame: number, seq: number * 2, epoch: 4, digest };
        positions.push(at);
    }
    for base in &positions {
        log.retire(base).unwrap();
        let bounds = Bounds { base: *base, known: 12 };
        let mut seen = Vec::new();
        let kept = segment::list(bench.path()).unwrap();
        let found = Scan::run(&kept, &STORE, &bounds, |frame| {
            seen.push(frame.number);
            Ok(())
        });
        assert_eq!(found.unwrap().end, positions[11], "base {}", base.frame);
        assert_eq!(seen, (base.frame + 1..=12).collect::<Vec<_>>());
    }
    assert!(segments(bench.path()).is_empty(), "all of it is in the export");
}

/// Names that were removed may come back when the power goes, in any order.
#[test]
fn segments_of_before_the_base_may_be_there_alone() {
    let bench = Bench::filled(12);
    let (found, _) = bench.scan(0).unwrap();
    for path in segments(bench.path()).iter().skip(1) {
        std::fs::remove_file(path).unwrap();
    }
    let listed = segment::list(bench.path()).unwrap();
    let run = |known| Scan::run(&listed, &STORE, &Bounds { base: found.end, known }, |_| Ok(()));
    for known in [0, found.end.frame] {
        assert_eq!(run(known).unwrap().end, found.end);
    }
    assert!(run(found.end.frame + 1).is_err(), "what came behind the base is missing");
    // The first one behind the base was being made when the power went.
    std::fs::write(bench.path().join("000000000099.log"), b"half a header").unwrap();
    let listed = segment::list(bench.path()).unwrap();
    let torn = Scan::run(&listed, &STORE, &Bounds { base: found.end, known: found.end.frame }, |_| Ok(()));
    assert_eq!(torn.unwrap().end, found.end);
}

fn manifest() -> Manifest {
    let at = Position { frame: 3, seq: 9, epoch: 2, digest: [5; 32] };
    let export = "0.export".to_owned();
    Manifest { format: 1, store: STORE, checkpoint: at, base: Position::default(), export, closed: None }
}

#[test]
fn a_manifest_reads_back_and_any_changed_byte_of_it_is_noticed() {
    let bench = Bench::new();
    assert_eq!(Manifest::read(bench.path()).unwrap(), None);
    manifest().write(&bench.disk, bench.path()).unwrap();
    assert_eq!(Manifest::read(bench.path()).unwrap(), Some(manifest()));
    let path = super::manifest::path(bench.path());
    let whole = std::fs::read(&path).unwrap();
    for at in 0..whole.len() - 1 {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        std::fs::write(&path, &flipped).unwrap();
        let error = Manifest::read(bench.path()).unwrap_err();
        assert!(
            matches!(&error, StorageError::Corrupt(text) if text.contains("manifest` at offset")),
            "byte {at}"
        );
    }
}

#[test]
fn a_manifest_of_a_newer_version_says_so() {
    let bench = Bench::new();
    Manifest { format: 2, ..manifest() }.write(&bench.disk, bench.path()).unwrap();
    let error = Manifest::read(bench.path()).unwrap_err();
    assert!(error.to_string().contains("newer version (format 2; this one reads 1)"), "{error}");
}

#[test]
fn a_manifest_that_cannot_be_replaced_stays() {
    for failure in [Failure::Create, Failure::Short(10), Failure::Sync] {
        let bench = Bench::new();
        manifest().write(&bench.disk, bench.path()).unwrap();
        bench.disk.next([failure]);
        let changed = Manifest { export: "1.export".to_owned(), ..manifest() };
        assert!(changed.write(&bench.disk, bench.path()).is_err(), "{failure:?}");
        assert_eq!(Manifest::read(bench.path()).unwrap(), Some(manifest()), "{failure:?}");
        changed.write(&bench.disk, bench.path()).unwrap();
        assert_eq!(Manifest::read(bench.path()).unwrap(), Some(changed), "{failure:?}");
    }
}

#[test]
fn files_are_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = Bench::filled(1);
    for path in segments(bench.path()) {
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert!(bench.disk.create(&segments(bench.path())[0]).is_err(), "nothing is overwritten");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever byte is changed, wherever the last segment is cut: the frames that are read are a beginning of those
    /// that were written, and damage is only silent where it could be a torn tail.
    #[test]
    fn damage_is_named_or_is_a_torn_tail(frames in 2..14_u64, place in any::<prop::sample::Index>(), flip in 1..=255_u8) {
        let bench = Bench::filled(frames);
        let files = segments(bench.path());
        let total: u64 = files.iter().map(|path| std::fs::metadata(path).unwrap().len()).sum();
        let mut at = place.index(usize::try_from(total).unwrap());
        let damaged = files
            .iter()
            .find(|path| {
                let length = usize::try_from(std::fs::metadata(path).unwrap().len()).unwrap();
                let here = at < length;
                if !here {
                    at -= length;
                }
                here
            })
            .unwrap();
        let mut bytes = std::fs::read(damaged).unwrap();
        bytes[at] ^= flip;
        std::fs::write(damaged, &bytes).unwrap();
        match bench.scan(0) {
            Ok((found, read)) => {
                prop_assert_eq!(read, (1..=found.end.frame).map(frame).collect::<Vec<_>>());
                prop_assert!(found.torn && found.end.frame == frames - 1, "only the last frame can look torn");
                prop_assert!(bench.scan(frames).is_err(), "a known frame is no torn tail");
            }
            Err(StorageError::Corrupt(text)) => {
                let named = text.contains(damaged.file_name().unwrap().to_str().unwrap());
                prop_assert!(named && text.contains("at offset"), "{}", text);
            }
            Err(other) => prop_assert!(false, "{}", other),
        }
    }
}
