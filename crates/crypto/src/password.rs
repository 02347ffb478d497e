//! Makes a seal key of a passphrase with Argon2id (RFC 9106), version 0x13.
//!
//! Invariants: parameters outside the bounds below are refused before any memory is taken, since they are
//! read from an unprotected header. The memory of the computation is zeroized. It has no clock: who
//! calibrates brings one.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::keys::KEY_LEN;
use crate::{Entropy, SealKey, SecretString, entropy};

/// RFC 9106 section 4, second recommended option: 64 MiB and three passes. Calibration never goes below.
const LEAST_MEMORY_KIB: u32 = 64 * 1024;
const LEAST_PASSES: u32 = 3;
/// Calibration takes no more, so that unsealing works on the smallest machine that runs the server.
const CALIBRATED_MEMORY_KIB: u32 = 256 * 1024;
const CALIBRATED_PASSES: u32 = 64;
/// What is accepted when read back: enough for a generous operator, not enough to take a machine down.
const MOST_MEMORY_KIB: u32 = 4 * 1024 * 1024;
const MOST_PASSES: u32 = 4096;
const MOST_LANES: u32 = 64;

/// How a passphrase becomes a key. Not secret; it is stored beside the wrapped root key and must not change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordParams {
    /// Memory in KiB, at least eight times the lanes.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes. They are computed one after the other here, so more than one helps only an attacker.
    pub lanes: u32,
    /// Random, one per vault; in JSON 32 hex digits.
    #[serde(with = "hex::serde")]
    pub salt: [u8; 16],
}

/// Why no key could be derived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// An empty passphrase protects nothing.
    #[error("passphrase must not be empty")]
    Empty,
    /// Weaker than Argon2 allows, or too much for this machine.
    #[error("password parameters are out of bounds: `memory_kib`, `passes` or `lanes`")]
    OutOfBounds,
    /// The passphrase is longer than Argon2 takes.
    #[error("passphrase is too long")]
    TooLong,
}

impl PasswordParams {
    /// Fresh parameters under which one derivation takes about `target_millis` on this machine, and never
    /// less than 64 MiB and three passes. `time` runs what it is given once and tells how many milliseconds
    /// that took.
    ///
    /// Memory is doubled first, up to 256 MiB, because memory is what costs an attacker; passes fill the
    /// rest.
    pub fn calibrate(
        entropy: &dyn Entropy,
        target_millis: u64,
        mut time: impl FnMut(&mut dyn FnMut()) -> u64,
    ) -> Result<Self, PasswordError> {
        let mut params = Self {
            memory_kib: LEAST_MEMORY_KIB,
            passes: LEAST_PASSES,
            lanes: 1,
            salt: entropy::array(entropy),
        };
        let sample = SecretString::new("calibration");
        loop {
            let mut outcome = Ok(());
            let took = time(&mut || outcome = params.derive(&sample).map(drop)).max(1);
            outcome?;
            if params.memory_kib < CALIBRATED_MEMORY_KIB && took.saturating_mul(2) <= target_millis {
                params.memory_kib *= 2;
                continue;
            }
            let wanted = u64::from(params.passes).saturating_mul(target_millis) / took;
            params.passes = u32::try_from(wanted).unwrap_or(u32::MAX).clamp(LEAST_PASSES, CALIBRATED_PASSES);
            return Ok(params);
        }
    }

    /// The key of a passphrase; always the same for the same parameters.
    pub fn derive(&self, passphrase: &SecretString) -> Result<SealKey, PasswordError> {
        if passphrase.is_empty() {
            return Err(PasswordError::Empty);
        }
        if self.memory_kib > MOST_MEMORY_KIB || self.passes > MOST_PASSES || self.lanes > MOST_LANES {
            return Err(PasswordError::OutOfBounds);
        }
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(KEY_LEN))
            .map_err(|_| PasswordError::OutOfBounds)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let key = run(&argon2, passphrase.expose().as_bytes(), &self.salt)?;
        Ok(SealKey::from_bytes(*key))
    }
}

fn run(
    argon2: &Argon2<'_>,
    passphrase: &[u8],
    salt: &[u8],
) -> Result<Zeroizing<[u8; KEY_LEN]>, PasswordError> {
    let mut memory = Zeroizing::new(vec![Block::default(); argon2.params().block_count()]);
    let mut key = Zeroizing::new([0; KEY_LEN]);
    argon2
        .hash_password_into_with_memory(passphrase, salt, key.as_mut_slice(), memory.as_mut_slice())
        .map_err(|_| PasswordError::TooLong)?;
    Ok(key)
}

#[cfg(test)]
mod tests;
