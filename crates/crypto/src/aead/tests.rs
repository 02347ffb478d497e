use proptest::prelude::*;

use super::*;
use crate::SeededEntropy;
use crate::tests::Scripted;

const KEY: [u8; KEY_LEN] = [5; KEY_LEN];
const TERM: u32 = 7;

fn open_with(key: &[u8; KEY_LEN], place: &[u8], sealed: &Sealed) -> Result<Vec<u8>, OpenError> {
    open(|term| (term == TERM).then_some(key), place, sealed).map(|plaintext| plaintext.expose().to_vec())
}

fn counting<const N: usize>(first: u8) -> [u8; N] {
    std::array::from_fn(|index| first + index as u8)
}

#[test]
fn the_cipher_gives_the_vector_of_the_xchacha_draft() {
    // draft-irtf-cfrg-xchacha-03, appendix A.3.1.
    let mut buffer = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for \
        the future, sunscreen would be it."
        .to_vec();
    let associated = hex::decode("50515253c0c1c2c3c4c5c6c7").unwrap();
    let tag = XChaCha20Poly1305::new(&counting::<32>(0x80).into())
        .encrypt_in_place_detached(&counting::<24>(0x40).into(), &associated, &mut buffer)
        .unwrap();
    assert_eq!(
        hex::encode(buffer),
        "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39\
         ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9\
         21f9664c97637da9768812f615c68b13b52e"
    );
    assert_eq!(hex::encode(tag), "c0875924c1c7987947deafd8780acf49");
}

#[test]
fn a_record_is_laid_out_as_documented() {
    // Computed with another implementation from the layout in the module's documentation.
    let record = "0100000007404142434445464748494a4b4c4d4e4f505152535455565783\
                  6915863e839c7a9677248b9ede8d530caa922353ec6175f14e";
    let nonce = Scripted::new(&counting::<24>(0x40));
    let sealed = seal(&counting(0x80), TERM, b"cred/alice", b"refresh me", &nonce);
    assert_eq!(hex::encode(sealed.as_bytes()), record);
    assert_eq!(term_of(&sealed), Some(TERM));
    assert_eq!(open_with(&counting(0x80), b"cred/alice", &sealed).unwrap(), b"refresh me");
}

#[test]
fn what_is_no_record_is_told_apart_from_a_record_that_does_not_open() {
    let whole = seal(&KEY, TERM, b"place", b"", &SeededEntropy::new(1)).into_bytes();
    let mut other_term = whole.clone();
    other_term[4] = 9;
    let cases: [(Vec<u8>, OpenError); 8] = [
        (vec![], OpenError::UnknownFormat),
        (vec![1, 0, 0, 0], OpenError::UnknownFormat),
        (b"\0{\"threshold\":3}".to_vec(), OpenError::UnknownFormat),
        ([&[2], &whole[1..]].concat(), OpenError::UnknownFormat),
        (other_term, OpenError::UnknownTerm),
        (whole[..5].to_vec(), OpenError::Damaged),
        (whole[..44].to_vec(), OpenError::Damaged),
        ([whole.as_slice(), &[0]].concat(), OpenError::Damaged),
    ];
    for (bytes, expected) in cases {
        assert_eq!(open_with(&KEY, b"place", &Sealed::read_back(bytes.clone())), Err(expected), "{bytes:?}");
    }
    assert_eq!(open_with(&KEY, b"place", &Sealed::read_back(whole)).unwrap(), b"");
}

#[test]
fn a_record_does_not_open_under_a_key_or_a_term_that_did_not_seal_it() {
    let sealed = seal(&KEY, TERM, b"place", b"secret", &SeededEntropy::new(2));
    assert_eq!(open_with(&[6; KEY_LEN], b"place", &sealed), Err(OpenError::Damaged));
    // The same key under another number: the label is authenticated, so relabelling does not help.
    let mut relabelled = sealed.into_bytes();
    relabelled[4] = 8;
    let relabelled = Sealed::read_back(relabelled);
    assert_eq!(open(|_| Some(&KEY), b"place", &relabelled), Err(OpenError::Damaged));
}

#[test]
fn the_same_plaintext_never_seals_to_the_same_bytes() {
    let entropy = SeededEntropy::new(3);
    let mut nonces: Vec<_> = (0..500)
        .map(|_| seal(&KEY, TERM, b"place", b"secret", &entropy).as_bytes()[5..29].to_vec())
        .collect();
    nonces.sort();
    nonces.dedup();
    assert_eq!(nonces.len(), 500);
}

proptest! {
    #[test]
    fn what_is_sealed_opens_in_its_place(plaintext: Vec<u8>, place: Vec<u8>, seed: u64) {
        let sealed = seal(&KEY, TERM, &place, &plaintext, &SeededEntropy::new(seed));
        prop_assert_eq!(sealed.len(), plaintext.len() + 45);
        prop_assert_eq!(open_with(&KEY, &place, &sealed), Ok(plaintext));
    }

    #[test]
    fn what_is_sealed_opens_in_no_other_place(plaintext: Vec<u8>, place: Vec<u8>, other: Vec<u8>) {
        prop_assume!(place != other);
        let sealed = seal(&KEY, TERM, &place, &plaintext, &SeededEntropy::new(1));
        prop_assert_eq!(open_with(&KEY, &other, &sealed), Err(OpenError::Damaged));
    }

    #[test]
    fn no_flipped_bit_goes_unnoticed(plaintext: Vec<u8>, bit: prop::sample::Index) {
        let mut bytes = seal(&KEY, TERM, b"place", &plaintext, &SeededEntropy::new(1)).into_bytes();
        let bit = bit.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        // Every term has the key here, so that a changed term too must be caught by the tag.
        let opened = open(|_| Some(&KEY), b"place", &Sealed::read_back(bytes));
        prop_assert_eq!(opened, Err(if bit < 8 { OpenError::UnknownFormat } else { OpenError::Damaged }));
    }

    #[test]
    fn arbitrary_bytes_never_open(bytes: Vec<u8>) {
        prop_assert!(open(|_| Some(&KEY), b"place", &Sealed::read_back(bytes)).is_err());
    }
}
