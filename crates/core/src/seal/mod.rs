//! How the root key is kept: split among people, behind a passphrase, or under a key in a file.
//!
//! Whatever the kind, the root key is wrapped by a 32-byte [`SealKey`]; kinds differ in where that key comes from. The
//! stored configuration and the wrapped root key lie outside the barrier, for they are needed before it opens.

mod init;
mod key_file;
mod progress;
mod stored;

use std::path::PathBuf;

pub use init::{InitAsk, InitOutcome};
pub(crate) use init::{InitPlan, own_key};
pub(crate) use progress::{Progress, Submitted, refuse_unreadable};
pub(crate) use stored::{StoredKind, StoredSeal, keyring_key};

/// How a new vault is sealed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SealSettings {
    /// The key is split into shares, some of which put it together again.
    #[default]
    Shamir,
    /// The key is derived from a passphrase: for a single operator.
    Passphrase,
    /// The key lies in a file (or a systemd credential), for restarts that nobody attends.
    File {
        /// Where the key lies; made at initialisation when it is missing.
        path: PathBuf,
    },
}
