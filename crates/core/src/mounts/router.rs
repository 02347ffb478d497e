//! The immutable snapshot of all mounts: longest prefix wins.

use std::collections::HashMap;
use std::sync::Arc;

use vestal_logical::{Clock, MountPoint, Mounted};

use super::entry::{Class, MountEntry};
use crate::pipeline::Gate;

/// Who serves a mount.
#[derive(Clone)]
pub(crate) enum Target {
    /// `sys/`.
    Sys,
    /// `auth/token/`.
    Token,
    /// `cubbyhole/`.
    Cubbyhole,
    /// `identity/`: it has its mount record; its paths are not built.
    Identity,
    /// A mounted engine.
    Engine(Mounted),
}

impl Target {
    pub(super) fn of_kernel(kind: &str) -> Option<Self> {
        match kind {
            "system" => Some(Self::Sys),
            "token" => Some(Self::Token),
            "cubbyhole" => Some(Self::Cubbyhole),
            "identity" => Some(Self::Identity),
            _ => None,
        }
    }
}

/// One mount of a snapshot.
pub(super) struct MountedAt {
    pub(super) point: Arc<MountPoint>,
    pub(super) target: Target,
    pub(super) gate: Arc<Gate>,
    class: Class,
    non_hmac_request_keys: Arc<[String]>,
    non_hmac_response_keys: Arc<[String]>,
}

impl MountedAt {
    pub(super) fn new(
        point: Arc<MountPoint>,
        target: Target,
        entry: &MountEntry,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let gate = Arc::new(Gate::new(clock));
        Self::with_gate(point, target, entry, gate)
    }

    /// The same mount described anew; calls inside stay counted.
    pub(super) fn with_gate(
        point: Arc<MountPoint>,
        target: Target,
        entry: &MountEntry,
        gate: Arc<Gate>,
    ) -> Self {
        let keys = |keys: &Option<Vec<String>>| keys.clone().unwrap_or_default().into();
        Self {
            point,
            target,
            gate,
            class: entry.class,
            non_hmac_request_keys: keys(&entry.config.audit_non_hmac_request_keys),
            non_hmac_response_keys: keys(&entry.config.audit_non_hmac_response_keys),
        }
    }
}

/// Where a request goes.
#[derive(Clone)]
pub(crate) struct Route {
    pub(crate) point: Arc<MountPoint>,
    pub(crate) target: Target,
    /// The path below the mount.
    pub(crate) path: String,
    pub(crate) class: Class,
    /// Counts the calls inside the mount, and closes when it goes.
    pub(crate) gate: Arc<Gate>,
    pub(crate) non_hmac_request_keys: Arc<[String]>,
    pub(crate) non_hmac_response_keys: Arc<[String]>,
}

/// All mounts at one moment.
#[derive(Default)]
pub(super) struct Snapshot {
    mounts: HashMap<String, Arc<MountedAt>>,
}

impl Snapshot {
    pub(super) fn of(all: Vec<Arc<MountedAt>>) -> Self {
        Self { mounts: all.into_iter().map(|mounted| (mounted.point.path.clone(), mounted)).collect() }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<MountedAt>> {
        self.mounts.values()
    }

    pub(super) fn at(&self, full_path: &str) -> Option<&Arc<MountedAt>> {
        self.mounts.get(full_path)
    }

    /// The same mounts, without the one at `gone` and with `new`.
    pub(super) fn replaced(&self, gone: Option<&str>, new: Option<Arc<MountedAt>>) -> Self {
        let kept = self.mounts.values().filter(|mounted| Some(mounted.point.path.as_str()) != gone);
        Self::of(kept.cloned().chain(new).collect())
    }

    /// A path without its trailing slash belongs to the mount of that name too.
    pub(super) fn route(&self, path: &str) -> Option<Route> {
        if let Some(mounted) = self.mounts.get(&format!("{path}/")) {
            return Some(route_to(mounted, ""));
        }
        let mut end = path.len();
        while let Some(slash) = path.get(..end)?.rfind('/') {
            let (prefix, rest) = path.split_at(slash + 1);
            if let Some(mounted) = self.mounts.get(prefix) {
                return Some(route_to(mounted, rest));
            }
            end = slash;
        }
        None
    }
}

fn route_to(mounted: &Arc<MountedAt>, path: &str) -> Route {
    Route {
        point: Arc::clone(&mounted.point),
        target: mounted.target.clone(),
        path: path.to_owned(),
        class: mounted.class,
        gate: Arc::clone(&mounted.gate),
        non_hmac_request_keys: Arc::clone(&mounted.non_hmac_request_keys),
        non_hmac_response_keys: Arc::clone(&mounted.non_hmac_response_keys),
    }
}
