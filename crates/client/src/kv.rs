//! Where a key/value secret lives: the mount and its version, asked of the server before each command.

use serde_json::{Map, Value};

use crate::answer::Secret;
use crate::api::Api;
use crate::ask::Ask;
use crate::error::ApiError;

/// Calls about key/value mounts.
#[derive(Debug, Clone, Copy)]
pub struct Kv<'a>(pub &'a Api);

/// A key/value mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvMount {
    /// Where it is, with a slash at the end.
    pub path: String,
    /// Whether values have versions.
    pub versioned: bool,
}

impl KvMount {
    /// The API path of `key` in one of version 2's branches (`data`, `metadata`, `delete`, …).
    pub fn branch(&self, branch: &str, key: &str) -> String {
        let key = key.trim_matches('/');
        let path = format!("{}{branch}", self.path);
        if key.is_empty() { path } else { format!("{path}/{key}") }
    }

    /// The API path of the value: `data/` of version 2, the key itself of version 1.
    pub fn value(&self, key: &str) -> String {
        if self.versioned {
            self.branch("data", key)
        } else {
            format!("{}{}", self.path, key.trim_matches('/'))
        }
    }
}

impl Kv<'_> {
    /// The mount that serves `path`, and what remains of the path below it.
    pub async fn locate(&self, path: &str) -> Result<(KvMount, String), ApiError> {
        let path = path.trim_matches('/');
        let mount = self.mount(path).await?;
        let key = format!("{path}/").strip_prefix(&mount.path).unwrap_or(path).trim_matches('/').to_owned();
        Ok((mount, key))
    }

    /// The mount at `path` or above it. A server too old to know answers 404 and has only version 1.
    pub async fn mount(&self, path: &str) -> Result<KvMount, ApiError> {
        let path = path.trim_matches('/');
        let answer = match self.0.send(Ask::get(format!("sys/internal/ui/mounts/{path}"))).await {
            Ok(answer) => answer,
            Err(error) if error.status() == Some(404) => {
                let first = path.split('/').next().unwrap_or(path);
                return Ok(KvMount { path: format!("{first}/"), versioned: false });
            }
            Err(error) => return Err(error),
        };
        let mount = answer.secret().unwrap_or_default();
        let version = mount.field("options").and_then(|options| options.get("version"));
        let versioned = version.and_then(Value::as_str) == Some("2");
        let at = mount.text("path").unwrap_or(path).trim_matches('/');
        Ok(KvMount { path: format!("{at}/"), versioned })
    }

    /// The data of a version, as the server keeps it; `None` when there is no such secret.
    pub async fn read(
        &self,
        mount: &KvMount,
        key: &str,
        version: Option<u64>,
    ) -> Result<Option<Secret>, ApiError> {
        let query = version.map(|version| ("version".to_owned(), version.to_string()));
        self.0.read(&mount.value(key), query).await
    }

    /// Writes a secret; for version 2 as a new version with its options.
    pub async fn write(
        &self,
        mount: &KvMount,
        key: &str,
        data: Map<String, Value>,
        options: Map<String, Value>,
    ) -> Result<Option<Secret>, ApiError> {
        let body = if mount.versioned {
            serde_json::json!({ "data": data, "options": options })
        } else {
            data.into()
        };
        self.0.write(&mount.value(key), body).await
    }
}
