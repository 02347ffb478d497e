//! Every parser that meets strangers' bytes, as a function of bytes that must return, whatever they are.
//!
//! Each also checks what must hold of whatever was accepted, and panics when it does not: that is what a find is.
#![expect(clippy::missing_panics_doc, reason = "said above of all of them")]

use http::Request;
use serde_json::Map;
use vestal_core::policies::{Acl, AclRequest, Capability, Policy};
use vestal_crypto::{Keyring, RootKey, SealKey, Sealed, SecretBytes, SeededEntropy, shamir};
use vestal_http_api::{Arrival, Limits, translate};
use vestal_logical::Timestamp;
use vestal_storage::Key;

/// A parser under test: it must return, whatever the bytes.
pub type Target = fn(&[u8]);

/// Name and function of every target.
pub const TARGETS: [(&str, Target); 8] = [
    ("http", http),
    ("policy", policy),
    ("hcl", hcl),
    ("shares", shares),
    ("record", record),
    ("key", key),
    ("store_file", store_file),
    ("provider_answer", provider_answer),
];

/// Splits the input at its first newline: a head and a body.
fn two(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (head, rest) = bytes.split_at(end);
    (head, rest.get(1..).unwrap_or_default())
}

/// `METHOD target` in the first line, a body behind it. Whatever is accepted has one canonical path.
pub fn http(bytes: &[u8]) {
    let (head, body) = two(bytes);
    let head = String::from_utf8_lossy(head);
    let (method, target) = head.split_once(' ').unwrap_or(("GET", &head));
    let Ok(request) = Request::builder().method(method).uri(target).body(()) else { return };
    let (parts, ()) = request.into_parts();
    let arrival =
        Arrival { id: String::new(), now: Timestamp::default(), deadline: Timestamp::MAX, peer: None };
    if let Ok(request) = translate(&parts, body, arrival, &Limits::default()) {
        let canonical = !request.path.split('/').any(|segment| segment == "." || segment == "..");
        assert!(canonical && !request.path.contains("//"), "a path with detours came through");
        assert!(!request.path.chars().any(char::is_control), "a control character came through");
    }
}

/// A policy in HCL, JSON or base64. Whatever is accepted can be compiled and asked.
pub fn policy(bytes: &[u8]) {
    let (path, text) = two(bytes);
    let (Ok(path), Ok(text)) = (std::str::from_utf8(path), std::str::from_utf8(text)) else { return };
    if let Ok(policy) = Policy::parse("fuzzed", text) {
        let acl = Acl::compile(&[std::sync::Arc::new(policy)]);
        let told = acl.capabilities(path);
        let ask = AclRequest {
            capability: Capability::Read,
            path,
            data: &Map::new(),
            wrap_ttl: None,
            needs_sudo: false,
        };
        let allowed = acl.allow(&ask).allowed;
        assert!(!allowed || told.contains(&"read"), "what is allowed must be told");
        assert!(!acl.is_root(), "no text makes a policy root");
    }
}

/// The configuration language.
pub fn hcl(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        drop(vestal_hcl::parse(text));
    }
}

/// Key shares: the first byte tells how long each is. Whatever is put together has the length of a secret.
pub fn shares(bytes: &[u8]) {
    let Some((length, rest)) = bytes.split_first() else { return };
    let shares: Vec<_> =
        rest.chunks(usize::from(*length).max(1)).map(|share| SecretBytes::new(share.to_vec())).collect();
    if let Ok(secret) = shamir::combine(&shares) {
        assert_eq!(secret.len() + 1, shares.first().map_or(0, SecretBytes::len));
    }
    drop(SealKey::combine(&shares));
}

/// Records read back from a disk. Without the key nothing opens.
pub fn record(bytes: &[u8]) {
    let entropy = SeededEntropy::new(1);
    let keyring = Keyring::generate(&entropy, 0);
    let sealed = Sealed::read_back(bytes.to_vec());
    assert!(keyring.open(b"place", &sealed).is_err(), "a record of strangers opened");
    let _ = sealed.clear_header();
    assert!(Keyring::unwrap(&RootKey::generate(&entropy), &sealed).is_err());
    assert!(RootKey::unwrap(&SealKey::generate(&entropy), &sealed).is_err());
}

/// Storage keys read back from a disk. Whatever is accepted is encoded in one way only.
pub fn key(bytes: &[u8]) {
    if let Some(key) = Key::decode(bytes) {
        let again =
            key.segments().unwrap_or_default().iter().fold(Key::root(), |key, segment| key.with(segment));
        assert_eq!(again, key);
    }
}

/// The files of a store: frames, segments, manifest, export, and what lies in sled.
pub fn store_file(bytes: &[u8]) {
    vestal_storage::testing::store_file(bytes);
}

/// What a token endpoint answers, well or ill: content type in the first line, body behind it.
pub fn provider_answer(bytes: &[u8]) {
    let (content_type, body) = two(bytes);
    for status in [200, 400, 401, 500] {
        let token = vestal_oauth_engine::read_any_token_answer(status, content_type, body);
        assert!(!token || status == 200, "a token came out of a refusal");
    }
}
