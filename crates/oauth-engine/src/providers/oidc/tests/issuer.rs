//! An issuer that signs what it is told to sign.

use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::future::BoxFuture;
use http::HeaderMap;
use serde_json::{Value, json};
use vestal_crypto::SecretBytes;
use vestal_logical::{HttpTransport, OutboundRequest, OutboundResponse, TransportError};

use super::{ISSUER, START};

/// Its answers may be replaced at any time.
pub(super) struct Idp {
    pub(super) state: Mutex<State>,
}

pub(super) struct State {
    pub(super) document: Value,
    pub(super) document_status: u16,
    pub(super) key: Key,
    pub(super) keys_status: u16,
    pub(super) keys_cached: Option<&'static str>,
    pub(super) token: Value,
    pub(super) user: (u16, String),
    pub(super) down: bool,
    /// Paths in the order of being asked.
    pub(super) asked: Vec<String>,
    pub(super) forms: Vec<String>,
    pub(super) authorizations: Vec<String>,
}

pub(super) struct Key {
    pair: EcdsaKeyPair,
    pub(super) id: &'static str,
}

impl Key {
    pub(super) fn new(id: &'static str) -> Self {
        let made =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        Self { pair: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, made.as_ref()).unwrap(), id }
    }

    fn jwks(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        let part = |range: std::ops::Range<usize>| URL_SAFE_NO_PAD.encode(&point[range]);
        json!({ "keys": [
            { "kty": "someday", "kid": "unknown" },
            { "kty": "EC", "crv": "P-256", "kid": self.id, "use": "sig", "x": part(1..33), "y": part(33..65) },
        ] })
    }

    pub(super) fn sign(&self, header: &Value, claims: &Value) -> String {
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let message = format!("{}.{}", encode(header), encode(claims));
        let signature = self.pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

/// What a good ID token says.
pub(super) fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "user-1", "aud": "foo", "nonce": "baz",
        "exp": START.seconds() + 300, "iat": START.seconds(),
    })
}

impl Idp {
    pub(super) fn new() -> Arc<Self> {
        let document = json!({
            "issuer": ISSUER,
            "authorization_endpoint": "https://idp.example/auth",
            "token_endpoint": "https://idp.example/token",
            "userinfo_endpoint": "https://idp.example/me",
            "jwks_uri": "https://idp.example/keys",
            "id_token_signing_alg_values_supported": ["ES256", "HS256", "none"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        });
        let state = State {
            document,
            document_status: 200,
            key: Key::new("k-1"),
            keys_status: 200,
            keys_cached: Some("public, max-age=3600"),
            token: Value::Null,
            user: (
                200,
                json!({ "sub": "user-1", "email": "user@example.com", "email_verified": "true" }).to_string(),
            ),
            down: false,
            asked: Vec::new(),
            forms: Vec::new(),
            authorizations: Vec::new(),
        };
        let idp = Arc::new(Self { state: Mutex::new(state) });
        idp.grants("a-1", Some(&claims()));
        idp
    }

    pub(super) fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap())
    }

    /// The next token answers: this access token, and an ID token that says this.
    pub(super) fn grants(&self, token: &str, claims: Option<&Value>) {
        self.with(|state| {
            let header = json!({ "alg": "ES256", "kid": state.key.id, "typ": "JWT" });
            let id_token = claims.map(|claims| state.key.sign(&header, claims));
            state.token = json!({ "access_token": token, "token_type": "bearer", "refresh_token": "r-2", "expires_in": 60, "id_token": id_token });
        });
    }

    pub(super) fn grants_raw(&self, id_token: &str) {
        self.with(|state| state.token = json!({ "access_token": "a-1", "id_token": id_token }));
    }

    pub(super) fn asked(&self) -> Vec<String> {
        self.with(|state| std::mem::take(&mut state.asked))
    }
}

impl HttpTransport for Idp {
    fn send(&self, request: OutboundRequest) -> BoxFuture<'static, Result<OutboundResponse, TransportError>> {
        let answer = self.with(|state| {
            let path = request.url.path().to_owned();
            state.asked.push(path.clone());
            if state.down {
                return Err(TransportError::NotSent("connection refused".to_owned()));
            }
            let mut headers = HeaderMap::new();
            let (status, body) = match path.as_str() {
                "/.well-known/openid-configuration" => (state.document_status, state.document.to_string()),
                "/keys" => {
                    if let Some(cached) = state.keys_cached {
                        headers.insert("cache-control", cached.parse().unwrap());
                    }
                    (state.keys_status, state.key.jwks().to_string())
                }
                "/me" => {
                    state.authorizations.push(request.headers["authorization"].to_str().unwrap().to_owned());
                    state.user.clone()
                }
                "/token" => {
                    state.forms.push(String::from_utf8(request.body.expose().to_vec()).unwrap());
                    let status = if state.token.is_null() { 400 } else { 200 };
                    (status, state.token.to_string())
                }
                _ => (404, String::new()),
            };
            headers.insert("content-type", "application/json".parse().unwrap());
            Ok(OutboundResponse { status, headers, body: SecretBytes::new(body) })
        });
        Box::pin(std::future::ready(answer))
    }
}
