//! The keys of the hierarchy, each its own type so that they cannot be confused, and how every key here is made.
//!
//! Invariants: zeroized on drop, compared in constant time, never printed. A wrapped key is bound
//! to what it is: a wrapped root key does not open as a keyring. It does not know how the seal key is kept or
//! by whom.

use crate::aead::{self, OpenError};
use crate::secret::SecretBytes;
use crate::shamir::{self, ShamirError};
use crate::{Entropy, Sealed};

/// How many bytes every key of the hierarchy has.
pub(crate) const KEY_LEN: usize = 32;

/// The place a wrapped root key is bound to.
const ROOT_KEY_PLACE: &[u8] = b"vestal root key";

/// A secret of so many bytes, as a type of its own.
macro_rules! key {
    ($(#[$doc:meta])* $name:ident, $length:expr) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(::zeroize::Zeroizing<[u8; $length]>);

        impl $name {
            /// A new random one.
            pub fn generate(entropy: &dyn $crate::Entropy) -> Self {
                let mut bytes = ::zeroize::Zeroizing::new([0; $length]);
                entropy.fill(bytes.as_mut_slice());
                Self(bytes)
            }

            /// The one with these bytes.
            pub fn from_bytes(bytes: [u8; $length]) -> Self {
                Self(::zeroize::Zeroizing::new(bytes))
            }

            pub(crate) fn bytes(&self) -> &[u8; $length] {
                &self.0
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                ::subtle::ConstantTimeEq::ct_eq(self.0.as_slice(), other.0.as_slice()).into()
            }
        }

        impl Eq for $name {}

        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                write!(f, "{}({})", stringify!($name), $crate::secret::REDACTED)
            }
        }
    };
}
pub(crate) use key;

key! {
    /// The outermost key: it wraps the root key, and people hold it, as shares or as a passphrase.
    SealKey, KEY_LEN
}

key! {
    /// The key that wraps the keyring. It changes only when the vault is given a new one.
    RootKey, KEY_LEN
}

key! {
    /// The key that seals the records of one term.
    DataKey, KEY_LEN
}

impl SealKey {
    /// The key for people to keep: one share is the key itself, several are Shamir shares of which
    /// `threshold` suffice.
    pub fn split(
        &self,
        shares: u8,
        threshold: u8,
        entropy: &dyn Entropy,
    ) -> Result<Vec<SecretBytes>, ShamirError> {
        if (shares, threshold) == (1, 1) {
            return Ok(vec![SecretBytes::new(self.0.as_slice())]);
        }
        shamir::split(self.0.as_slice(), shares, threshold, entropy)
    }

    /// The reverse of [`SealKey::split`]. Too few or foreign shares give *some* key, which then opens
    /// nothing: only [`RootKey::unwrap`] can tell.
    pub fn combine(shares: &[SecretBytes]) -> Result<Self, ShamirError> {
        let whole = match shares {
            [share] if share.len() == KEY_LEN => share.clone(),
            shares => shamir::combine(shares)?,
        };
        whole.expose().try_into().map(Self::from_bytes).map_err(|_| ShamirError::Length)
    }

    /// The key's bytes, for a seal that keeps the key whole.
    pub fn expose(&self) -> &[u8; KEY_LEN] {
        self.bytes()
    }
}

impl RootKey {
    /// The root key, sealed under the seal key.
    pub fn wrap(&self, seal_key: &SealKey, entropy: &dyn Entropy) -> Sealed {
        aead::seal(seal_key.bytes(), aead::WRAPPED, ROOT_KEY_PLACE, self.0.as_slice(), entropy)
    }

    /// The reverse of [`RootKey::wrap`]; [`OpenError::Damaged`] also when the seal key is another.
    pub fn unwrap(seal_key: &SealKey, wrapped: &Sealed) -> Result<Self, OpenError> {
        let bytes = aead::open_wrapped(seal_key.bytes(), ROOT_KEY_PLACE, wrapped)?;
        bytes.expose().try_into().map(Self::from_bytes).map_err(|_| OpenError::Damaged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Keyring, SeededEntropy};

    #[test]
    fn a_root_key_survives_wrapping_and_opens_with_no_other_seal_key() {
        let entropy = SeededEntropy::new(1);
        let (seal_key, other) = (SealKey::generate(&entropy), SealKey::generate(&entropy));
        let root = RootKey::generate(&entropy);
        let wrapped = root.wrap(&seal_key, &entropy);
        assert_eq!(RootKey::unwrap(&seal_key, &wrapped).unwrap(), root);
        assert_eq!(RootKey::unwrap(&other, &wrapped), Err(OpenError::Damaged));
    }

    #[test]
    fn a_wrapped_key_opens_only_as_what_it_is() {
        let entropy = SeededEntropy::new(2);
        let bytes = [9; KEY_LEN];
        let wrapped_root = RootKey::generate(&entropy).wrap(&SealKey::from_bytes(bytes), &entropy);
        assert!(Keyring::unwrap(&RootKey::from_bytes(bytes), &wrapped_root).is_err());
        let wrapped_ring = Keyring::generate(&entropy, 0).wrap(&RootKey::from_bytes(bytes), &entropy);
        assert!(RootKey::unwrap(&SealKey::from_bytes(bytes), &wrapped_ring).is_err());
    }

    #[test]
    fn one_share_is_the_key_itself_and_several_are_one_byte_longer() {
        let entropy = SeededEntropy::new(3);
        let key = SealKey::generate(&entropy);
        let alone = key.split(1, 1, &entropy).unwrap();
        assert_eq!(alone.iter().map(SecretBytes::expose).collect::<Vec<_>>(), [key.expose()]);
        assert_eq!(SealKey::combine(&alone).unwrap(), key);

        let shares = key.split(5, 3, &entropy).unwrap();
        assert!(shares.iter().all(|share| share.len() == 33));
        assert_eq!(SealKey::combine(&shares[1..4]).unwrap(), key);
        assert_ne!(SealKey::combine(&shares[..2]).unwrap(), key, "two of three give another key");
        assert_eq!(SealKey::combine(&shares[..1]), Err(ShamirError::TooFew));
        assert_eq!(SealKey::combine(&[]), Err(ShamirError::TooFew));
    }

    #[test]
    fn shares_of_something_that_is_no_key_are_refused() {
        let entropy = SeededEntropy::new(4);
        let shares = shamir::split(b"too short for a key", 2, 2, &entropy).unwrap();
        assert_eq!(SealKey::combine(&shares), Err(ShamirError::Length));
    }
}
