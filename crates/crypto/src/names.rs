//! Hides names: deterministic authenticated encryption with AES-256-SIV (RFC 5297), the parent path as
//! associated data.
//!
//! Invariants: the same name under the same parent always seals to the same bytes, so it can be looked up;
//! under another parent it looks different and does not open. The order of sealed names is not that of the
//! names, and their length is that of the name plus 16. It does not know what a parent is.

use aes_siv::KeyInit;
use aes_siv::siv::Aes256Siv;
use zeroize::Zeroize;

use crate::OpenError;
use crate::keys::key;

/// Two AES-256 keys: one for the synthetic nonce, one for the stream.
pub(crate) const NAME_KEY_LEN: usize = 64;

key! {
    /// The key for names. It is made once and only rewrapped, never rotated: names would change place.
    NameKey, NAME_KEY_LEN
}

impl NameKey {
    /// The sealed form of `name` under `parent`: always the same, 16 bytes longer than the name.
    pub fn seal(&self, parent: &[u8], name: &str) -> Vec<u8> {
        self.seal_bytes(parent, name.as_bytes())
    }

    /// The reverse of [`NameKey::seal`].
    pub fn open(&self, parent: &[u8], sealed: &[u8]) -> Result<String, OpenError> {
        let name = self.cipher().decrypt([parent], sealed).map_err(|_| OpenError::Damaged)?;
        String::from_utf8(name).map_err(|error| {
            error.into_bytes().zeroize();
            OpenError::Damaged
        })
    }

    #[expect(clippy::expect_used, reason = "the cipher refuses only more than 126 headers, and there is one")]
    fn seal_bytes(&self, parent: &[u8], name: &[u8]) -> Vec<u8> {
        self.cipher().encrypt([parent], name).expect("one header is no more than 126")
    }

    fn cipher(&self) -> Aes256Siv {
        Aes256Siv::new(self.bytes().into())
    }
}

#[cfg(test)]
mod tests;
