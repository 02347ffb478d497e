//! Looks for what must not be left behind: raw, in hex and in base64, wherever in a file it may stand.

use std::collections::HashMap;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Everything is found by its first bytes, so nothing shorter can be looked for.
const SHORTEST: usize = 8;

/// Texts to look for, each with a label that may be told.
#[derive(Default)]
pub struct Canary {
    by_start: HashMap<[u8; SHORTEST], Vec<(String, Vec<u8>)>>,
}

impl Canary {
    pub fn watch(&mut self, label: &str, bytes: &[u8]) {
        assert!(bytes.len() >= SHORTEST, "{label} is too short to be told from chance");
        self.add(label, "raw", bytes.to_vec());
        self.add(label, "hex", hex::encode(bytes).into_bytes());
        self.add(label, "hex", hex::encode_upper(bytes).into_bytes());
        for skipped in 0..3 {
            for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
                self.add(label, "base64", inside_base64(engine, bytes, skipped).into_bytes());
            }
        }
    }

    fn add(&mut self, label: &str, form: &str, bytes: Vec<u8>) {
        let Some(start) = bytes.first_chunk::<SHORTEST>() else { return };
        let known = self.by_start.entry(*start).or_default();
        if !known.iter().any(|(_, same)| *same == bytes) {
            known.push((format!("{label} ({form})"), bytes));
        }
    }

    /// What was found in a file, or in every file below a folder.
    pub fn found_in(&self, path: &Path) -> Vec<String> {
        if path.is_dir() {
            let entries = std::fs::read_dir(path).expect("a folder can be listed");
            return entries.flat_map(|entry| self.found_in(&entry.expect("an entry").path())).collect();
        }
        let bytes =
            std::fs::read(path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
        self.found(&bytes).into_iter().map(|label| format!("{label} in {}", path.display())).collect()
    }

    fn found(&self, bytes: &[u8]) -> Vec<&str> {
        let mut pairs = vec![false; 1 << 16];
        for [first, second, ..] in self.by_start.keys() {
            if let Some(pair) = pairs.get_mut(usize::from(u16::from_be_bytes([*first, *second]))) {
                *pair = true;
            }
        }
        let mut found = Vec::new();
        for (place, window) in bytes.windows(SHORTEST).enumerate() {
            let Some(start) = window.first_chunk::<SHORTEST>() else { continue };
            let [first, second, ..] = *start;
            if pairs.get(usize::from(u16::from_be_bytes([first, second]))) != Some(&true) {
                continue;
            }
            let rest = bytes.get(place..).unwrap_or_default();
            for (label, whole) in self.by_start.get(start).into_iter().flatten() {
                if rest.starts_with(whole) && !found.contains(&label.as_str()) {
                    found.push(label.as_str());
                }
            }
        }
        found
    }
}

/// How bytes look inside longer base64, when `skipped` bytes of a group of three stand before them: without the characters that
/// depend on their neighbours.
fn inside_base64(engine: &impl Engine, bytes: &[u8], skipped: usize) -> String {
    let mut padded = vec![0; skipped];
    padded.extend_from_slice(bytes);
    let mut text = engine.encode(&padded);
    if !padded.len().is_multiple_of(3) {
        text.pop();
    }
    text.split_off((skipped * 8).div_ceil(6))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "a-secret?of>some~length";

    #[test]
    fn a_leak_is_found_in_every_form_and_at_every_place() {
        let mut canary = Canary::default();
        canary.watch("the secret", SECRET.as_bytes());
        for before in 0..5 {
            let inner = format!("{}{SECRET}{}", "x".repeat(before), "tail");
            for (form, leaked) in [
                ("raw", inner.clone()),
                ("hex", hex::encode(&inner)),
                ("hex", hex::encode_upper(&inner)),
                ("base64", STANDARD_NO_PAD.encode(&inner)),
                ("base64", URL_SAFE_NO_PAD.encode(&inner)),
            ] {
                assert_eq!(
                    canary.found(leaked.as_bytes()),
                    [format!("the secret ({form})")],
                    "{before} before, {form}"
                );
            }
        }
    }

    #[test]
    fn what_is_no_leak_is_not_found() {
        let mut canary = Canary::default();
        canary.watch("the secret", SECRET.as_bytes());
        for text in ["", "a-secret?of>some~lengt", "another secret of some length"] {
            assert!(canary.found(text.as_bytes()).is_empty(), "{text}");
        }
    }
}
