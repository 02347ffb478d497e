//! Whether policy allows it.

use std::net::SocketAddr;
use std::sync::Arc;

use vestal_logical::{Call, Caller, Error, Operation};

use super::authenticate::Identified;
use super::route::Destination;
use crate::active::Active;
use crate::policies::{AclRequest, Capability};
use crate::tokens::Presented;

/// A request that policy allows, or the reason why not.
pub(crate) struct Authorized {
    pub(super) identified: Identified,
    /// With creating and updating told apart.
    pub(super) operation: Operation,
    /// The policies that allowed it, for audit.
    pub(super) granting: Vec<String>,
    pub(super) verdict: Result<(), Error>,
}

impl Authorized {
    /// Who calls, if anybody has to.
    pub(super) fn caller(&self) -> Option<&Presented> {
        self.identified.caller.as_ref().ok().and_then(Option::as_ref)
    }

    /// What the handler sees.
    pub(super) fn call(&self, place: &Destination) -> Call {
        call(&self.identified, place, self.operation)
    }
}

/// Decides by the compiled ACL of the token's policies, on the path as it came.
pub(super) async fn authorize(active: &Arc<Active>, mut identified: Identified) -> Authorized {
    let mut operation = identified.routed.request.operation;
    let mut granting = Vec::new();
    let verdict = match std::mem::replace(&mut identified.caller, Ok(None)) {
        Err(refused) => Err(refused),
        Ok(None) => Ok(()),
        Ok(Some(presented)) => {
            identified.caller = Ok(Some(presented));
            decide(active, &identified, &mut operation, &mut granting).await
        }
    };
    Authorized { identified, operation, granting, verdict }
}

async fn decide(
    active: &Arc<Active>,
    identified: &Identified,
    operation: &mut Operation,
    granting: &mut Vec<String>,
) -> Result<(), Error> {
    let Ok(Some(presented)) = &identified.caller else { return Err(Error::unauthenticated()) };
    let request = &identified.routed.request;
    if *operation == Operation::Help {
        return Ok(());
    }
    let acl = active.policies.acl(&presented.entry.policies).await?;
    if operation.is_write() {
        *operation = create_or_update(active, identified).await?;
    }
    let place = identified.routed.place.as_ref();
    let needs_sudo = place
        .and_then(|place| place.declaration(active))
        .is_some_and(|declaration| declaration.sudo.contains(&request.operation.declared()));
    let decision = acl.allow(&AclRequest {
        capability: capability(*operation),
        path: &request.path,
        data: &request.data,
        wrap_ttl: request.wrap.map(|ask| ask.ttl),
        needs_sudo,
    });
    granting.extend(decision.granting);
    if decision.allowed { Ok(()) } else { Err(Error::denied()) }
}

fn capability(operation: Operation) -> Capability {
    match operation {
        Operation::Read | Operation::Header | Operation::Help => Capability::Read,
        Operation::List => Capability::List,
        Operation::Create => Capability::Create,
        Operation::Update => Capability::Update,
        Operation::Patch => Capability::Patch,
        Operation::Delete => Capability::Delete,
    }
}

/// A write creates when the engine says that the thing is missing, else it updates.
async fn create_or_update(active: &Arc<Active>, identified: &Identified) -> Result<Operation, Error> {
    use crate::mounts::Target;
    let Some(place) = &identified.routed.place else { return Ok(Operation::Update) };
    let Some(matched) = &place.matched else { return Ok(Operation::Update) };
    let call = call(identified, place, Operation::Update);
    let there = match &place.route.target {
        Target::Sys => active.tables.sys.exists(active, matched, &call).await?,
        Target::Token => active.tables.token.exists(active, matched, &call).await?,
        Target::Cubbyhole => active.tables.cubbyhole.exists(active, matched, &call).await?,
        Target::Identity => None,
        Target::Engine(mounted) => mounted.dispatch.exists(matched, &call).await?,
    };
    Ok(if there == Some(false) { Operation::Create } else { Operation::Update })
}

fn call(identified: &Identified, place: &Destination, operation: Operation) -> Call {
    let request = &identified.routed.request;
    let presented = identified.caller.as_ref().ok().and_then(Option::as_ref);
    let peer: Option<SocketAddr> = request.peer;
    Call {
        id: request.id.clone(),
        operation,
        mount: Arc::clone(&place.route.point),
        path: place.route.path.clone(),
        captures: place.matched.as_ref().map(|matched| matched.captures.clone()).unwrap_or_default(),
        data: request.data.clone(),
        caller: presented.map(|presented| Caller {
            token_id: presented.entry.id.clone(),
            accessor: presented.entry.accessor.clone(),
            display_name: presented.entry.display_name.clone(),
            entity_id: presented.entry.entity_id.clone(),
            policies: presented.entry.policies.clone(),
            token_type: "service".to_owned(),
            root: presented.entry.root(),
        }),
        credential: if place.is_kernel() { request.token.clone() } else { None },
        wrap: request.wrap,
        peer,
        now: request.now,
        deadline: request.deadline,
    }
}
