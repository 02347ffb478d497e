//! `vestal kv patch`.

use clap::Args;
use serde_json::{Map, Value, json};
use vestal_client::{Api, ApiError, Kv, KvMount, Secret};

use super::{Target, nothing_at, show_version, version_of};
use crate::cli::commands::{Run, data};
use crate::cli::failure::{Failure, Outcome};
use crate::cli::flags::OutputFlags;
use crate::cli::session::Session;

#[derive(Args, Debug)]
pub(crate) struct Patch {
    #[command(flatten)]
    output: OutputFlags,
    /// Change only if this is the current version.
    #[arg(long, value_name = "VERSION", default_value_t = 0, allow_hyphen_values = true)]
    cas: i64,
    /// patch: one PATCH request; rw: read, change, write. Without it, patch, and rw where that is not allowed.
    #[arg(long, value_name = "METHOD")]
    method: Option<String>,
    /// A field to remove; may be repeated.
    #[arg(long, value_name = "FIELD")]
    remove_data: Vec<String>,
    #[command(flatten)]
    target: Target,
    /// key=value, key=@file, key=- (standard input), or - or @file for a JSON object.
    #[arg(value_name = "DATA")]
    data: Vec<String>,
}

impl Run for Patch {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        let mut changes = data(session, &self.data)?;
        changes.extend(self.remove_data.iter().map(|field| (field.clone(), Value::Null)));
        if changes.is_empty() {
            return Err(Failure::local("Must supply data"));
        }
        let api = session.api()?;
        let (mount, key) = self.target.locate(session).await?;
        if !mount.versioned {
            return Err(Failure::remote("K/V engine mount must be version 2 for patch support"));
        }
        let path = mount.value(&key);
        let result = match self.method.as_deref() {
            None | Some("patch") => self.patch(&api, &path, &changes).await,
            Some("rw") => self.read_and_write(&api, &mount, &key, &changes).await,
            Some(other) => {
                return Err(Failure::remote(format!("Unsupported method provided to -method flag: {other}")));
            }
        };
        // A policy may allow reading and writing but not patching, and an old server cannot patch.
        let result = match result {
            Err(Some(error)) if self.method.is_none() && matches!(error.status(), Some(403 | 405)) => {
                self.read_and_write(&api, &mount, &key, &changes).await
            }
            other => other,
        };
        match result {
            Ok(secret) => show_version(session, secret.as_ref(), &self.output, &path),
            Err(Some(error)) => Err(session.failed(&format!("Error writing data to {path}"), &error)),
            Err(None) => Err(nothing_at(&path)),
        }
    }
}

/// What was written; `None` as the error says that there is nothing to change.
type Patched = Result<Option<Secret>, Option<ApiError>>;

impl Patch {
    async fn patch(&self, api: &Api, path: &str, changes: &Map<String, Value>) -> Patched {
        let options = if self.cas > 0 { json!({ "cas": self.cas }) } else { json!({}) };
        api.patch(path, json!({ "data": changes, "options": options })).await.map_err(Some)
    }

    async fn read_and_write(
        &self,
        api: &Api,
        mount: &KvMount,
        key: &str,
        changes: &Map<String, Value>,
    ) -> Patched {
        let read = Kv(api).read(mount, key, None).await.map_err(Some)?;
        let secret = read.ok_or(None)?;
        let mut data = secret.field("data").and_then(Value::as_object).cloned().ok_or(None)?;
        for (field, value) in changes {
            match value {
                Value::Null => data.remove(field),
                value => data.insert(field.clone(), value.clone()),
            };
        }
        // What was read must still be current when it is written, or another's change is lost.
        let expected = if self.cas > 0 { json!(self.cas) } else { json!(version_of(&secret)) };
        let options = Map::from_iter([("cas".to_owned(), expected)]);
        Kv(api).write(mount, key, data, options).await.map_err(Some)
    }
}
