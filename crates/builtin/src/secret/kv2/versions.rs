//! `delete/`, `undelete/`, `destroy/`: what happens to single versions.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use vestal_logical::params::CommaList;
use vestal_logical::{Call, Endpoints, Error, Reply, Timestamp};
use vestal_storage::Changes;

use super::super::attempts::repeat;
use super::record::Metadata;
use super::{Kv2, meta_place, version_place};

pub(super) fn endpoints() -> Endpoints<Kv2> {
    Endpoints::new()
        .at("delete/{*path}", "Deleting versions.", |e| {
            e.write(delete, "Delete versions; they can be undeleted.")
        })
        .at("undelete/{*path}", "Undeleting versions.", |e| e.write(undelete, "Bring deleted versions back."))
        .at("destroy/{*path}", "Destroying versions.", |e| e.write(destroy, "Remove versions for good."))
}

/// Which versions of which secret.
#[derive(Deserialize, JsonSchema)]
struct Versions {
    path: String,
    /// Their numbers.
    #[serde(default)]
    versions: CommaList,
}

impl Versions {
    /// Numbers of versions that cannot be are as those of versions that are not there.
    fn numbers(&self, none: &str) -> Result<Vec<u64>, Error> {
        let mut numbers = Vec::new();
        let mut bad = Vec::new();
        for (index, text) in self.versions.0.iter().enumerate() {
            match text.parse::<i64>() {
                Ok(number) => numbers.extend(u64::try_from(number)),
                Err(_) if text.is_empty() => numbers.push(0),
                Err(_) => {
                    bad.push(format!(
                        "'[{index}]' cannot parse value as 'int': strconv.ParseInt: invalid syntax"
                    ));
                }
            }
        }
        if !bad.is_empty() {
            return Err(Error::invalid(format!(
                "Field validation failed: error converting input for field \"versions\": decoding failed due to the following error(s):\n\n{}",
                bad.join("\n")
            )));
        }
        if self.versions.0.is_empty() { Err(Error::invalid(none)) } else { Ok(numbers) }
    }
}

impl Kv2 {
    /// Changes a secret's metadata if there is any and `change` finds something to do.
    pub(super) async fn change_versions(
        &self,
        path: &str,
        now: Timestamp,
        change: impl Fn(&mut Metadata) -> bool + Sync,
    ) -> Result<Reply<Value>, Error> {
        self.change_and_remove(path, now, change, &[]).await
    }

    async fn change_and_remove(
        &self,
        path: &str,
        now: Timestamp,
        change: impl Fn(&mut Metadata) -> bool + Sync,
        removed: &[u64],
    ) -> Result<Reply<Value>, Error> {
        let change = &change;
        repeat(move || async move {
            let Some(stored) = self.metadata(path).await? else { return Ok(Reply::empty()) };
            let mut metadata = stored.value;
            if !change(&mut metadata) {
                return Ok(Reply::empty());
            }
            metadata.updated = now;
            let mut changes = Changes::new();
            changes.reserved().expect(&self.view, &meta_place(path), stored.stamp)?;
            changes.put(&self.view, &meta_place(path), &metadata)?;
            for number in removed {
                changes.delete(&self.view, &version_place(path, *number))?;
            }
            self.view.commit(changes).await?;
            Ok(Reply::empty())
        })
        .await
    }
}

async fn delete(kv: &Arc<Kv2>, call: &Call, p: Versions) -> Result<Reply<Value>, Error> {
    let numbers = p.numbers("No version number provided")?;
    kv.change_versions(&p.path, call.now, |metadata| {
        let mut changed = false;
        for number in &numbers {
            if let Some(version) = metadata.versions.get_mut(number)
                && !version.destroyed
                && !version.is_deleted(call.now)
            {
                version.deletion = Some(call.now);
                changed = true;
            }
        }
        changed
    })
    .await
}

async fn undelete(kv: &Arc<Kv2>, call: &Call, p: Versions) -> Result<Reply<Value>, Error> {
    let numbers = p.numbers("No version number provided")?;
    kv.change_versions(&p.path, call.now, |metadata| {
        let mut changed = false;
        for number in &numbers {
            if let Some(version) = metadata.versions.get_mut(number).filter(|version| !version.destroyed) {
                changed |= version.deletion.take().is_some();
            }
        }
        changed
    })
    .await
}

async fn destroy(kv: &Arc<Kv2>, call: &Call, p: Versions) -> Result<Reply<Value>, Error> {
    let numbers = p.numbers("no version number provided")?;
    let change = |metadata: &mut Metadata| {
        let mut changed = false;
        for number in &numbers {
            if let Some(version) = metadata.versions.get_mut(number).filter(|version| !version.destroyed) {
                version.destroyed = true;
                changed = true;
            }
        }
        changed
    };
    kv.change_and_remove(&p.path, call.now, change, &numbers).await
}
