//! Which mount serves the path, and which endpoint of it.

use std::sync::Arc;

use vestal_logical::{Declaration, Error, Matched, Request};

use crate::active::Active;
use crate::mounts::{Route, Target};

/// A request whose mount and endpoint are known, as far as they exist.
pub(crate) struct Routed {
    pub(super) request: Request,
    pub(super) place: Option<Destination>,
}

/// Where a request goes.
pub(crate) struct Destination {
    pub(super) route: Route,
    pub(super) matched: Option<Matched>,
}

impl Destination {
    /// What is known about the endpoint.
    pub(super) fn declaration<'a>(&'a self, active: &'a Active) -> Option<&'a Declaration> {
        let matched = self.matched.as_ref()?;
        match &self.route.target {
            Target::Sys => active.tables.sys.declaration(matched).ok(),
            Target::Token => active.tables.token.declaration(matched).ok(),
            Target::Cubbyhole => active.tables.cubbyhole.declaration(matched).ok(),
            Target::Identity => None,
            Target::Engine(mounted) => mounted.dispatch.declaration(matched).ok(),
        }
    }

    /// Everything that the mount serves.
    pub(super) fn all<'a>(&'a self, active: &'a Active) -> Vec<&'a Declaration> {
        match &self.route.target {
            Target::Sys => active.tables.sys.all().collect(),
            Target::Token => active.tables.token.all().collect(),
            Target::Cubbyhole => active.tables.cubbyhole.all().collect(),
            Target::Identity => Vec::new(),
            Target::Engine(mounted) => mounted.dispatch.all(),
        }
    }

    /// Whether the kernel itself serves it, and may see the presented token.
    pub(super) fn is_kernel(&self) -> bool {
        !matches!(self.route.target, Target::Engine(_))
    }
}

/// Finds the mount and the endpoint. A path without either goes on: whether that may be told is for policy to say.
pub(super) fn route(active: &Arc<Active>, request: Request) -> Routed {
    let place = active.mounts.route(&request.path).map(|route| {
        let matched = match &route.target {
            Target::Sys => active.tables.sys.find(&route.path),
            Target::Token => active.tables.token.find(&route.path),
            Target::Cubbyhole => active.tables.cubbyhole.find(&route.path),
            Target::Identity => None,
            Target::Engine(mounted) => mounted.dispatch.find(&route.path),
        };
        Destination { route, matched }
    });
    Routed { request, place }
}

/// What the caller of a path without mount hears, once policy allows it.
pub(super) fn no_route(path: &str) -> Error {
    Error::new(
        vestal_logical::Kind::UnsupportedPath,
        format!("no handler for route \"{path}\". route entry not found."),
    )
}
