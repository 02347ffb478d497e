use aes_siv::siv::Aes128Siv;
use proptest::prelude::*;

use super::*;
use crate::SeededEntropy;

fn bytes<const N: usize>(hex_digits: &str) -> [u8; N] {
    hex::decode(hex_digits).unwrap().try_into().unwrap()
}

#[test]
fn the_cipher_gives_the_vector_of_rfc_5297() {
    // Appendix A.1; it is for the 256-bit variant, which differs from ours in the size of the AES keys only.
    let key = bytes::<32>("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
    let associated = bytes::<24>("101112131415161718191a1b1c1d1e1f2021222324252627");
    let sealed =
        Aes128Siv::new(&key.into()).encrypt([associated], &bytes::<14>("112233445566778899aabbccddee"));
    assert_eq!(hex::encode(sealed.unwrap()), "85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c");
}

#[test]
fn the_inputs_of_rfc_5297_with_a_512_bit_key_give_the_published_result() {
    let key = NameKey::from_bytes(bytes(
        "fffefdfcfbfaf9f8f7f6f5f4f3f2f1f06f6e6d6c6b6a69686766656463626160\
         f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff000102030405060708090a0b0c0d0e0f",
    ));
    let parent = bytes::<24>("101112131415161718191a1b1c1d1e1f2021222324252627");
    let sealed = key.seal_bytes(&parent, &bytes::<14>("112233445566778899aabbccddee"));
    assert_eq!(hex::encode(&sealed), "f125274c598065cfc26b0e71575029088b035217e380cac8919ee800c126");
    assert_eq!(key.open(&parent, &sealed), Err(OpenError::Damaged), "it is authentic, but no UTF-8");
}

#[test]
fn a_name_seals_to_what_another_implementation_computes() {
    let key = NameKey::from_bytes(std::array::from_fn(|index| index as u8));
    let cases = [
        ("logical/1/cred", "alice", "ea1642ebf5d395340bc72841f9dd16c1548f6b6c27"),
        (
            "",
            "a name of more than sixteen bytes: grün",
            "8813bd6cb6074373876f4f9e1c85c3d51f8771c264cfc0b9a54a4b8838c08a3418bb6348f85572dd0339667bd48c85a2\
             5911ddc604742a9b",
        ),
    ];
    for (parent, name, sealed) in cases {
        assert_eq!(hex::encode(key.seal(parent.as_bytes(), name)), sealed);
        assert_eq!(key.open(parent.as_bytes(), &hex::decode(sealed).unwrap()).unwrap(), name);
    }
}

#[test]
fn bytes_too_short_to_be_a_sealed_name_are_refused() {
    let key = NameKey::generate(&SeededEntropy::new(1));
    for length in 0..17 {
        assert_eq!(key.open(b"parent", &vec![0; length]), Err(OpenError::Damaged), "{length}");
    }
    assert_eq!(key.open(b"parent", &key.seal(b"parent", "")).unwrap(), "");
}

proptest! {
    #[test]
    fn a_name_is_sealed_alike_each_time_and_opens(parent: Vec<u8>, name: String, seed: u64) {
        let key = NameKey::generate(&SeededEntropy::new(seed));
        let sealed = key.seal(&parent, &name);
        prop_assert_eq!(&sealed, &key.clone().seal(&parent, &name));
        prop_assert_eq!(sealed.len(), name.len() + 16);
        prop_assert_eq!(key.open(&parent, &sealed), Ok(name));
    }

    #[test]
    fn a_name_looks_different_under_another_parent_and_does_not_open_there(
        parent: Vec<u8>,
        other: Vec<u8>,
        name: String,
    ) {
        prop_assume!(parent != other);
        let key = NameKey::generate(&SeededEntropy::new(1));
        let sealed = key.seal(&parent, &name);
        prop_assert_ne!(&sealed, &key.seal(&other, &name));
        prop_assert_eq!(key.open(&other, &sealed), Err(OpenError::Damaged));
    }

    #[test]
    fn different_names_never_share_a_sealed_form(one: String, other: String) {
        prop_assume!(one != other);
        let key = NameKey::generate(&SeededEntropy::new(1));
        prop_assert_ne!(key.seal(b"parent", &one), key.seal(b"parent", &other));
    }

    #[test]
    fn no_flipped_bit_of_a_sealed_name_goes_unnoticed(name: String, bit: prop::sample::Index) {
        let key = NameKey::generate(&SeededEntropy::new(1));
        let mut sealed = key.seal(b"parent", &name);
        let bit = bit.index(sealed.len() * 8);
        sealed[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(key.open(b"parent", &sealed), Err(OpenError::Damaged));
    }
}
