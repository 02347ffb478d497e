//! Key shares that have come in. They are kept in memory only, and wiped when the key is put together or wrong.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use vestal_crypto::{RootKey, SealKey, SecretBytes, SecretString};
use vestal_logical::Error;

use super::stored::{StoredKind, StoredSeal};

/// The shares so far. Two people who send at the same time both count: the vault holds its lock while a share is added.
#[derive(Default)]
pub(crate) struct Progress {
    /// Names this attempt; empty before the first share.
    pub(crate) nonce: String,
    shares: Vec<SecretBytes>,
}

/// What came of a share.
pub(crate) enum Submitted {
    /// More are needed.
    Waiting,
    /// The root key is open.
    Open(RootKey),
}

impl Progress {
    /// How many different shares have come in.
    pub(crate) fn count(&self) -> usize {
        self.shares.len()
    }

    /// Takes one share, or the passphrase. A share that came before counts once; at the threshold the key is put
    /// together, and if it does not open the root key everything starts over.
    pub(crate) fn submit(
        &mut self,
        seal: &StoredSeal,
        key: &SecretString,
        nonce: String,
    ) -> Result<Submitted, Error> {
        let seal_key = match &seal.kind {
            StoredKind::Passphrase { params } => params.derive(key).map_err(Error::internal)?,
            StoredKind::File => {
                return Err(Error::invalid("this vault unseals itself with the key in its seal file"));
            }
            StoredKind::Shamir { threshold, shares } => {
                self.add(decode(key)?, *shares, nonce)?;
                if self.count() < usize::from(*threshold) {
                    return Ok(Submitted::Waiting);
                }
                let taken = std::mem::take(self);
                SealKey::combine(&taken.shares).map_err(|_| wrong())?
            }
        };
        seal.unwrap_root(&seal_key).map(Submitted::Open).ok_or_else(wrong)
    }

    fn add(&mut self, share: SecretBytes, shares: u8, nonce: String) -> Result<(), Error> {
        let length = if shares == 1 { 32 } else { 33 };
        if share.len() != length {
            return Err(Error::invalid(format!("invalid key: a key share of this vault has {length} bytes")));
        }
        if self.shares.is_empty() {
            self.nonce = nonce;
        }
        if !self.shares.contains(&share) {
            self.shares.push(share);
        }
        Ok(())
    }
}

/// That this is no share at all is told also when none is needed.
pub(crate) fn refuse_unreadable(seal: &StoredSeal, key: &SecretString) -> Result<(), Error> {
    match seal.kind {
        StoredKind::Shamir { .. } => decode(key).map(drop),
        StoredKind::Passphrase { .. } | StoredKind::File => Ok(()),
    }
}

fn wrong() -> Error {
    Error::invalid("unseal failed: the given key does not open this vault; start over with the right shares")
}

/// Shares come in hex or base64, and may be mixed.
fn decode(key: &SecretString) -> Result<SecretBytes, Error> {
    let text = key.expose().trim();
    hex::decode(text)
        .or_else(|_| STANDARD.decode(text))
        .map(SecretBytes::new)
        .map_err(|_| Error::invalid("'key' must be a valid hex or base64 string"))
}
