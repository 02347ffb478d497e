//! Who calls: the presented token, alive, one use of it spent.

use std::sync::Arc;

use vestal_logical::{Error, Operation};

use super::route::Routed;
use crate::active::Active;
use crate::sys::wrapping;
use crate::tokens::Presented;

/// A request whose caller is known, or who is refused.
pub(crate) struct Identified {
    pub(super) routed: Routed,
    /// `None` on endpoints that need no token.
    pub(super) caller: Result<Option<Presented>, Error>,
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
    Identified { routed, caller }
}
