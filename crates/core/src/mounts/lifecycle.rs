//! Enabling, disabling and moving mounts.

use std::collections::BTreeMap;
use std::sync::Arc;

use vestal_logical::{Error, Kind};
use vestal_storage::{Changes, Empty};

use super::entry::{Class, MountConfig, MountEntry};
use super::router::{MountedAt, Target};
use super::{Kept, Mounts, kind_and_options, kinds};

/// What is to be enabled.
pub(crate) struct NewMount {
    pub(crate) class: Class,
    /// With or without slashes around it.
    pub(crate) path: String,
    pub(crate) kind: String,
    pub(crate) description: String,
    pub(crate) options: Option<BTreeMap<String, String>>,
    pub(crate) local: bool,
    pub(crate) seal_wrap: bool,
    pub(crate) external_entropy_access: bool,
    pub(crate) config: MountConfig,
}

/// Paths that are the kernel's own.
const PROTECTED: [&str; 5] = ["audit/", "auth/", "sys/", "cubbyhole/", "identity/"];

/// `a/b` and `/a/b/` are `a/b/`.
pub(crate) fn canonical(path: &str) -> String {
    format!("{}/", path.trim_matches('/'))
}

fn refuse_protected(class: Class, path: &str, verb: &str) -> Result<(), Error> {
    let taken = match class {
        Class::Secret => PROTECTED.iter().any(|protected| path.starts_with(protected)),
        Class::Auth if path == "token/" && verb == "unmount" => {
            return Err(Error::invalid("token credential backend cannot be disabled"));
        }
        Class::Auth => path == "token/",
    };
    if taken {
        return Err(Error::invalid(format!("cannot {verb} \"{}{path}\"", class.prefix())));
    }
    Ok(())
}

/// The mount that is in the way of one at this path.
fn at_above_or_below<'a>(kept: &'a Kept, class: Class, path: &str) -> Option<&'a MountEntry> {
    let overlaps = |entry: &&MountEntry| entry.path.starts_with(path) || path.starts_with(&entry.path);
    kept.tables.of(class).iter().find(overlaps)
}

fn refuse_in_use(kept: &Kept, class: Class, path: &str) -> Result<(), Error> {
    match at_above_or_below(kept, class, path) {
        Some(entry) => Err(Error::invalid(format!("path is already in use at {}", entry.full_path()))),
        None => Ok(()),
    }
}

fn refuse_malformed(path: &str) -> Result<(), Error> {
    let bad =
        |part: &str| part.is_empty() || part == "." || part == ".." || part.chars().any(char::is_control);
    if path.trim_end_matches('/').split('/').any(bad) {
        return Err(Error::invalid("`path` must be a path of non-empty segments"));
    }
    Ok(())
}

impl Mounts {
    /// Enables an engine or method. The path must not lie at, above or below another mount.
    pub(crate) async fn enable(&self, new: NewMount) -> Result<(), Error> {
        let path = canonical(&new.path);
        refuse_malformed(&path)?;
        if new.class == Class::Auth && new.kind == "token" {
            return Err(Error::invalid("token credential backend cannot be instantiated"));
        }
        if ["system", "token", "cubbyhole", "identity"].contains(&new.kind.as_str()) {
            return Err(Error::invalid(format!("mount type of \"{}\" is not mountable", new.kind)));
        }
        refuse_protected(new.class, &path, "mount")?;
        let (kind, options) = kind_and_options(&new.kind, new.options);
        if new.class == Class::Auth {
            // No authentication method but tokens is built.
            return Err(Error::invalid(format!("plugin not found in the catalog: {kind}")));
        }
        self.refuse_contrary_times(&new.config)?;
        let mut kept = self.tables.lock().await;
        refuse_in_use(&kept, new.class, &path)?;
        kinds::find(&self.parts.kinds, &kind, &options.clone().unwrap_or_default())?;
        let made = MountEntry::new(new.class, &path, &kind, &new.description, self.parts.entropy.as_ref());
        let asked = new.config.token_type.clone().filter(|_| new.class == Class::Auth);
        let token_type = asked.or_else(|| made.config.token_type.clone());
        let entry = MountEntry {
            options,
            local: new.local,
            seal_wrap: new.seal_wrap,
            external_entropy_access: new.external_entropy_access,
            config: MountConfig { token_type, ..new.config },
            ..made
        };
        let mounted = self.mount(&entry).await?;
        let mut tables = kept.tables.clone();
        tables.of_mut(new.class).push(entry);
        self.store(&mut kept, tables).await?;
        self.serve(None, mounted);
        Ok(())
    }

    fn refuse_contrary_times(&self, config: &MountConfig) -> Result<(), Error> {
        let (default, max) = (config.default_lease_ttl, config.max_lease_ttl);
        if max > 0 && default > max {
            return Err(Error::invalid("given default lease TTL greater than given max lease TTL"));
        }
        let longest = self.parts.settings.max_lease.as_secs();
        if max == 0 && default > longest {
            return Err(Error::invalid(format!(
                "given default lease TTL greater than system max lease TTL of {longest}"
            )));
        }
        Ok(())
    }

    /// Publishes a mount and starts its engine's tasks.
    pub(super) fn serve(&self, gone: Option<&str>, mounted: MountedAt) {
        let tasks = match &mounted.target {
            Target::Engine(engine) => engine.tasks(),
            _ => Vec::new(),
        };
        let owner = mounted.point.uuid.clone();
        self.publish(gone, Some(mounted));
        self.background.start(&owner, tasks);
    }

    /// Disables a mount and deletes its records. Nothing there is fine. Nobody is served from the first moment on;
    /// calls inside finish and refreshes under way are settled before the records go.
    pub(crate) async fn disable(&self, class: Class, path: &str) -> Result<(), Error> {
        let path = canonical(path);
        refuse_protected(class, &path, "unmount")?;
        let mut kept = self.tables.lock().await;
        let Some(entry) = kept.tables.of(class).iter().find(|entry| entry.path == path).cloned() else {
            return Ok(());
        };
        let root = if class == Class::Secret { "logical" } else { "auth" };
        let mut tables = kept.tables.clone();
        tables.of_mut(class).retain(|kept| kept.uuid != entry.uuid);
        let mut note = Changes::new();
        note.reserved().put(&self.view, &Self::purge_place(root, &entry.uuid), &Empty)?;
        self.store_with(&mut kept, tables, note).await?;
        let mounted = self.snapshot.load().at(&entry.full_path()).cloned();
        self.publish(Some(&entry.full_path()), None);
        drop(kept);
        if let Some(mounted) = mounted {
            self.retire(&mounted).await;
        }
        self.purge(root, &entry.uuid).await
    }

    /// Waits for the calls inside, ends the tasks, settles the engine.
    pub(super) async fn retire(&self, mounted: &Arc<MountedAt>) {
        let deadline = self.parts.clock.now().plus(self.parts.settings.drain);
        mounted.gate.close(deadline).await;
        self.background.stop(&mounted.point.uuid).await;
        if let Target::Engine(engine) = &mounted.target {
            engine.close(self.settling_until(deadline)).await;
        }
    }

    /// Moves a mount. Its records, accessor and engine stay.
    pub(crate) async fn remount(&self, from: &str, to: &str) -> Result<(), Error> {
        let (class, from, to) = both_paths(from, to)?;
        refuse_malformed(&to)?;
        refuse_protected(class, &from, "remount")?;
        refuse_protected(class, &to, "remount").map_err(|_| no_destination(class.prefix(), &to))?;
        let mut kept = self.tables.lock().await;
        let mut tables = kept.tables.clone();
        let unknown = || Error::invalid(format!("no matching mount at \"{}{from}\"", class.prefix()));
        let position = tables.of(class).iter().position(|entry| entry.path == from).ok_or_else(unknown)?;
        if let Some(other) = at_above_or_below(&kept, class, &to) {
            let text = format!("path already in use at \"{}\"", other.full_path());
            return Err(Error::invalid(text));
        }
        let mut entry = tables.of_mut(class).remove(position);
        let gone = entry.full_path();
        entry.path = to;
        tables.of_mut(class).push(entry.clone());
        self.store(&mut kept, tables).await?;
        self.redescribe(&gone, &entry)
    }

    /// The same engine under another description.
    pub(super) fn redescribe(&self, gone: &str, entry: &MountEntry) -> Result<(), Error> {
        let old = self.snapshot.load().at(gone).cloned();
        let old = old.ok_or_else(|| Error::new(Kind::Internal, "a mount of the table is not served"))?;
        let (default_lease, max_lease) = self.lease_times(entry);
        let point = Arc::new(entry.point(default_lease, max_lease));
        let new = MountedAt::with_gate(point, old.target.clone(), entry, Arc::clone(&old.gate));
        self.publish(Some(gone), Some(new));
        Ok(())
    }
}

fn no_destination(prefix: &str, to: &str) -> Error {
    Error::invalid(format!("cannot remount to destination {prefix}{to}"))
}

/// Both paths must lie in the same table.
fn both_paths(from: &str, to: &str) -> Result<(Class, String, String), Error> {
    let split = |path: &str| {
        let path = canonical(path);
        match path.strip_prefix("auth/") {
            Some(rest) if !rest.is_empty() => (Class::Auth, rest.to_owned()),
            _ => (Class::Secret, path),
        }
    };
    let ((class, from), (target, to)) = (split(from), split(to));
    if class == Class::Secret && target == Class::Auth {
        return Err(no_destination(target.prefix(), &to));
    }
    if class != target {
        return Err(Error::invalid("cannot remount between secret engines and auth methods"));
    }
    Ok((class, from, to))
}
