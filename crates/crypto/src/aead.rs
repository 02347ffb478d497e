//! Seals and opens one record with XChaCha20-Poly1305.
//!
//! Layout: format (1 byte, 1) ‖ term (u32, big-endian) ‖ nonce (24) ‖ ciphertext ‖ tag (16). The associated
//! data is format ‖ term ‖ place, so a record moved to another place, or relabelled with another term, does
//! not open. Nonces are random: at 192 bits they may be drawn for ever under one key.
//!
//! Invariants: nothing is handed out before the tag has been verified. It does not know what a place is, and
//! it does not hide how long the plaintext was.

use chacha20poly1305::aead::AeadInPlace;
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use zeroize::Zeroizing;

use crate::keys::KEY_LEN;
use crate::{Entropy, Sealed, SecretBytes};

/// First byte of a sealed record.
const FORMAT: u8 = 1;
const NONCE_LEN: usize = 24;
const TAG_LEN: usize = 16;
/// Format and term: the part of a record that is associated data too.
const LABEL_LEN: usize = 5;

/// The term in records that a key outside the keyring has sealed; terms of a keyring start at 1.
pub(crate) const WRAPPED: u32 = 0;

/// Why sealed bytes did not open. There is deliberately no more to learn: a wrong key, a wrong place and a
/// flipped bit are all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The bytes are no sealed record, or one of a version to come.
    #[error("sealed bytes have an unknown format")]
    UnknownFormat,
    /// The keyring has no such term; it may be older than the record.
    #[error("sealed bytes name a key term that the keyring does not hold")]
    UnknownTerm,
    /// The bytes were changed, moved, or sealed with another key.
    #[error("sealed bytes are damaged, misplaced, or sealed with another key")]
    Damaged,
}

/// Seals `plaintext` for `place`.
#[expect(
    clippy::expect_used,
    reason = "the cipher refuses only plaintexts above 256 GiB, which fit in no buffer here"
)]
pub(crate) fn seal(
    key: &[u8; KEY_LEN],
    term: u32,
    place: &[u8],
    plaintext: &[u8],
    entropy: &dyn Entropy,
) -> Sealed {
    let nonce: [u8; NONCE_LEN] = crate::entropy::array(entropy);
    let label = label(term);
    let mut record = Vec::with_capacity(LABEL_LEN + NONCE_LEN + plaintext.len() + TAG_LEN);
    record.extend_from_slice(&label);
    record.extend_from_slice(&nonce);
    // The plaintext lies in this buffer only until it is encrypted in place; the capacity above keeps it from
    // moving.
    record.extend_from_slice(plaintext);
    let (_, body) = record.split_at_mut(LABEL_LEN + NONCE_LEN);
    let tag = XChaCha20Poly1305::new(key.into())
        .encrypt_in_place_detached(&nonce.into(), &associated(label, place), body)
        .expect("plaintext is shorter than 256 GiB");
    record.extend_from_slice(&tag);
    Sealed::from_aead(record)
}

/// Opens a record of the keyring's; `key_of` finds the key of its term.
pub(crate) fn open<'k>(
    key_of: impl FnOnce(u32) -> Option<&'k [u8; KEY_LEN]>,
    place: &[u8],
    sealed: &Sealed,
) -> Result<SecretBytes, OpenError> {
    let (label, rest) = sealed.as_bytes().split_first_chunk::<LABEL_LEN>().ok_or(OpenError::UnknownFormat)?;
    let [FORMAT, term @ ..] = *label else { return Err(OpenError::UnknownFormat) };
    let key = key_of(u32::from_be_bytes(term)).ok_or(OpenError::UnknownTerm)?;
    let (nonce, rest) = rest.split_first_chunk::<NONCE_LEN>().ok_or(OpenError::Damaged)?;
    let (body, tag) = rest.split_last_chunk::<TAG_LEN>().ok_or(OpenError::Damaged)?;
    let mut plaintext = Zeroizing::new(body.to_vec());
    XChaCha20Poly1305::new(key.into())
        .decrypt_in_place_detached(nonce.into(), &associated(*label, place), &mut plaintext, tag.into())
        .map_err(|_| OpenError::Damaged)?;
    Ok(SecretBytes::new(std::mem::take(&mut *plaintext)))
}

/// Opens what a key outside the keyring has sealed.
pub(crate) fn open_wrapped(
    key: &[u8; KEY_LEN],
    place: &[u8],
    sealed: &Sealed,
) -> Result<SecretBytes, OpenError> {
    open(|term| (term == WRAPPED).then_some(key), place, sealed)
}

/// The term a record names, without opening it; `None` when it is no sealed record.
pub(crate) fn term_of(sealed: &Sealed) -> Option<u32> {
    match sealed.as_bytes().first_chunk::<LABEL_LEN>() {
        Some([FORMAT, term @ ..]) => Some(u32::from_be_bytes(*term)),
        _ => None,
    }
}

fn label(term: u32) -> [u8; LABEL_LEN] {
    let [a, b, c, d] = term.to_be_bytes();
    [FORMAT, a, b, c, d]
}

fn associated(label: [u8; LABEL_LEN], place: &[u8]) -> Vec<u8> {
    [label.as_slice(), place].concat()
}

#[cfg(test)]
mod tests;
