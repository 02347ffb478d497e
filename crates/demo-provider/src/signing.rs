//! Signs ID tokens, with a key made at the start and gone at the end.
//!
//! ES256 or RS256, compact JWS (RFC 7515), keys published as JWK (RFC 7517). The private key never leaves this
//! module.

use std::io;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::options::IdTokenAlgorithm;
use crate::resource::{email, subject};

/// What an ID token says.
pub(crate) struct IdClaims<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) person: &'a str,
    pub(crate) client: &'a str,
    pub(crate) nonce: Option<&'a str>,
    pub(crate) access_token: &'a str,
    pub(crate) now: u64,
    pub(crate) agreed_at: u64,
    pub(crate) life: Duration,
}

/// The key of this run.
pub(crate) struct Signer {
    key: Key,
    id: String,
    random: SystemRandom,
}

enum Key {
    Ec(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl Signer {
    pub(crate) fn generate(algorithm: IdTokenAlgorithm) -> io::Result<Self> {
        let random = SystemRandom::new();
        let key = match algorithm {
            IdTokenAlgorithm::Es256 => {
                let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
                    .map_err(|_| io::Error::other("could not make a signing key"))?;
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, made.as_ref())
                    .map_err(|_| io::Error::other("could not read the signing key just made"))?;
                Key::Ec(pair)
            }
            IdTokenAlgorithm::Rs256 => Key::Rsa(
                RsaKeyPair::generate(KeySize::Rsa2048)
                    .map_err(|_| io::Error::other("could not make a signing key"))?,
            ),
        };
        let public = match &key {
            Key::Ec(pair) => pair.public_key().as_ref(),
            Key::Rsa(pair) => pair.public_key().as_ref(),
        };
        let id = URL_SAFE_NO_PAD.encode(Sha256::digest(public)).chars().take(16).collect();
        Ok(Self { key, id, random })
    }

    pub(crate) fn algorithm(&self) -> &'static str {
        match self.key {
            Key::Ec(_) => "ES256",
            Key::Rsa(_) => "RS256",
        }
    }

    /// The public key as a JWK set.
    pub(crate) fn jwks(&self) -> Value {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut jwk = match &self.key {
            Key::Ec(pair) => {
                // An uncompressed point: a tag, then two coordinates of 32 bytes.
                let point = pair.public_key().as_ref().get(1..).unwrap_or_default();
                let (x, y) = point.split_at_checked(32).unwrap_or_default();
                json!({ "kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y) })
            }
            Key::Rsa(pair) => {
                let public = pair.public_key();
                json!({
                    "kty": "RSA",
                    "n": encode(public.modulus().big_endian_without_leading_zero()),
                    "e": encode(public.exponent().big_endian_without_leading_zero()),
                })
            }
        };
        if let Value::Object(fields) = &mut jwk {
            fields.insert("use".to_owned(), "sig".into());
            fields.insert("alg".to_owned(), self.algorithm().into());
            fields.insert("kid".to_owned(), self.id.as_str().into());
        }
        json!({ "keys": [jwk] })
    }

    /// An ID token (`OpenID Connect` Core, section 2); `None` when the signature cannot be made.
    pub(crate) fn id_token(&self, claims: &IdClaims<'_>) -> Option<String> {
        let issued_at = claims.now / 1000;
        let half = Sha256::digest(claims.access_token);
        let mut body = json!({
            "iss": claims.issuer,
            "sub": subject(claims.person),
            "aud": claims.client,
            "iat": issued_at,
            "exp": issued_at.saturating_add(claims.life.as_secs()),
            "auth_time": claims.agreed_at / 1000,
            "at_hash": URL_SAFE_NO_PAD.encode(half.get(..16)?),
            "name": claims.person,
            "email": email(claims.person),
        });
        if let (Value::Object(fields), Some(nonce)) = (&mut body, claims.nonce) {
            fields.insert("nonce".to_owned(), nonce.into());
        }
        let head = json!({ "alg": self.algorithm(), "typ": "JWT", "kid": self.id });
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let message = format!("{}.{}", encode(&head), encode(&body));
        let signature = self.sign(message.as_bytes())?;
        Some(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        match &self.key {
            Key::Ec(pair) => Some(pair.sign(&self.random, message).ok()?.as_ref().to_vec()),
            Key::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &self.random, message, &mut signature).ok()?;
                Some(signature)
            }
        }
    }
}
