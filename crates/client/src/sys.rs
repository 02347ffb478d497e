//! Typed calls below `sys/` that the command line and the tests share.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use vestal_crypto::SecretString;

use crate::answer::Secret;
use crate::api::Api;
use crate::ask::Ask;
use crate::error::ApiError;

/// The calls below `sys/`.
#[derive(Debug, Clone, Copy)]
pub struct Sys<'a>(pub &'a Api);

/// What initialising gives, once and never again.
#[derive(Clone, Serialize, Deserialize)]
pub struct InitAnswer {
    /// The shares in hex.
    pub keys: Vec<String>,
    /// The shares in base64.
    pub keys_base64: Vec<String>,
    /// Recovery shares in hex, with a seal that has them.
    #[serde(default)]
    pub recovery_keys: Option<Vec<String>>,
    /// Recovery shares in base64.
    #[serde(default)]
    pub recovery_keys_base64: Option<Vec<String>>,
    /// The first token.
    pub root_token: String,
}

impl Sys<'_> {
    /// `sys/seal-status`, as the server put it.
    pub async fn seal_status(&self) -> Result<Map<String, Value>, ApiError> {
        self.plain(Ask::get("sys/seal-status").at_root()).await
    }

    /// `sys/leader`.
    pub async fn leader(&self) -> Result<Map<String, Value>, ApiError> {
        self.plain(Ask::get("sys/leader").at_root()).await
    }

    /// Whether the server was ever initialised.
    pub async fn initialized(&self) -> Result<bool, ApiError> {
        let status = self.plain(Ask::get("sys/init").at_root()).await?;
        Ok(status.get("initialized").and_then(Value::as_bool).unwrap_or_default())
    }

    /// Initialises with Shamir shares.
    pub async fn init(&self, shares: u8, threshold: u8) -> Result<InitAnswer, ApiError> {
        self.initialise(json!({
            "secret_shares": shares, "secret_threshold": threshold, "pgp_keys": null,
            "recovery_shares": 0, "recovery_threshold": 0, "recovery_pgp_keys": null, "root_token_pgp_key": "",
        }))
        .await
    }

    /// Initialises a server whose seal is a passphrase; without one the server makes it.
    pub async fn init_with_passphrase(
        &self,
        passphrase: Option<&SecretString>,
    ) -> Result<InitAnswer, ApiError> {
        let mut body = json!({ "secret_shares": 1, "secret_threshold": 1 });
        if let (Some(passphrase), Some(fields)) = (passphrase, body.as_object_mut()) {
            fields.insert("passphrase".to_owned(), json!(passphrase.expose()));
        }
        self.initialise(body).await
    }

    async fn initialise(&self, body: Value) -> Result<InitAnswer, ApiError> {
        let ask = Ask::put("sys/init", body).at_root();
        let url = self.0.address_of(&ask)?;
        let method = http::Method::PUT;
        let answer = self.0.send(ask).await?;
        let reason = "the answer holds no keys".to_owned();
        answer.json().ok_or(ApiError::Malformed { method, url: url.into(), reason })
    }

    /// Hands in one share; gives the seal status.
    pub async fn unseal(&self, key: &SecretString, migrate: bool) -> Result<Map<String, Value>, ApiError> {
        let body = json!({ "key": key.expose(), "reset": false, "migrate": migrate });
        self.plain(Ask::put("sys/unseal", body).at_root()).await
    }

    /// Forgets the shares handed in so far; gives the seal status.
    pub async fn reset_unseal(&self) -> Result<Map<String, Value>, ApiError> {
        self.plain(Ask::put("sys/unseal", json!({ "reset": true })).at_root()).await
    }

    /// Seals.
    pub async fn seal(&self) -> Result<(), ApiError> {
        self.0.send(Ask::new(http::Method::PUT, "sys/seal").at_root()).await.map(drop)
    }

    /// All mounts by path.
    pub async fn mounts(&self) -> Result<Map<String, Value>, ApiError> {
        self.data(Ask::get("sys/mounts")).await
    }

    /// Mounts an engine; `body` is what `sys/mounts/PATH` takes.
    pub async fn mount(&self, path: &str, body: Value) -> Result<(), ApiError> {
        self.0.send(Ask::post(format!("sys/mounts/{}", path.trim_matches('/')), body)).await.map(drop)
    }

    /// Unmounts.
    pub async fn unmount(&self, path: &str) -> Result<(), ApiError> {
        self.0.send(Ask::delete(format!("sys/mounts/{}", path.trim_matches('/')))).await.map(drop)
    }

    /// Changes a mount's settings.
    pub async fn tune(&self, path: &str, body: Value) -> Result<(), ApiError> {
        self.0.send(Ask::post(format!("sys/mounts/{}/tune", path.trim_matches('/')), body)).await.map(drop)
    }

    /// Writes a policy.
    pub async fn write_policy(&self, name: &str, rules: &str) -> Result<(), ApiError> {
        let ask = Ask::put(format!("sys/policies/acl/{name}"), json!({ "policy": rules }));
        self.0.send(ask).await.map(drop)
    }

    /// Opens a wrapped answer. Without a token, or with the client's own, the client's token is the wrapping
    /// token.
    pub async fn unwrap(&self, token: Option<&SecretString>) -> Result<Option<Secret>, ApiError> {
        let own = self.0.settings().token.as_ref();
        let api = match token {
            Some(token) if own.is_none() => self.0.as_token(Some(token.clone())),
            _ => self.0.clone(),
        };
        let body = match token {
            Some(token) if own.is_some_and(|own| own != token) => json!({ "token": token.expose() }),
            _ => Value::Null,
        };
        Ok(api.send(Ask::put("sys/wrapping/unwrap", body)).await?.secret())
    }

    /// The data of an envelope, empty when there is none.
    pub async fn data(&self, ask: Ask) -> Result<Map<String, Value>, ApiError> {
        Ok(self.0.send(ask).await?.secret().and_then(|secret| secret.data).unwrap_or_default())
    }

    /// An answer without envelope.
    pub async fn plain(&self, ask: Ask) -> Result<Map<String, Value>, ApiError> {
        let url = self.0.address_of(&ask)?;
        let method = ask.method.clone();
        let answer = self.0.send(ask).await?;
        let reason = "the answer is not a JSON object; is this a Vault-compatible server?".to_owned();
        answer.json().ok_or(ApiError::Malformed { method, url: url.into(), reason })
    }
}
