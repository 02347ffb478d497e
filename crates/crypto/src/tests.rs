//! What holds for the whole crate, and the scripted randomness that its vectors need.

use std::fmt::Debug;
use std::sync::Mutex;

use crate::{
    DataKey, Entropy, Keyring, MacKey, NameKey, RootKey, Salt, SealKey, Sealed, SecretBytes, SecretString,
};

/// Gives the bytes it was made with, in order, and fails when they run out.
pub(crate) struct Scripted(Mutex<Vec<u8>>);

impl Scripted {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self(Mutex::new(bytes.iter().rev().copied().collect()))
    }
}

impl Entropy for Scripted {
    fn fill(&self, bytes: &mut [u8]) {
        let mut left = self.0.lock().unwrap();
        bytes.fill_with(|| left.pop().expect("the script is long enough"));
    }
}

/// Every byte of it is 0xa7, in decimal 167.
struct Canary;

impl Entropy for Canary {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0xa7);
    }
}

#[test]
fn no_secret_type_shows_a_byte_when_debugged() {
    #[derive(Debug)]
    #[expect(dead_code, reason = "only its Debug is looked at")]
    struct Nested(Option<SecretString>, Vec<SecretBytes>);

    let canary = "canary-§";
    let shares = SealKey::generate(&Canary).split(2, 2, &crate::SeededEntropy::new(1)).unwrap();
    let mut ring = Keyring::generate(&Canary, 1);
    ring.rotate(&Canary, 2);
    let cases: [(&dyn Debug, &str); 11] = [
        (&SecretString::from(canary), "[redacted]"),
        (&SecretBytes::new([0xa7; 9]), "[redacted]"),
        (&shares, "[[redacted], [redacted]]"),
        (&SealKey::generate(&Canary), "SealKey([redacted])"),
        (&RootKey::generate(&Canary), "RootKey([redacted])"),
        (&DataKey::generate(&Canary), "DataKey([redacted])"),
        (&NameKey::generate(&Canary), "NameKey([redacted])"),
        (&MacKey::generate(&Canary), "MacKey([redacted])"),
        (&Salt::generate(&Canary), "Salt([redacted])"),
        (&ring, "Keyring(term 2, [redacted])"),
        (&Sealed::read_back(vec![0xa7; 8]), "Sealed(8 bytes)"),
    ];
    for (secret, shown) in cases {
        assert_eq!(format!("{secret:?}"), shown);
    }
    let nested = Nested(Some(canary.into()), vec![SecretBytes::new([0xa7; 3])]);
    for shown in cases.iter().map(|(secret, _)| format!("{secret:#?}")).chain([format!("{nested:#?}")]) {
        for trace in ["canary", "§", "167", "a7", "A7"] {
            assert!(!shown.contains(trace), "{shown} shows {trace}");
        }
    }
}
