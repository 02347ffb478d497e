//! Changing what can be tuned about a mount.

use std::collections::BTreeMap;

use vestal_logical::Error;

use super::entry::{Class, MountEntry};
use super::lifecycle::canonical;
use super::router::MountedAt;
use super::{Mounts, kinds};

/// What is to change; `None` stays as it is.
#[derive(Default)]
pub(crate) struct Tuning {
    /// Seconds; 0 is the server's own.
    pub(crate) default_lease_ttl: Option<u64>,
    pub(crate) max_lease_ttl: Option<u64>,
    pub(crate) description: Option<String>,
    pub(crate) options: Option<BTreeMap<String, String>>,
    pub(crate) listing_visibility: Option<String>,
    pub(crate) audit_non_hmac_request_keys: Option<Vec<String>>,
    pub(crate) audit_non_hmac_response_keys: Option<Vec<String>>,
    pub(crate) passthrough_request_headers: Option<Vec<String>>,
    pub(crate) allowed_response_headers: Option<Vec<String>>,
    pub(crate) token_type: Option<String>,
    pub(crate) force_no_cache: Option<bool>,
}

impl Mounts {
    /// Tunes a mount; true when its engine was opened anew because its options changed.
    pub(crate) async fn tune(&self, class: Class, path: &str, tuning: Tuning) -> Result<bool, Error> {
        let path = canonical(path);
        let mut kept = self.tables.lock().await;
        let mut tables = kept.tables.clone();
        let unknown = || Error::invalid(format!("no mount at {}{path}", class.prefix()));
        let entry = tables.of_mut(class).iter_mut().find(|entry| entry.path == path).ok_or_else(unknown)?;
        let before = entry.clone();
        apply(entry, tuning)?;
        let after = entry.clone();
        let (default_lease, max_lease) = self.lease_times(&after);
        if default_lease > max_lease {
            return Err(Error::invalid("default_lease_ttl may not be greater than max_lease_ttl"));
        }
        if before.options == after.options {
            self.store(&mut kept, tables).await?;
            self.redescribe(&after.full_path(), &after)?;
            return Ok(false);
        }
        kinds::find(&self.parts.kinds, &after.kind, &after.options.clone().unwrap_or_default())?;
        self.store(&mut kept, tables).await?;
        let old = self.snapshot.load().at(&after.full_path()).cloned();
        if let Some(old) = old {
            self.retire(&old).await;
        }
        let mounted: MountedAt = self.mount(&after).await?;
        self.serve(Some(&after.full_path()), mounted);
        Ok(true)
    }
}

fn apply(entry: &mut MountEntry, tuning: Tuning) -> Result<(), Error> {
    let config = &mut entry.config;
    let set = |field: &mut u64, value: Option<u64>| *field = value.unwrap_or(*field);
    set(&mut config.default_lease_ttl, tuning.default_lease_ttl);
    set(&mut config.max_lease_ttl, tuning.max_lease_ttl);
    config.force_no_cache = tuning.force_no_cache.unwrap_or(config.force_no_cache);
    let lists = [
        (&mut config.audit_non_hmac_request_keys, tuning.audit_non_hmac_request_keys),
        (&mut config.audit_non_hmac_response_keys, tuning.audit_non_hmac_response_keys),
        (&mut config.passthrough_request_headers, tuning.passthrough_request_headers),
        (&mut config.allowed_response_headers, tuning.allowed_response_headers),
    ];
    for (field, value) in lists {
        if let Some(value) = value {
            *field = (!value.is_empty()).then_some(value);
        }
    }
    if let Some(visibility) = tuning.listing_visibility {
        config.listing_visibility = Some(checked_visibility(visibility)?);
    }
    if let Some(token_type) = tuning.token_type {
        config.token_type = Some(token_type);
    }
    if let Some(description) = tuning.description {
        entry.description = description;
    }
    if let Some(options) = tuning.options {
        let mut merged = entry.options.clone().unwrap_or_default();
        refuse_downgrade(&merged, &options)?;
        merged.extend(options);
        entry.options = Some(merged);
    }
    Ok(())
}

/// The words that clients send.
pub(crate) fn checked_visibility(visibility: String) -> Result<String, Error> {
    match visibility.as_str() {
        "" | "unauth" | "hidden" => Ok(visibility),
        _ => Err(Error::invalid("`listing_visibility` must be `unauth`, `hidden` or empty")),
    }
}

/// Records written with versions cannot be read without.
fn refuse_downgrade(
    before: &BTreeMap<String, String>,
    wanted: &BTreeMap<String, String>,
) -> Result<(), Error> {
    let version = |options: &BTreeMap<String, String>| options.get("version").cloned().unwrap_or_default();
    if version(before) == "2" && wanted.contains_key("version") && version(wanted) != "2" {
        return Err(Error::invalid("cannot downgrade mount from version 2"));
    }
    Ok(())
}
