//! Splits a secret among people so that a threshold of them can put it together again: Shamir's scheme over
//! GF(256) with the polynomial 0x11b, byte by byte.
//!
//! A share is laid out as in Vault: the secret's length in bytes, then one byte for the x-coordinate, which
//! is not zero and differs from share to share. Coordinates are drawn at random, so a share does not tell how
//! many there are.
//!
//! Invariants: no table and no branch depends on a secret byte; fewer shares than the threshold say nothing
//! about the secret but its length. Shares carry no checksum: it cannot tell whether they belong together or
//! suffice.

use std::hint::black_box;

use zeroize::Zeroizing;

use crate::secret::SecretBytes;
use crate::{Entropy, entropy};

/// Why a secret could not be split, or shares not be combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ShamirError {
    /// One share needs no splitting, and a threshold of one would make each share the secret.
    #[error("threshold must be at least 2 and at most the number of shares")]
    Threshold,
    /// There is nothing to split.
    #[error("secret must not be empty")]
    Empty,
    /// A single share tells nothing.
    #[error("at least two shares are needed")]
    TooFew,
    /// A share holds a coordinate and at least one byte.
    #[error("a share is too short")]
    TooShort,
    /// The shares are of different secrets, or one is cut off.
    #[error("shares have different lengths")]
    LengthsDiffer,
    /// The same share twice, or shares of two splits.
    #[error("two shares have the same coordinate")]
    Duplicate,
    /// At zero lies the secret itself.
    #[error("a share has the coordinate zero")]
    Zero,
    /// The shares are of something else.
    #[error("shares do not make a key of 32 bytes")]
    Length,
}

/// Splits `secret` into `shares` shares of which any `threshold` give it back.
pub fn split(
    secret: &[u8],
    shares: u8,
    threshold: u8,
    entropy: &dyn Entropy,
) -> Result<Vec<SecretBytes>, ShamirError> {
    if threshold < 2 || threshold > shares {
        return Err(ShamirError::Threshold);
    }
    if secret.is_empty() {
        return Err(ShamirError::Empty);
    }
    Ok(split_at(secret, &coordinates(shares, entropy), threshold, entropy))
}

/// Puts a secret together. With fewer shares than its threshold, or shares of different splits, the result is
/// noise.
pub fn combine(shares: &[SecretBytes]) -> Result<SecretBytes, ShamirError> {
    let mut points = Vec::with_capacity(shares.len());
    for share in shares {
        match share.expose().split_last() {
            None | Some((_, [])) => return Err(ShamirError::TooShort),
            Some((0, _)) => return Err(ShamirError::Zero),
            Some((x, values)) => points.push((*x, values)),
        }
    }
    let [(_, first), _, ..] = points.as_slice() else { return Err(ShamirError::TooFew) };
    if points.iter().any(|(_, values)| values.len() != first.len()) {
        return Err(ShamirError::LengthsDiffer);
    }
    let mut secret = Zeroizing::new(vec![0; first.len()]);
    for (index, (x, values)) in points.iter().enumerate() {
        let mut weight = 1;
        for (other, (other_x, _)) in points.iter().enumerate() {
            if other == index {
                continue;
            }
            // Subtraction is the same as addition here, so this is the distance of the two coordinates.
            let distance = x ^ other_x;
            if distance == 0 {
                return Err(ShamirError::Duplicate);
            }
            weight = multiply(weight, multiply(*other_x, invert(distance)));
        }
        for (sum, value) in secret.iter_mut().zip(*values) {
            *sum ^= multiply(weight, *value);
        }
    }
    Ok(SecretBytes::new(std::mem::take(&mut *secret)))
}

/// One polynomial per byte of the secret, the byte itself at zero, evaluated at each of `xs`.
fn split_at(secret: &[u8], xs: &[u8], threshold: u8, entropy: &dyn Entropy) -> Vec<SecretBytes> {
    let mut shares: Vec<_> =
        xs.iter().map(|_| Zeroizing::new(Vec::with_capacity(secret.len() + 1))).collect();
    let mut coefficients = Zeroizing::new(vec![0; usize::from(threshold) - 1]);
    for byte in secret {
        entropy.fill(&mut coefficients);
        for (share, x) in shares.iter_mut().zip(xs) {
            let higher = coefficients.iter().fold(0, |sum, next| multiply(sum ^ next, *x));
            share.push(higher ^ byte);
        }
    }
    for (share, x) in shares.iter_mut().zip(xs) {
        share.push(*x);
    }
    shares.into_iter().map(|mut share| SecretBytes::new(std::mem::take(&mut *share))).collect()
}

/// `count` different coordinates from 1 to 255 in random order.
fn coordinates(count: u8, entropy: &dyn Entropy) -> Vec<u8> {
    let mut left: Vec<u8> = (1..=u8::MAX).collect();
    let mut drawn = Vec::with_capacity(usize::from(count));
    for size in ((u8::MAX - count + 1)..=u8::MAX).rev() {
        drawn.push(left.swap_remove(usize::from(below(size, entropy))));
    }
    drawn
}

/// A random number from 0 up to, but not including, `bound`, each equally likely.
fn below(bound: u8, entropy: &dyn Entropy) -> u8 {
    // The largest multiple of the bound that fits into a byte; what lies above would favour the small
    // numbers.
    let fair = 256 - 256 % u16::from(bound);
    loop {
        let [byte] = entropy::array(entropy);
        if u16::from(byte) < fair {
            return byte % bound;
        }
    }
}

/// Product in GF(256) by shift and add. Masks stand for the branches; `black_box` keeps the compiler from
/// turning them back.
fn multiply(mut left: u8, right: u8) -> u8 {
    let mut product = 0;
    for bit in 0..8 {
        product ^= left & black_box(((right >> bit) & 1).wrapping_neg());
        left = (left << 1) ^ (0x1b & black_box((left >> 7).wrapping_neg()));
    }
    product
}

/// Inverse in GF(256) as the 254th power (2 + 4 + … + 128); zero has none and gives zero.
fn invert(value: u8) -> u8 {
    let (mut square, mut inverse) = (value, 1);
    for _ in 0..7 {
        square = multiply(square, square);
        inverse = multiply(inverse, square);
    }
    inverse
}

#[cfg(test)]
mod tests;
