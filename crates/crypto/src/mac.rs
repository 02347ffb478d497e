//! Ids that do not give away what they are ids of: HMAC-SHA-256 with a secret key (RFC 2104).
//!
//! Invariants: ids of different domains never meet, whatever the inputs, because the domain is hashed with
//! its length in front. Anything compared with a secret goes through [`constant_time_eq`]. It does not know
//! what a token is.

use hmac::{Hmac, Mac};
use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::Serializer;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::SecretString;
use crate::exposed::Exposable;
use crate::keys::{KEY_LEN, key};

/// Bytes of an HMAC-SHA-256.
const MAC_LEN: usize = 32;
/// Bytes that SHA-256 takes at a time; RFC 2104 pads a shorter key to this with zeros.
const BLOCK_LEN: usize = 64;

/// Whether two byte strings are equal, in a time that depends on their lengths only.
pub fn constant_time_eq(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

key! {
    /// The key behind the ids of tokens and accessors. Part of the keyring, never rotated: an id must stay what
    /// it is.
    MacKey, KEY_LEN
}

impl MacKey {
    /// The id of `input` in `domain`: HMAC over the domain's length (u64, big-endian), the domain and the
    /// input.
    pub fn id(&self, domain: &str, input: &[u8]) -> [u8; MAC_LEN] {
        let length = (domain.len() as u64).to_be_bytes();
        hmac(self.bytes(), &[&length, domain.as_bytes(), input])
    }

    /// [`MacKey::id`] in lower-case hex.
    pub fn hex_id(&self, domain: &str, input: &[u8]) -> String {
        hex::encode(self.id(domain, input))
    }
}

key! {
    /// An audit device's own key, so that the hashes of two devices do not match. In records it is 64 hex digits,
    /// written with [`crate::exposed`].
    Salt, KEY_LEN
}

impl Salt {
    /// HMAC-SHA-256 of `input` alone, in lower-case hex and without a prefix.
    pub fn hmac_hex(&self, input: &[u8]) -> String {
        hex::encode(hmac(self.bytes(), &[input]))
    }
}

impl Exposable for Salt {
    fn expose_to<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = Zeroizing::new(hex::encode(self.bytes()));
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Salt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = SecretString::deserialize(deserializer)?;
        let mut bytes = Zeroizing::new([0; KEY_LEN]);
        // The decoder's own error names the digit it stumbled over.
        hex::decode_to_slice(text.expose(), bytes.as_mut_slice())
            .map_err(|_| D::Error::custom("expected 64 hex digits"))?;
        Ok(Self(bytes))
    }
}

fn hmac(key: &[u8; KEY_LEN], parts: &[&[u8]]) -> [u8; MAC_LEN] {
    let mut block = Zeroizing::new([0; BLOCK_LEN]);
    for (to, from) in block.iter_mut().zip(key) {
        *to = *from;
    }
    let mut mac = <Hmac<Sha256> as hmac::digest::KeyInit>::new((&*block).into());
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests;
