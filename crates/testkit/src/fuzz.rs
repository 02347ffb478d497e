//! Every parser that meets strangers' bytes, as a function of bytes that must return, whatever they are.
//!
//! Each also checks what must hold of whatever was accepted, and panics when it does not: that is what a find is.
#![expect(clippy::missing_panics_doc, reason = "said above of all of them")]

use http::request::Parts;
use serde_json::Map;
use vestal::config::Config;
use vestal_core::policies::{Acl, AclRequest, Capability, Policy};
use vestal_crypto::{Keyring, RootKey, SealKey, Sealed, SecretBytes, SeededEntropy, shamir};
use vestal_http_api::{Arrival, JsonLimits, Limits, Refusal, translate};
use vestal_logical::{Request, Timestamp};
use vestal_storage::Key;

/// A parser under test: it must return, whatever the bytes.
pub type Target = fn(&[u8]);

/// Name and function of every target.
pub const TARGETS: [(&str, Target); 9] = [
    ("http", http),
    ("policy", policy),
    ("hcl", hcl),
    ("configuration", configuration),
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

/// JSON bounds that short inputs reach.
pub const NARROW: JsonLimits = JsonLimits { depth: 4, strings: 8, memory: 2048 };

/// `METHOD target` in the first line, headers in those that follow, a body behind the first empty one. Whatever is accepted
/// has one canonical path, and what narrow bounds accept reads the same within wide ones.
pub fn http(bytes: &[u8]) {
    let Some(wide) = request(bytes, &Limits::default()) else { return };
    if let Some(Ok(narrow)) = request(bytes, &Limits { json: NARROW, ..Limits::default() }) {
        assert!(wide.as_ref().is_ok_and(|wide| wide.data == narrow.data), "bounds changed what was read");
    }
    if let Ok(request) = wide {
        let canonical = !request.path.split('/').any(|segment| segment == "." || segment == "..");
        assert!(canonical && !request.path.contains("//"), "a path with detours came through");
        assert!(!request.path.chars().any(char::is_control), "a control character came through");
    }
}

/// An input of [`http()`] as the server would translate it; `None` if no client can send it.
pub fn request(bytes: &[u8], limits: &Limits) -> Option<Result<Request, Refusal>> {
    let (line, mut rest) = two(bytes);
    let line = String::from_utf8_lossy(line);
    let (method, target) = line.split_once(' ').unwrap_or(("GET", &line));
    let mut head = http::Request::builder().method(method).uri(target);
    loop {
        let (header, behind) = two(rest);
        rest = behind;
        if header.is_empty() {
            break;
        }
        let colon = header.iter().position(|byte| *byte == b':')?;
        let (name, value) = header.split_at(colon);
        head = head.header(name, value.get(1..).unwrap_or_default().trim_ascii());
    }
    let (parts, ()): (Parts, ()) = head.body(()).ok()?.into_parts();
    let arrival =
        Arrival { id: String::new(), now: Timestamp::default(), deadline: Timestamp::MAX, peer: None };
    Some(translate(&parts, rest, arrival, limits))
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

/// A configuration in HCL or JSON, without looking up any name. Whatever is accepted can be shown and listened to; what
/// is refused is not repeated.
pub fn configuration(bytes: &[u8]) {
    const VALUE: &str = "hunter2";
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Config::parse(text, |address| Ok(address.parse().ok())) {
        Ok(config) => {
            assert!(!config.listeners.is_empty(), "a server nobody could reach");
            for listener in &config.listeners {
                assert_eq!(listener.options().tls.is_some(), listener.is_tls());
                drop(listener.shown_at(listener.address));
            }
            drop(config.summary(""));
        }
        Err(error) => {
            // A tree's `Debug` shows its keys only, and keys may be named.
            let is_key = vestal_hcl::parse(text).is_ok_and(|tree| format!("{tree:?}").contains(VALUE));
            assert!(is_key || !format!("{error:#}").contains(VALUE), "an error repeats a value");
        }
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
