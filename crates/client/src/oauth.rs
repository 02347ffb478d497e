//! The calls of the `oauthapp` engine that programs make.

use serde_json::{Map, Value};

use crate::answer::Secret;
use crate::api::Api;
use crate::error::ApiError;

/// An `oauthapp` mount.
#[derive(Debug, Clone)]
pub struct OAuth<'a> {
    api: &'a Api,
    mount: String,
}

impl<'a> OAuth<'a> {
    /// The engine mounted at `mount`.
    pub fn at(api: &'a Api, mount: &str) -> Self {
        Self { api, mount: mount.trim_matches('/').to_owned() }
    }

    /// Writes an authorization server.
    pub async fn write_server(&self, name: &str, settings: Value) -> Result<(), ApiError> {
        self.api.write(&format!("{}/servers/{name}", self.mount), settings).await.map(drop)
    }

    /// The address to send a person to.
    pub async fn auth_code_url(&self, ask: Value) -> Result<Option<String>, ApiError> {
        let secret = self.api.write(&format!("{}/auth-code-url", self.mount), ask).await?;
        Ok(secret.and_then(|secret| secret.text("url").map(str::to_owned)))
    }

    /// Connects a credential: by code, or with a refresh token.
    pub async fn connect(&self, name: &str, grant: Value) -> Result<Option<Secret>, ApiError> {
        self.api.write(&format!("{}/creds/{name}", self.mount), grant).await
    }

    /// A credential's current access token and what belongs to it; `None` when there is no such credential.
    pub async fn credential(&self, name: &str) -> Result<Option<Map<String, Value>>, ApiError> {
        let secret = self.api.read(&format!("{}/creds/{name}", self.mount), None).await?;
        Ok(secret.and_then(|secret| secret.data))
    }

    /// Forgets a credential.
    pub async fn forget(&self, name: &str) -> Result<(), ApiError> {
        self.api.delete(&format!("{}/creds/{name}", self.mount), None).await.map(drop)
    }
}
