//! The keys below the root key: one data key per term, and the name and MAC keys that never rotate.
//!
//! Invariants: terms count from 1 without a gap and the last one seals; a term is never dropped, so
//! everything ever sealed still opens; the name and MAC keys survive rotation, because names and ids must
//! stay what they are. It does not know when to rotate, and takes the time from its caller.

use std::fmt;

use zeroize::Zeroizing;

use crate::aead::{self, OpenError};
use crate::keys::KEY_LEN;
use crate::names::NAME_KEY_LEN;
use crate::secret::REDACTED;
use crate::{DataKey, Entropy, MacKey, NameKey, RootKey, Sealed, SecretBytes};

/// The place a wrapped keyring is bound to.
const KEYRING_PLACE: &[u8] = b"vestal keyring";
/// First byte inside a wrapped keyring.
const LAYOUT: u8 = 1;
const HEAD_LEN: usize = 1 + NAME_KEY_LEN + KEY_LEN;
const TERM_LEN: usize = 4 + 8 + KEY_LEN;

#[derive(Clone)]
struct Term {
    number: u32,
    /// Unix milliseconds.
    installed_at: u64,
    key: DataKey,
}

impl Term {
    fn generate(number: u32, now_unix_millis: u64, entropy: &dyn Entropy) -> Self {
        Self { number, installed_at: now_unix_millis, key: DataKey::generate(entropy) }
    }
}

/// All keys that open the store. Cloning one is for rotation: change the copy, store it, then use it.
#[derive(Clone)]
pub struct Keyring {
    active: Term,
    retired: Vec<Term>,
    names: NameKey,
    macs: MacKey,
}

impl Keyring {
    /// A keyring with its first term.
    pub fn generate(entropy: &dyn Entropy, now_unix_millis: u64) -> Self {
        Self {
            active: Term::generate(1, now_unix_millis, entropy),
            retired: Vec::new(),
            names: NameKey::generate(entropy),
            macs: MacKey::generate(entropy),
        }
    }

    /// Seals `plaintext` with the active term; it will open at `place` only.
    pub fn seal(&self, entropy: &dyn Entropy, place: &[u8], plaintext: &[u8]) -> Sealed {
        aead::seal(self.active.key.bytes(), self.active.number, place, plaintext, entropy)
    }

    /// Opens what any term of this keyring has sealed for `place`.
    pub fn open(&self, place: &[u8], sealed: &Sealed) -> Result<SecretBytes, OpenError> {
        aead::open(|number| self.key_of(number), place, sealed)
    }

    /// Adds a term, which seals from now on, and tells its number.
    pub fn rotate(&mut self, entropy: &dyn Entropy, now_unix_millis: u64) -> u32 {
        // Terms are stored without a gap at 44 bytes each, so memory ends long before the numbers do.
        let next = Term::generate(self.active.number + 1, now_unix_millis, entropy);
        self.retired.push(std::mem::replace(&mut self.active, next));
        self.active.number
    }

    /// The number of the term that seals.
    pub fn term(&self) -> u32 {
        self.active.number
    }

    /// When the term that seals was added, in Unix milliseconds.
    pub fn install_time(&self) -> u64 {
        self.active.installed_at
    }

    /// Whether `sealed` was sealed by an earlier term, so that sealing it anew would move it to the active
    /// one.
    pub fn is_outdated(&self, sealed: &Sealed) -> bool {
        aead::term_of(sealed).is_some_and(|number| number != self.active.number && number != aead::WRAPPED)
    }

    /// The key for names.
    pub fn names(&self) -> &NameKey {
        &self.names
    }

    /// The key for ids.
    pub fn macs(&self) -> &MacKey {
        &self.macs
    }

    /// The whole keyring, sealed under the root key.
    pub fn wrap(&self, root: &RootKey, entropy: &dyn Entropy) -> Sealed {
        aead::seal(root.bytes(), aead::WRAPPED, KEYRING_PLACE, &self.to_bytes(), entropy)
    }

    /// The reverse of [`Keyring::wrap`]; [`OpenError::Damaged`] also when the root key is another.
    pub fn unwrap(root: &RootKey, wrapped: &Sealed) -> Result<Self, OpenError> {
        let bytes = aead::open_wrapped(root.bytes(), KEYRING_PLACE, wrapped)?;
        Self::from_bytes(bytes.expose()).ok_or(OpenError::Damaged)
    }

    fn key_of(&self, number: u32) -> Option<&[u8; KEY_LEN]> {
        std::iter::once(&self.active)
            .chain(self.retired.iter().rev())
            .find(|term| term.number == number)
            .map(|term| term.key.bytes())
    }

    /// layout ‖ name key ‖ MAC key ‖ (number ‖ installed at ‖ key)…, integers big-endian, the active term
    /// last.
    fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        // The exact capacity matters: growing would leave a copy of the keys behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(HEAD_LEN + TERM_LEN * (self.retired.len() + 1)));
        bytes.push(LAYOUT);
        bytes.extend_from_slice(self.names.bytes());
        bytes.extend_from_slice(self.macs.bytes());
        for term in self.retired.iter().chain([&self.active]) {
            bytes.extend_from_slice(&term.number.to_be_bytes());
            bytes.extend_from_slice(&term.installed_at.to_be_bytes());
            bytes.extend_from_slice(term.key.bytes());
        }
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&[LAYOUT], rest) = bytes.split_first_chunk()? else { return None };
        let (names, rest) = rest.split_first_chunk()?;
        let (macs, rest) = rest.split_first_chunk()?;
        let (terms, []) = rest.as_chunks::<TERM_LEN>() else { return None };
        let mut retired = Vec::with_capacity(terms.len());
        for (bytes, expected) in terms.iter().zip(1_u32..) {
            let term = read_term(bytes)?;
            if term.number != expected {
                return None;
            }
            retired.push(term);
        }
        let active = retired.pop()?;
        Some(Self { active, retired, names: NameKey::from_bytes(*names), macs: MacKey::from_bytes(*macs) })
    }
}

fn read_term(bytes: &[u8; TERM_LEN]) -> Option<Term> {
    let (number, rest) = bytes.split_first_chunk()?;
    let (installed_at, key) = rest.split_first_chunk()?;
    Some(Term {
        number: u32::from_be_bytes(*number),
        installed_at: u64::from_be_bytes(*installed_at),
        key: DataKey::from_bytes(key.try_into().ok()?),
    })
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring(term {}, {REDACTED})", self.active.number)
    }
}

#[cfg(test)]
mod tests;
