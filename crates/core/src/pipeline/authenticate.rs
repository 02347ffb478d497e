//! Who calls: the presented token, alive, one use of it spent.

use std::sync::Arc;

use vestal_logical::{Error, Operation, Request};

use super::route::Routed;
use crate::active::Active;
use crate::sys::{internal_ui, wrapping};
use crate::tokens::{Presented, TokenEntry};

/// A request whose caller is known, or who is refused.
pub(crate) struct Identified {
    pub(super) routed: Routed,
    /// `None` on endpoints that need no token.
    pub(super) caller: Result<Option<Presented>, Error>,
    /// Whose token decides the answer though the endpoint needs none: for audit.
    pub(super) seen: Option<Arc<TokenEntry>>,
}

/// Looks the token up. Endpoints without authentication never look, so a bad token does no harm there.
pub(super) async fn authenticate(active: &Arc<Active>, routed: Routed) -> Identified {
    let open = routed.place.as_ref().and_then(|place| place.declaration(active)).is_some_and(|declaration| {
        declaration.unauthenticated && routed.request.operation != Operation::Help
    });
    let caller = match &routed.request.token {
        // A wrapping token that is no good is told so, even where it came as the caller's own.
        _ if let Some(refused) = wrapping::refuse(active, &routed.request).await => Err(refused),
        _ if open => Ok(None),
        Some(token) if !token.is_empty() => {
            active.tokens.authenticate(token, routed.request.now).await.map(Some)
        }
        _ => Err(Error::unauthenticated()),
    };
    let seen = if open { seen(active, &routed.request).await } else { None };
    Identified { routed, caller, seen }
}

async fn seen(active: &Arc<Active>, request: &Request) -> Option<Arc<TokenEntry>> {
    let token = request.token.as_ref().filter(|token| !token.is_empty());
    match token.filter(|_| internal_ui::looks_at_callers(&request.path)) {
        Some(token) => active.tokens.peek(token, request.now).await.ok().flatten(),
        None => None,
    }
}
