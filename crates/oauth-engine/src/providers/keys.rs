//! Holds an issuer's signing keys, and fetches them when they are missing, old, or not the right ones.
//!
//! Invariants: keys that are held are always tried before any are fetched; a signature that does not fit causes one fetch
//! at most, and none while the keys are fresh and half a minute young. Knows nothing of tokens.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;
use url::Url;
use vestal_logical::{OutboundResponse, Timestamp};

use super::network::{Network, status_line};

/// Fetching takes no longer than this.
const TIME: Duration = Duration::from_secs(15);
const MOST_KEYS: usize = 64;
/// Keys that soon cease to be good are fetched anew when a signature does not fit.
const SOON: Duration = Duration::from_secs(30);
const LONGEST: u64 = 86_400;

/// The keys of one issuer.
#[derive(Default)]
pub(crate) struct IssuerKeys {
    held: Mutex<Option<Held>>,
}

#[derive(Clone)]
struct Held {
    keys: Arc<Vec<Jwk>>,
    fetched: Timestamp,
    expires: Timestamp,
}

/// What was signed, and how.
pub(crate) struct Signed<'a> {
    pub(crate) key_id: Option<&'a str>,
    pub(crate) algorithm: Algorithm,
    pub(crate) message: &'a str,
    pub(crate) signature: &'a str,
}

impl IssuerKeys {
    /// Whether one of the issuer's keys made the signature; the error says why the keys cannot be had.
    pub(crate) async fn vouch(
        &self,
        network: &Network,
        url: &Url,
        signed: &Signed<'_>,
        now: Timestamp,
    ) -> Result<bool, String> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(held) = &held {
            if fits(&held.keys, signed) {
                return Ok(true);
            }
            if held.expires > now.plus(SOON) && now.since(held.fetched) < SOON {
                return Ok(false);
            }
        }
        let fetched = fetch(network, url, now).await?;
        let keys = Arc::clone(&fetched.keys);
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(fetched);
        Ok(fits(&keys, signed))
    }
}

fn fits(keys: &[Jwk], signed: &Signed<'_>) -> bool {
    keys.iter()
        .filter(|key| key.common.public_key_use != Some(PublicKeyUse::Encryption))
        .filter(|key| signed.key_id.is_none() || key.common.key_id.as_deref() == signed.key_id)
        .filter_map(|key| DecodingKey::from_jwk(key).ok())
        .any(|key| {
            let verified = jsonwebtoken::crypto::verify(
                signed.signature,
                signed.message.as_bytes(),
                &key,
                signed.algorithm,
            );
            verified.unwrap_or(false)
        })
}

async fn fetch(network: &Network, url: &Url, now: Timestamp) -> Result<Held, String> {
    let answer = network.get(url, HeaderMap::new(), TIME).await?;
    if answer.status != 200 {
        return Err(status_line(answer.status));
    }
    let document: Value =
        serde_json::from_slice(answer.body.expose()).map_err(|_| "the key set is not json".to_owned())?;
    let Some(listed) = document.get("keys").and_then(Value::as_array) else {
        return Err("the key set has no keys".to_owned());
    };
    // A key of a kind we do not know is no reason to do without the others.
    let keys =
        listed.iter().filter_map(|key| serde_json::from_value(key.clone()).ok()).take(MOST_KEYS).collect();
    Ok(Held { keys: Arc::new(keys), fetched: now, expires: now.plus(lifetime(&answer)) })
}

/// As the answer's `Cache-Control` says; without one they are old at once.
fn lifetime(answer: &OutboundResponse) -> Duration {
    let control = answer.headers.get(http::header::CACHE_CONTROL).and_then(|value| value.to_str().ok());
    let mut seconds = 0;
    for directive in control.unwrap_or_default().split(',').map(str::trim) {
        match directive.split_once('=') {
            Some((name, value)) if name.eq_ignore_ascii_case("max-age") => {
                seconds = value.trim_matches('"').parse().unwrap_or(0);
            }
            None if directive.eq_ignore_ascii_case("no-store")
                || directive.eq_ignore_ascii_case("no-cache") =>
            {
                return Duration::ZERO;
            }
            _ => {}
        }
    }
    Duration::from_secs(seconds.min(LONGEST))
}
