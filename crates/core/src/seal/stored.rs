//! The seal's configuration and the wrapped root key, as stored outside the barrier.

use serde::{Deserialize, Serialize};
use vestal_crypto::{ClearHeader, PasswordParams, RootKey, SealKey, Sealed};
use vestal_logical::Error;
use vestal_storage::{Key, Physical, StorageError};

/// Where the key that wraps the root key comes from.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StoredKind {
    /// Put together from shares.
    Shamir {
        /// How many there are.
        shares: u8,
        /// How many are needed.
        threshold: u8,
    },
    /// Derived from a passphrase.
    Passphrase {
        /// The cost of deriving it, and its salt.
        params: PasswordParams,
    },
    /// Read from a file that the configuration names.
    File,
}

impl StoredKind {
    /// The word of `sys/seal-status`.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Shamir { .. } => "shamir",
            Self::Passphrase { .. } => "passphrase",
            Self::File => "file",
        }
    }

    /// Threshold and number of shares; one of one for kinds without shares.
    pub(crate) fn quorum(&self) -> (u8, u8) {
        match self {
            Self::Shamir { shares, threshold } => (*threshold, *shares),
            Self::Passphrase { .. } | Self::File => (1, 1),
        }
    }
}

/// What lies at `core/seal`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StoredSeal {
    format: u8,
    pub(crate) kind: StoredKind,
    /// The root key, wrapped, in hex.
    wrapped_root: String,
    /// Names this vault among others; shown when unsealed.
    pub(crate) cluster_id: String,
}

const FORMAT: u8 = 1;

/// Where the seal's configuration lies.
pub(crate) fn seal_key() -> Key {
    Key::root().plain("core").plain("seal")
}

/// Where the wrapped keyring lies.
pub(crate) fn keyring_key() -> Key {
    Key::root().plain("core").plain("keyring")
}

impl StoredSeal {
    pub(crate) fn new(kind: StoredKind, wrapped_root: &Sealed, cluster_id: String) -> Self {
        Self { format: FORMAT, kind, wrapped_root: hex::encode(wrapped_root.as_bytes()), cluster_id }
    }

    /// As stored bytes.
    pub(crate) fn to_sealed(&self) -> Result<Sealed, Error> {
        ClearHeader::new(self).map(Sealed::clear).map_err(Error::internal)
    }

    /// Reads the configuration, or `None` when the store is new.
    pub(crate) async fn read(physical: &dyn Physical) -> Result<Option<Self>, Error> {
        let Some(stored) = physical.get(&seal_key()).await? else { return Ok(None) };
        let damaged = || StorageError::Corrupt("the seal configuration".to_owned());
        let header = stored.sealed.clear_header().ok_or_else(damaged)?;
        let seal: Self = serde_json::from_slice(header).map_err(|_| damaged())?;
        if seal.format != FORMAT {
            return Err(Error::new(
                vestal_logical::Kind::Internal,
                format!("the seal configuration has format {}, this version reads {FORMAT}", seal.format),
            ));
        }
        Ok(Some(seal))
    }

    /// Opens the root key. Wrong shares, a wrong passphrase and damage look alike.
    pub(crate) fn unwrap_root(&self, key: &SealKey) -> Option<RootKey> {
        let wrapped = Sealed::read_back(hex::decode(&self.wrapped_root).ok()?);
        RootKey::unwrap(key, &wrapped).ok()
    }
}
