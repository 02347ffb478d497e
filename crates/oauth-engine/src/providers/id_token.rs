//! Reads and checks ID tokens (reference §7.6).
//!
//! Invariants: no claim is believed before the signature fits; no text carries the token or a claim. Knows nothing of
//! where keys come from.

use std::str::FromStr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};
use vestal_logical::Timestamp;

use super::keys::Signed;

/// How far ahead `nbf` may lie.
const AHEAD: Duration = Duration::from_mins(1);

/// What a token must say.
pub(crate) struct Expected<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) audience: &'a str,
    /// Those that the issuer announced; none is RS256.
    pub(crate) algorithms: &'a [String],
    pub(crate) now: Timestamp,
}

/// A token in its parts, its signature not yet checked.
pub(crate) struct Unverified<'a> {
    header: Map<String, Value>,
    claims: Map<String, Value>,
    message: &'a str,
    signature: &'a str,
}

impl<'a> Unverified<'a> {
    /// Takes the token apart: one header, one body, one signature.
    pub(crate) fn read(token: &'a str) -> Result<Self, &'static str> {
        const MALFORMED: &str = "oidc: malformed jwt";
        let (message, signature) = token.rsplit_once('.').ok_or(MALFORMED)?;
        let (header, claims) =
            message.split_once('.').filter(|(_, claims)| !claims.contains('.')).ok_or(MALFORMED)?;
        let part = |part: &str| {
            let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
            serde_json::from_slice::<Map<String, Value>>(&bytes).ok()
        };
        Ok(Self {
            header: part(header).ok_or(MALFORMED)?,
            claims: part(claims).ok_or(MALFORMED)?,
            message,
            signature,
        })
    }

    /// Checks the claims and the algorithm, in the order of reference §7.6; what is left is the signature.
    pub(crate) fn check(&self, expected: &Expected<'_>) -> Result<Signed<'_>, &'static str> {
        if self.text("iss") != Some(expected.issuer) {
            return Err("oidc: id token issued by a different provider");
        }
        let for_us = match self.claims.get("aud") {
            Some(Value::String(audience)) => audience == expected.audience,
            Some(Value::Array(list)) => list.iter().any(|one| one == expected.audience),
            _ => false,
        };
        if !for_us {
            return Err("oidc: the id token's audience is not this client");
        }
        if self.instant("exp").is_none_or(|exp| exp < expected.now) {
            return Err("oidc: token is expired");
        }
        if self.instant("nbf").is_some_and(|nbf| nbf > expected.now.plus(AHEAD)) {
            return Err("oidc: the id token is not valid yet");
        }
        let named = self.header.get("alg").and_then(Value::as_str).unwrap_or_default();
        let announced = if expected.algorithms.is_empty() {
            named == "RS256"
        } else {
            expected.algorithms.iter().any(|known| known == named)
        };
        let algorithm = Algorithm::from_str(named).ok().filter(|_| announced);
        Ok(Signed {
            key_id: self.header.get("kid").and_then(Value::as_str).filter(|id| !id.is_empty()),
            algorithm: algorithm.ok_or("oidc: the id token is signed with an unsupported algorithm")?,
            message: self.message,
            signature: self.signature,
        })
    }

    /// The claims, for whoever has checked claims and signature.
    pub(crate) fn into_claims(self) -> Map<String, Value> {
        self.claims
    }

    fn text(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim)?.as_str()
    }

    /// Seconds since 1970, fractions allowed.
    fn instant(&self, claim: &str) -> Option<Timestamp> {
        let Value::Number(number) = self.claims.get(claim)? else { return None };
        let text = number.to_string();
        if let Ok(seconds) = text.parse() {
            return Some(Timestamp::from_seconds(seconds));
        }
        let nanos = text.parse::<f64>().ok().filter(|seconds| seconds.is_finite())? * 1e9;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "it saturates, which is as good as any instant out there"
        )]
        let nanos = nanos as i64;
        Some(Timestamp::from_nanos(nanos))
    }
}

/// Takes any text apart and checks it, as far as that goes without keys.
#[cfg(feature = "testing")]
pub(super) fn fuzzed(token: &str) {
    let algorithms = ["ES256".to_owned(), "RS256".to_owned()];
    let expected = Expected {
        issuer: "https://idp.example",
        audience: "client",
        algorithms: &algorithms,
        now: Timestamp::from_seconds(1_700_000_000),
    };
    if let Ok(unverified) = Unverified::read(token) {
        let passed = unverified.check(&expected).is_ok();
        debug_assert!(
            !passed || unverified.text("iss") == Some(expected.issuer),
            "a stranger's token passed"
        );
    }
}
