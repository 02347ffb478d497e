//! Audit: nothing is run that was not recorded, nothing is answered that was not recorded.

use std::sync::Arc;

use vestal_logical::{Answer, Error, Kind, Operation, Response};

use super::authorize::Authorized;
use super::finish::Finished;
use super::respond;
use crate::active::Active;
use crate::audit::Trail;

/// A request that at least one audit device has taken (or there is none), and whether it may run.
pub(crate) struct Recorded {
    pub(super) authorized: Authorized,
    pub(super) verdict: Result<(), Error>,
}

/// Records the request, allowed or denied.
pub(super) async fn request(active: &Arc<Active>, mut authorized: Authorized) -> Recorded {
    let verdict = std::mem::replace(&mut authorized.verdict, Ok(()));
    let trail = trail(&authorized, verdict.is_ok());
    let written = active.audit.request(&trail, verdict.as_ref().err()).await;
    Recorded { verdict: written.and(verdict), authorized }
}

/// Records the response. When no device takes it, the caller gets no data, and what was handed out is taken back.
pub(super) async fn response(active: &Arc<Active>, finished: Finished) -> Response {
    let Finished { recorded, result, issued } = finished;
    let request = &recorded.authorized.identified.routed.request;
    let operation = recorded.authorized.operation;
    let trail = trail(&recorded.authorized, recorded.verdict.is_ok());
    let written = active.audit.response(&trail, result.as_ref()).await;
    let result = match written {
        Ok(()) => result,
        Err(refused) => {
            for token in &issued {
                if let Err(error) = active.tokens.revoke(token).await {
                    tracing::error!(%error, "a token whose answer no audit device took could not be revoked");
                }
            }
            Err(refused)
        }
    };
    log(&request.id, operation, &result);
    respond(request, operation, result)
}

fn trail(authorized: &Authorized, allowed: bool) -> Trail<'_> {
    Trail {
        request: &authorized.identified.routed.request,
        operation: authorized.operation,
        token: authorized.caller().map(|presented| presented.entry.as_ref()),
        granting: &authorized.granting,
        allowed,
        route: authorized.identified.routed.place.as_ref().map(|place| &place.route),
    }
}

/// Faults of ours are told in the log, with their cause; the request's id ties them to the answer.
fn log(id: &str, operation: Operation, result: &Result<Answer, Error>) {
    if let Err(error) = result
        && matches!(error.kind(), Kind::Internal | Kind::Unavailable)
    {
        let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
        tracing::error!(request = id, operation = operation.word(), cause, "{:?}", error.kind());
    }
}
