use serde::Serialize;

use super::*;
use crate::SeededEntropy;

/// HMAC pads a key shorter than a block with zeros, so a short key of a vector and its padded form are the
/// same key.
fn padded(key: &[u8]) -> [u8; KEY_LEN] {
    let mut bytes = [0; KEY_LEN];
    bytes[..key.len()].copy_from_slice(key);
    bytes
}

#[test]
fn a_salted_hash_gives_the_vectors_of_rfc_4231() {
    // Sections 4.2 to 4.5: those whose key is no longer than ours.
    let fourth: Vec<u8> = (1..=25).collect();
    let cases: [(&[u8], &[u8], &str); 4] = [
        (&[0x0b; 20], b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (&[0xaa; 20], &[0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
        (&fourth, &[0xcd; 50], "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
    ];
    for (key, input, expected) in cases {
        assert_eq!(Salt::from_bytes(padded(key)).hmac_hex(input), expected);
    }
}

#[test]
fn an_id_is_what_another_implementation_computes() {
    let key = MacKey::from_bytes(std::array::from_fn(|index| index as u8));
    let id = "acc9c5fe844e84ed7cafb1a8c2315fd5ef66bdab68c79415f932435c8d674a5c";
    assert_eq!(key.hex_id("token", b"hvs.abc"), id);
    assert_eq!(hex::encode(key.id("token", b"hvs.abc")), id);
}

#[test]
fn ids_of_different_domains_inputs_or_keys_never_meet() {
    let entropy = SeededEntropy::new(1);
    let (key, other) = (MacKey::generate(&entropy), MacKey::generate(&entropy));
    let ids = [
        key.hex_id("token", b"a"),
        key.hex_id("toke", b"na"),
        key.hex_id("tokena", b""),
        key.hex_id("", b"tokena"),
        key.hex_id("token", b"b"),
        key.hex_id("accessor", b"a"),
        other.hex_id("token", b"a"),
    ];
    for (index, id) in ids.iter().enumerate() {
        assert!(!ids[..index].contains(id), "{index}");
    }
    assert_eq!(ids[0], key.clone().hex_id("token", b"a"));
}

#[test]
fn a_salt_is_read_back_from_a_record_as_it_was() {
    #[derive(Serialize, serde::Deserialize)]
    struct Device {
        #[serde(serialize_with = "crate::exposed::serialize")]
        salt: Salt,
    }
    let device = Device { salt: Salt::from_bytes([0xab; 32]) };
    let json = serde_json::to_string(&device).unwrap();
    assert_eq!(json, format!(r#"{{"salt":"{}"}}"#, "ab".repeat(32)));
    assert_eq!(serde_json::from_str::<Device>(&json).unwrap().salt, device.salt);
    for wrong in ["ab".repeat(31), "ab".repeat(33), "zy".repeat(32), String::new()] {
        let error = serde_json::from_value::<Salt>(wrong.clone().into()).unwrap_err().to_string();
        assert_eq!(error, "expected 64 hex digits", "{wrong}");
    }
}

#[test]
fn byte_strings_are_equal_only_when_length_and_every_byte_are() {
    let cases: [(&[u8], &[u8], bool); 5] = [
        (b"", b"", true),
        (b"token", b"token", true),
        (b"token", b"toker", false),
        (b"token", b"xoken", false),
        (b"token", b"token ", false),
    ];
    for (left, right, equal) in cases {
        assert_eq!(constant_time_eq(left, right), equal);
    }
}
