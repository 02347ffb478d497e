//! Runs the handler. Takes what was recorded, by type.

use std::sync::Arc;

use futures::future::{AbortHandle, Abortable, Aborted};
use serde_json::Value;
use vestal_logical::{Call, Error, Kind, Matched, Operation, Reply, help_for_all};

use super::record::Recorded;
use super::route::{Destination, no_route};
use crate::active::Active;
use crate::mounts::Target;

/// A request that was carried out, or refused on the way.
pub(crate) struct Dispatched {
    pub(super) recorded: Recorded,
    pub(super) result: Result<Reply<Value>, Error>,
}

/// Runs the handler if the request was allowed.
pub(super) async fn dispatch(active: &Arc<Active>, mut recorded: Recorded) -> Dispatched {
    let result = match std::mem::replace(&mut recorded.verdict, Ok(())) {
        Ok(()) => run(active, &recorded).await,
        Err(refused) => {
            recorded.verdict = Err(Error::denied());
            Err(refused)
        }
    };
    Dispatched { recorded, result }
}

async fn run(active: &Arc<Active>, recorded: &Recorded) -> Result<Reply<Value>, Error> {
    let authorized = &recorded.authorized;
    let routed = &authorized.identified.routed;
    let Some(place) = &routed.place else { return Err(no_route(&routed.request.path)) };
    if routed.request.operation == Operation::Help {
        return help(active, place, &routed.request.path);
    }
    let Some(matched) = &place.matched else { return Err(unknown_path(place)) };
    // Unmounting closes the gate and waits for whoever is inside, but not for ever.
    let gate = &place.route.gate;
    let Some(inside) = gate.enter() else { return Err(closed(active, &routed.request.path)) };
    let call = authorized.call(place);
    let (abort, registration) = AbortHandle::new_pair();
    gate.abortable(inside.serial(), move || abort.abort());
    let work = Abortable::new(run_handler(active, place, matched, &call), registration);
    work.await.unwrap_or_else(|Aborted| Err(Error::new(Kind::Unavailable, "the mount was closed meanwhile")))
}

/// The mount is gone, or its engine is being opened anew: "not found" would then tell clients that their secret is gone.
fn closed(active: &Active, path: &str) -> Error {
    match active.mounts.route(path) {
        Some(_) => Error::new(Kind::Unavailable, "the engine of this mount is being opened anew, try again"),
        None => no_route(path),
    }
}

/// Runs the handler of whichever table the mount has.
async fn run_handler(
    active: &Arc<Active>,
    place: &Destination,
    matched: &Matched,
    call: &Call,
) -> Result<Reply<Value>, Error> {
    let unauthenticated = place.declaration(active).is_some_and(|declaration| declaration.unauthenticated);
    if unauthenticated
        && !place
            .declaration(active)
            .is_some_and(|declaration| declaration.actions.contains_key(&call.operation.declared()))
    {
        // On a path that needs no token the reference does not frame this text.
        return Err(Error::new(Kind::Unsupported, "unsupported operation"));
    }
    match &place.route.target {
        Target::Sys => active.tables.sys.run(active, matched, call).await,
        Target::Token => active.tables.token.run(active, matched, call).await,
        Target::Cubbyhole => active.tables.cubbyhole.run(active, matched, call).await,
        Target::Identity => Err(Error::unsupported_path()),
        Target::Engine(mounted) => mounted.dispatch.run(matched, call).await,
    }
}

fn unknown_path(place: &Destination) -> Error {
    tracing::debug!(kind = place.route.point.kind, "no endpoint has this path");
    Error::unsupported_path()
}

/// Help comes from the declarations, never from a handler: of one endpoint, or of all when the mount itself is asked.
fn help(active: &Active, place: &Destination, path: &str) -> Result<Reply<Value>, Error> {
    let mount = &place.route.point;
    let text = match place.declaration(active) {
        Some(declaration) if !place.route.path.is_empty() => declaration.help(path, &mount.path),
        _ if place.route.path.is_empty() => help_for_all(&mount.kind, &place.all(active)),
        _ => return Err(unknown_path(place)),
    };
    Ok(Reply::plain(serde_json::json!({ "help": text, "see_also": null, "openapi": null })))
}
