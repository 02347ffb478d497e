//! Reads the log from end to end and tells a torn tail from damage.
//!
//! Invariants: every frame that counts is visited once, in order, and checked against the one before. Knows nothing of
//! appending.

use std::path::PathBuf;

use super::SegmentFacts;
use super::frame::{Found, Frame};
use super::manifest::Position;
use super::segment::{Segment, Start, StoreId};
use crate::StorageError;

/// What a log holds.
#[derive(Debug)]
pub(crate) struct Scan {
    /// Behind the last frame that counts.
    pub(crate) end: Position,
    /// Oldest first.
    pub(crate) segments: Vec<SegmentFacts>,
    /// Whether a torn tail was found and is not counted.
    pub(crate) torn: bool,
}

/// Where to begin, and what must be there.
pub(crate) struct Bounds {
    /// Frames up to here need not be there.
    pub(crate) base: Position,
    /// This frame and all before it were acknowledged, so they cannot be a torn tail.
    pub(crate) known: u64,
}

struct Walk<'a> {
    at: Option<Position>,
    bounds: &'a Bounds,
    segments: Vec<SegmentFacts>,
    torn: bool,
}

/// What comes behind a segment.
struct Follows {
    /// The start of the nearest segment with a header.
    next: Option<Start>,
    /// Whether that is the one right behind.
    adjacent: bool,
    /// Whether there is none at all.
    last: bool,
}

impl Scan {
    /// Visits every frame behind `bounds.base` in `segments`.
    pub(crate) fn run(
        segments: &[(u64, PathBuf)],
        store: &StoreId,
        bounds: &Bounds,
        mut visit: impl FnMut(Frame) -> Result<(), StorageError>,
    ) -> Result<Self, StorageError> {
        let mut walk = Walk { at: None, bounds, segments: Vec::new(), torn: false };
        let mut starts = Vec::with_capacity(segments.len());
        for (_, path) in segments {
            starts.push(Segment::peek(path, store)?);
        }
        for (at, (index, path)) in segments.iter().enumerate() {
            let next = starts.iter().skip(at + 1).flatten().next().copied();
            if let (Some(next), None) = (next, walk.at)
                && next.first <= bounds.base.frame + 1
            {
                // Left over from before the base export: nothing in it counts any more.
                walk.segments.push(facts(*index, path, 0));
                continue;
            }
            let segment = Segment::read(path, store)?;
            let last = at + 1 == segments.len();
            let follows = Follows { next, adjacent: starts.get(at + 1).is_some_and(Option::is_some), last };
            walk.segment(segment, follows, &mut visit)?;
            let end = walk.at.map_or(0, |at| at.frame);
            walk.segments.push(facts(*index, path, end));
        }
        // Segments of before the base export may be there alone, when it was the last thing that happened.
        let end = walk.at.filter(|at| at.frame >= bounds.base.frame || bounds.known > bounds.base.frame);
        let end = end.unwrap_or(bounds.base);
        if end.frame < bounds.known.max(bounds.base.frame) {
            let newest = segments
                .last()
                .map_or_else(|| "the log".to_owned(), |(_, path)| format!("`{}`", path.display()));
            let offset = walk.segments.last().map_or(0, |segment| segment.bytes);
            return Err(StorageError::Corrupt(format!(
                "{newest} at offset {offset}: the log ends with frame {}, but frame {} was acknowledged",
                end.frame, bounds.known
            )));
        }
        Ok(Self { end, segments: walk.segments, torn: walk.torn })
    }
}

fn facts(index: u64, path: &std::path::Path, last: u64) -> SegmentFacts {
    let bytes = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    SegmentFacts { index, path: path.to_owned(), last, bytes }
}

impl Walk<'_> {
    fn segment(
        &mut self,
        mut segment: Segment,
        Follows { next, adjacent, last }: Follows,
        visit: &mut impl FnMut(Frame) -> Result<(), StorageError>,
    ) -> Result<(), StorageError> {
        let Some(start) = segment.start else {
            // A header that was being written at a crash has nothing behind it. What lies before it may be of before the base.
            let next = self.frame().max(self.bounds.base.frame) + 1;
            if segment.has_successor(0) || (last && self.known(next)) {
                return Err(segment.damage("the segment's header is damaged"));
            }
            self.torn = true;
            return Ok(());
        };
        self.enter(&segment, &start)?;
        while let Some(found) = segment.next() {
            let expected = self.frame() + 1;
            let taken_over =
                next.is_some_and(|next| next.first == expected && next.previous == self.digest());
            match found {
                Ok(_) | Err(_) if taken_over => return Ok(()),
                Ok(found) => self.frame_found(&mut segment, found, visit)?,
                Err(why) if next.is_some() || segment.has_successor(expected) || self.known(expected) => {
                    return Err(segment.damage(why));
                }
                Err(_) => {
                    self.torn = true;
                    return Ok(());
                }
            }
        }
        match next {
            // When the one right behind has no header, it is looked at first.
            Some(next) if adjacent && (next.first != self.frame() + 1 || next.previous != self.digest()) => {
                Err(segment.damage("frames are missing between this segment and the next"))
            }
            _ => Ok(()),
        }
    }

    /// Checks that `start` takes over where the walk is.
    fn enter(&mut self, segment: &Segment, start: &Start) -> Result<(), StorageError> {
        match self.at {
            Some(at) if start.first != at.frame + 1 || start.previous != at.digest => {
                Err(segment.damage("frames are missing before this segment"))
            }
            Some(_) => Ok(()),
            None if start.first > self.bounds.base.frame + 1 => {
                Err(segment.damage("frames are missing between the base export and this segment"))
            }
            None if start.first == self.bounds.base.frame + 1 => {
                if start.previous != self.bounds.base.digest {
                    return Err(segment.damage("the segment does not follow the base export"));
                }
                self.at = Some(self.bounds.base);
                Ok(())
            }
            None => {
                let frame = start.first.saturating_sub(1);
                self.at = Some(Position { frame, seq: 0, epoch: 0, digest: start.previous });
                Ok(())
            }
        }
    }

    fn frame_found(
        &mut self,
        segment: &mut Segment,
        found: Found,
        visit: &mut impl FnMut(Frame) -> Result<(), StorageError>,
    ) -> Result<(), StorageError> {
        let at = self.at.unwrap_or(self.bounds.base);
        let counted = at.frame >= self.bounds.base.frame;
        let frame = found.frame;
        if frame.number != at.frame + 1
            || found.previous != at.digest
            || (counted && frame.first != at.seq + 1)
        {
            segment.step_back(found.length);
            return Err(segment.damage("the frame does not follow the one before"));
        }
        let seq = (frame.first + frame.batches.len() as u64).saturating_sub(1);
        let position = Position { frame: frame.number, seq, epoch: frame.epoch, digest: found.digest };
        self.at = Some(position);
        if frame.number == self.bounds.base.frame && position != self.bounds.base {
            segment.step_back(found.length);
            return Err(segment.damage("the frame is not the one that the base export ends with"));
        }
        if frame.number > self.bounds.base.frame { visit(frame) } else { Ok(()) }
    }

    fn known(&self, frame: u64) -> bool {
        frame <= self.bounds.known.max(self.bounds.base.frame)
    }

    fn frame(&self) -> u64 {
        self.at.map_or(self.bounds.base.frame, |at| at.frame)
    }

    fn digest(&self) -> super::frame::Digest {
        self.at.map_or(self.bounds.base.digest, |at| at.digest)
    }
}
