//! Keeps ordered sealed bytes durable, and offers the encrypted `View` above them.
//!
//! - [`physical`]: where sealed bytes lie: `memory` and `sled` behind one trait, [`Physical`].
//! - [`barrier`]: the encrypting layer; engines hold only a `View` of it.
//!
//! Invariants: plaintext never reaches [`Physical`] (it trades in `Sealed`); `commit` answering `Ok` means durable;
//! names that users chose are sealed segment by segment. Knows nothing of mounts, policies, tokens or HTTP.

pub mod barrier;
mod batch;
mod error;
mod export;
mod key;
mod log;
pub mod physical;
mod rebuild;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use barrier::{
    Barrier, Changes, Child, Cursor, Empty, Item, Page, Part, Place, RawBytes, Record, SegmentId, Stamped,
    View,
};
pub use batch::{Batch, Claim, Epoch, Expect, Op, Seq, Stamp, StampRule};
pub use error::StorageError;
pub use key::{Key, Segment};
pub use physical::memory::MemoryStore;
pub use physical::sled::{Exported, SledOptions, SledStore, StoreFacts, compact, restore};
pub use physical::{Leadership, Physical, Seek, Stored, Watcher};
pub use rebuild::Rebuilt;
