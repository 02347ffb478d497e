//! Turns keys and bytes into sealed bytes and back; pure, synchronous, no clock, no IO.
//!
//! The key hierarchy, outermost first: a [`SealKey`] (put together from shares, or derived from a passphrase)
//! wraps the [`RootKey`], which wraps the [`Keyring`], whose newest term seals records. Beside the terms the
//! keyring holds two keys that never rotate: the [`NameKey`] for names and the [`MacKey`] for ids.
//!
//! | file | what it does | source |
//! |---|---|---|
//! | `aead` | seals and opens one record | XChaCha20-Poly1305, draft-irtf-cfrg-xchacha-03 |
//! | `sealed` | the only type of bytes a physical store accepts | – |
//! | `keys`, `keyring` | the hierarchy above, generated, wrapped and rotated | – |
//! | `names` | hides names, equal ones alike under the same parent | AES-256-SIV, RFC 5297 |
//! | `mac` | ids of tokens, hashes in audit lines | HMAC-SHA-256, RFC 2104, RFC 4231 |
//! | [`shamir`] | splits a key among people | GF(256), Vault's share layout |
//! | `password` | a key from a passphrase | Argon2id, RFC 9106 |
//! | `secret`, [`exposed`] | strings and bytes that do not show themselves | – |
//! | [`entropy`] | where random bytes come from | – |
//!
//! Invariants: no secret type implements `Display` or `Serialize`, and each prints itself as `[redacted]`;
//! key material is zeroized when dropped; every way to fail to open looks alike from outside. It knows
//! nothing of storage keys, records, tokens or seals: callers hand in bytes.
#![cfg_attr(test, allow(clippy::cast_possible_truncation, reason = "tests make bytes of small counters"))]

mod aead;
pub mod entropy;
pub mod exposed;
mod keyring;
mod keys;
mod mac;
mod names;
mod password;
mod sealed;
mod secret;
pub mod shamir;

pub use aead::OpenError;
#[cfg(any(test, feature = "testing"))]
pub use entropy::SeededEntropy;
pub use entropy::{Entropy, OsEntropy};
pub use keyring::Keyring;
pub use keys::{DataKey, RootKey, SealKey};
pub use mac::{MacKey, Salt, constant_time_eq};
pub use names::NameKey;
pub use password::{PasswordError, PasswordParams};
pub use sealed::{ClearHeader, Sealed};
pub use secret::{SecretBytes, SecretString};
pub use shamir::ShamirError;

#[cfg(test)]
mod tests;
