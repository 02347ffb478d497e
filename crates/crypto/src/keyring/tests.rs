use proptest::prelude::*;

use super::*;
use crate::{ClearHeader, SeededEntropy};

fn rewrapped(ring: &Keyring, entropy: &dyn Entropy) -> Keyring {
    let root = RootKey::generate(entropy);
    Keyring::unwrap(&root, &ring.wrap(&root, entropy)).unwrap()
}

#[test]
fn rotation_adds_a_term_that_seals_while_the_old_ones_still_open() {
    let entropy = SeededEntropy::new(1);
    let mut ring = Keyring::generate(&entropy, 1_000);
    assert_eq!((ring.term(), ring.install_time()), (1, 1_000));
    let old = ring.seal(&entropy, b"place", b"old");
    assert!(!ring.is_outdated(&old));

    assert_eq!(ring.rotate(&entropy, 2_000), 2);
    assert_eq!((ring.term(), ring.install_time()), (2, 2_000));
    let new = ring.seal(&entropy, b"place", b"new");
    assert!(ring.is_outdated(&old) && !ring.is_outdated(&new));
    assert_eq!(ring.open(b"place", &old).unwrap().expose(), b"old");
    assert_eq!(ring.open(b"place", &new).unwrap().expose(), b"new");
}

#[test]
fn a_keyring_from_before_a_rotation_says_that_it_lacks_the_term() {
    let entropy = SeededEntropy::new(2);
    let before = Keyring::generate(&entropy, 0);
    let mut after = before.clone();
    after.rotate(&entropy, 1);
    let sealed = after.seal(&entropy, b"place", b"new");
    assert_eq!(before.open(b"place", &sealed), Err(OpenError::UnknownTerm));
}

#[test]
fn keyrings_of_two_stores_open_nothing_of_each_other() {
    let entropy = SeededEntropy::new(3);
    let (one, other) = (Keyring::generate(&entropy, 0), Keyring::generate(&entropy, 0));
    let sealed = one.seal(&entropy, b"place", b"secret");
    assert_eq!(other.open(b"place", &sealed), Err(OpenError::Damaged));
    assert_ne!(one.names(), other.names());
    assert_ne!(one.macs(), other.macs());
}

#[test]
fn a_clear_header_does_not_open_as_a_record_and_is_never_outdated() {
    let ring = Keyring::generate(&SeededEntropy::new(4), 0);
    let clear = Sealed::clear(ClearHeader::from_bytes(b"epoch 3".as_slice()));
    assert_eq!(ring.open(b"place", &clear), Err(OpenError::UnknownFormat));
    assert!(!ring.is_outdated(&clear));
}

#[test]
fn a_wrapped_keyring_opens_with_its_root_key_only() {
    let entropy = SeededEntropy::new(5);
    let (root, other) = (RootKey::generate(&entropy), RootKey::generate(&entropy));
    let wrapped = Keyring::generate(&entropy, 0).wrap(&root, &entropy);
    assert!(Keyring::unwrap(&root, &wrapped).is_ok());
    assert_eq!(Keyring::unwrap(&other, &wrapped).map(drop), Err(OpenError::Damaged));
}

#[test]
fn a_keyring_of_another_layout_or_with_a_gap_in_its_terms_is_refused() {
    let entropy = SeededEntropy::new(6);
    let mut ring = Keyring::generate(&entropy, 0);
    ring.rotate(&entropy, 1);
    let good = ring.to_bytes().to_vec();
    assert!(Keyring::from_bytes(&good).is_some());
    let last_term = good.len() - TERM_LEN;
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    let cases = [
        ("empty", vec![]),
        ("another layout", with(0, 2)),
        ("no term", good[..HEAD_LEN].to_vec()),
        ("a term cut off", good[..good.len() - 1].to_vec()),
        ("a gap", with(last_term + 3, 3)),
        ("a term twice", with(last_term + 3, 1)),
    ];
    for (case, bytes) in cases {
        assert!(Keyring::from_bytes(&bytes).is_none(), "{case}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn wrapping_and_rotating_in_any_order_loses_nothing(
        steps in prop::collection::vec(any::<bool>(), 0..24),
    ) {
        let entropy = SeededEntropy::new(7);
        let mut ring = Keyring::generate(&entropy, 0);
        let (names, macs) = (ring.names().clone(), ring.macs().clone());
        let mut sealed = vec![ring.seal(&entropy, b"place", b"0")];
        let mut rotations = 0_u32;
        for rotate in steps {
            if rotate {
                rotations += 1;
                ring.rotate(&entropy, u64::from(rotations) << 33);
                sealed.push(ring.seal(&entropy, b"place", rotations.to_string().as_bytes()));
            } else {
                ring = rewrapped(&ring, &entropy);
            }
        }
        prop_assert_eq!((ring.term(), ring.install_time()), (rotations + 1, u64::from(rotations) << 33));
        prop_assert!(*ring.names() == names && *ring.macs() == macs);
        for (number, record) in sealed.iter().enumerate() {
            let opened = ring.open(b"place", record).unwrap();
            let expected = number.to_string();
            prop_assert_eq!(opened.expose(), expected.as_bytes());
            prop_assert_eq!(ring.is_outdated(record), number as u32 != rotations);
        }
    }
}
