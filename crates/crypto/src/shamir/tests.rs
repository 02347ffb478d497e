use proptest::prelude::*;

use super::*;
use crate::SeededEntropy;
use crate::tests::Scripted;

fn shares_of(hex_shares: &[&str]) -> Vec<SecretBytes> {
    hex_shares.iter().map(|share| SecretBytes::new(hex::decode(share).unwrap())).collect()
}

#[test]
fn multiplication_is_that_of_polynomials_modulo_0x11b() {
    for left in 0..=255_u8 {
        for right in 0..=255_u8 {
            // The long way: multiply without carries, then subtract the modulus from the top.
            let mut product = (0..8)
                .filter(|bit| right >> bit & 1 == 1)
                .fold(0_u16, |sum, bit| sum ^ u16::from(left) << bit);
            for bit in (8..16).rev() {
                if product >> bit & 1 == 1 {
                    product ^= 0x11b << (bit - 8);
                }
            }
            assert_eq!(u16::from(multiply(left, right)), product, "{left} * {right}");
        }
    }
    assert_eq!(multiply(0x57, 0x83), 0xc1, "the example of FIPS 197, section 4.2");
}

#[test]
fn every_element_but_zero_has_an_inverse() {
    assert_eq!(invert(0), 0);
    for value in 1..=255 {
        assert_eq!(multiply(value, invert(value)), 1, "{value}");
    }
}

#[test]
fn shares_computed_by_hand_are_made_and_combine() {
    // f(x) = 0x42 + 0x80 x; 0x80 * 2 = 0x100 = 0x1b and 0x80 * 3 = 0x1b + 0x80 = 0x9b.
    let made = split_at(&[0x42], &[1, 2, 3], 2, &Scripted::new(&[0x80]));
    let expected = shares_of(&["c201", "5902", "d903"]);
    assert_eq!(
        made.iter().map(SecretBytes::expose).collect::<Vec<_>>(),
        [b"\xc2\x01", b"\x59\x02", b"\xd9\x03"]
    );
    for pair in [[0, 1], [0, 2], [1, 2], [2, 0]] {
        let pair = pair.map(|index| expected[index].clone());
        assert_eq!(combine(&pair).unwrap().expose(), [0x42]);
    }
}

#[test]
fn shares_computed_by_another_implementation_are_made_and_combine() {
    // Computed with logarithm tables over the generator 3: degree 2, coefficients highest power first.
    let coefficients = hex::decode("0b30557a9fc4e90e33587da2").unwrap();
    let expected = ["4d4a28930ab301", "3adeaae11ddc02", "60e5f1cb4628ff", "a4f32eedbf9453"];
    let made = split_at(b"vestal", &[0x01, 0x02, 0xff, 0x53], 3, &Scripted::new(&coefficients));
    assert_eq!(made.iter().map(|share| hex::encode(share.expose())).collect::<Vec<_>>(), expected);
    for left_out in 0..4 {
        let mut three = expected.to_vec();
        three.remove(left_out);
        assert_eq!(combine(&shares_of(&three)).unwrap().expose(), b"vestal");
    }
    assert_eq!(combine(&shares_of(&expected)).unwrap().expose(), b"vestal", "more than enough is enough");
}

#[test]
fn one_share_fewer_than_the_threshold_fits_every_secret() {
    // For one byte and two of n: whatever the secret, each value of a share comes from exactly one
    // coefficient.
    for secret in [0x00, 0x42, 0xff] {
        let mut values: Vec<u8> = (0..=255)
            .map(|coefficient| split_at(&[secret], &[0x8d], 2, &Scripted::new(&[coefficient]))[0].expose()[0])
            .collect();
        values.sort_unstable();
        assert!(values.into_iter().eq(0..=255));
    }
}

#[test]
fn coordinates_are_never_zero_never_twice_and_in_no_order() {
    let entropy = SeededEntropy::new(1);
    for count in 2..=255 {
        let drawn = coordinates(count, &entropy);
        let mut sorted = drawn.clone();
        sorted.sort_unstable();
        assert!(count < 9 || drawn != sorted, "{count} coordinates came in order");
        sorted.dedup();
        assert_eq!(sorted.len(), usize::from(count));
        assert!(!sorted.contains(&0));
    }
}

#[test]
fn a_draw_below_a_bound_throws_away_what_would_favour_small_numbers() {
    // 256 = 2 * 100 + 56: bytes from 200 up are drawn again.
    let cases: [(u8, &[u8], u8); 5] = [
        (100, &[199], 99),
        (100, &[200, 255, 7], 7),
        (1, &[255], 0),
        (255, &[255, 254], 254),
        (128, &[255], 127),
    ];
    for (bound, script, expected) in cases {
        assert_eq!(below(bound, &Scripted::new(script)), expected, "{bound} {script:?}");
    }
}

#[test]
fn what_cannot_be_split_is_refused() {
    let entropy = SeededEntropy::new(2);
    let cases: [(&[u8], u8, u8, ShamirError); 7] = [
        (b"secret", 1, 1, ShamirError::Threshold),
        (b"secret", 5, 1, ShamirError::Threshold),
        (b"secret", 5, 0, ShamirError::Threshold),
        (b"secret", 0, 0, ShamirError::Threshold),
        (b"secret", 2, 3, ShamirError::Threshold),
        (b"secret", 1, 2, ShamirError::Threshold),
        (b"", 3, 2, ShamirError::Empty),
    ];
    for (secret, shares, threshold, expected) in cases {
        assert_eq!(split(secret, shares, threshold, &entropy), Err(expected), "{shares} {threshold}");
    }
}

#[test]
fn shares_that_do_not_go_together_are_refused() {
    let cases: [(&[&str], ShamirError); 9] = [
        (&[], ShamirError::TooFew),
        (&["c201"], ShamirError::TooFew),
        (&["c201", ""], ShamirError::TooShort),
        (&["c201", "02"], ShamirError::TooShort),
        (&["c201", "595902"], ShamirError::LengthsDiffer),
        (&["c201", "5900"], ShamirError::Zero),
        (&["c201", "c201"], ShamirError::Duplicate),
        (&["c201", "5902", "aa01"], ShamirError::Duplicate),
        (&["c201", "5902", "d902"], ShamirError::Duplicate),
    ];
    for (shares, expected) in cases {
        assert_eq!(combine(&shares_of(shares)), Err(expected), "{shares:?}");
    }
}

#[test]
fn the_largest_split_gives_its_secret_back() {
    let shares = split(b"secret", 255, 255, &SeededEntropy::new(3)).unwrap();
    assert_eq!(combine(&shares).unwrap().expose(), b"secret");
    assert_ne!(combine(&shares[1..]).unwrap().expose(), b"secret");
}

proptest! {
    #[test]
    fn any_threshold_of_the_shares_in_any_order_gives_the_secret_back(
        secret in prop::collection::vec(any::<u8>(), 1..40),
        (count, threshold) in (2..=16_u8).prop_flat_map(|count| (Just(count), 2..=count)),
        extra in 0..16_usize,
        order: prop::sample::Index,
        seed: u64,
    ) {
        let shares = split(&secret, count, threshold, &SeededEntropy::new(seed)).unwrap();
        prop_assert_eq!(shares.len(), usize::from(count));
        prop_assert!(shares.iter().all(|share| share.len() == secret.len() + 1));
        let mut chosen = shares;
        // A rotation and a stride reach subsets in many orders without a generator of permutations.
        let length = chosen.len();
        chosen.rotate_left(order.index(length));
        if extra % 2 == 1 {
            chosen.reverse();
        }
        chosen.truncate((usize::from(threshold) + extra).min(length));
        let combined = combine(&chosen).unwrap();
        prop_assert_eq!(combined.expose(), secret.as_slice());
    }

    #[test]
    fn one_share_too_few_does_not_give_the_secret(seed: u64, count in 3..=8_u8) {
        // Thirty-two bytes agree by chance about once in 2^256.
        let secret: [u8; 32] = entropy::array(&SeededEntropy::new(seed));
        let shares = split(&secret, count, count, &SeededEntropy::new(seed ^ 1)).unwrap();
        let combined = combine(&shares[1..]).unwrap();
        prop_assert_ne!(combined.expose(), secret.as_slice());
    }
}
