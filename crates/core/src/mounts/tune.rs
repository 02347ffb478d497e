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
}

impl Mounts {
    /// Tunes a mount; true when its engine is now of another version.
    pub(crate) async fn tune(&self, class: Class, path: &str, tuning: Tuning) -> Result<bool, Error> {
        let path = canonical(path);
        let mut kept = self.tables.lock().await;
        let mut tables = kept.tables.clone();
        let unknown = || {
            let text = format!("tune of path \"{}{path}\" failed: no mount entry found", class.prefix());
            Error::invalid(text)
        };
        let entry = tables.of_mut(class).iter_mut().find(|entry| entry.path == path).ok_or_else(unknown)?;
        let before = entry.clone();
        refuse_of_the_kernel(entry, &tuning)?;
        refuse_token_type(entry, tuning.token_type.as_deref())?;
        apply(entry, tuning)?;
        let after = entry.clone();
        let (default, max) = (after.config.default_lease_ttl, after.config.max_lease_ttl);
        if max > 0 && default > max {
            return Err(Error::invalid(format!(
                "backend max lease TTL of {max} would be less than backend default lease TTL of {default}"
            )));
        }
        let old = self.snapshot.load().at(&after.full_path()).cloned();
        // An engine that could not be opened the last time is tried again.
        let open = old.as_ref().is_some_and(|old| !old.gate.is_closed());
        if open && before.options == after.options {
            self.store(&mut kept, tables).await?;
            self.redescribe(&after.full_path(), &after)?;
            return Ok(false);
        }
        kinds::find(&self.parts.kinds, &after.kind, &after.options.clone().unwrap_or_default())?;
        self.store(&mut kept, tables).await?;
        if let Some(old) = old.filter(|_| open) {
            self.retire(&old).await;
        }
        let mounted: MountedAt = self.mount(&after).await.inspect_err(|_| {
            tracing::error!(
                kind = after.kind,
                "a tuned engine could not be opened; tune it again, or unseal anew"
            );
        })?;
        self.serve(Some(&after.full_path()), mounted);
        Ok(version(&before) != version(&after))
    }
}

/// The version that an engine's options name.
fn version(entry: &MountEntry) -> Option<&String> {
    entry.options.as_ref().and_then(|options| options.get("version"))
}

/// The kernel's own mounts have no lease times of their own.
fn refuse_of_the_kernel(entry: &MountEntry, tuning: &Tuning) -> Result<(), Error> {
    let given = [
        ("default_lease_ttl", tuning.default_lease_ttl.is_some()),
        ("max_lease_ttl", tuning.max_lease_ttl.is_some()),
    ];
    let given = given.into_iter().find(|(_, given)| *given);
    match given.filter(|_| entry.class == Class::Secret && entry.of_the_kernel()) {
        Some((name, _)) => Err(Error::invalid(format!("cannot tune parameter {name} of {}", entry.path))),
        None => Ok(()),
    }
}

/// Only logins give out tokens, and those of `token/` are of the kind that is asked for.
fn refuse_token_type(entry: &MountEntry, asked: Option<&str>) -> Result<(), Error> {
    match asked {
        Some(_) if entry.class == Class::Secret => {
            Err(Error::invalid("'token_type' can only be modified on auth mounts"))
        }
        Some(_) if entry.kind == "token" => {
            Err(Error::invalid("'token_type' cannot be set for 'token' or 'ns_token' auth mounts"))
        }
        None | Some("" | "default" | "default-service" | "default-batch" | "service" | "batch") => Ok(()),
        Some(_) => Err(Error::invalid("invalid value for 'token_type'")),
    }
}

fn apply(entry: &mut MountEntry, tuning: Tuning) -> Result<(), Error> {
    let config = &mut entry.config;
    let set = |field: &mut u64, value: Option<u64>| *field = value.unwrap_or(*field);
    set(&mut config.default_lease_ttl, tuning.default_lease_ttl);
    set(&mut config.max_lease_ttl, tuning.max_lease_ttl);
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
        config.listing_visibility = Some(checked_visibility(visibility)?).filter(|word| !word.is_empty());
    }
    if let Some(token_type) = tuning.token_type.filter(|word| !word.is_empty()) {
        config.token_type = Some(token_type);
    }
    if let Some(description) = tuning.description {
        entry.description = description;
    }
    if let Some(options) = tuning.options {
        let mut merged = entry.options.clone().unwrap_or_default();
        refuse_downgrade(&merged, &options)?;
        merged.extend(options);
        // An empty text takes an option away.
        merged.retain(|_, text| !text.is_empty());
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
