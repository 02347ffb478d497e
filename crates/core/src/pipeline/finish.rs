//! Wraps the answer if asked, and ends tokens whose last use this was.

use std::sync::Arc;

use serde_json::Value;
use vestal_logical::{Answer, Body, Error, Operation, Outcome, Reply};

use super::dispatch::Dispatched;
use super::record::Recorded;
use super::wrap;
use crate::active::Active;

/// An answer ready to be recorded.
pub(crate) struct Finished {
    pub(super) recorded: Recorded,
    pub(super) result: Result<Answer, Error>,
    /// Ids of tokens that this call made: they die when the answer cannot be recorded.
    pub(super) issued: Vec<String>,
}

/// Turns the handler's reply into what leaves the kernel.
pub(super) async fn finish(active: &Arc<Active>, dispatched: Dispatched) -> Finished {
    let Dispatched { recorded, result } = dispatched;
    let mut issued = Vec::new();
    let result = match result {
        Ok(reply) => answer(active, &recorded, reply, &mut issued).await,
        Err(error) => Err(error),
    };
    spend_last_use(active, &recorded).await;
    Finished { recorded, result, issued }
}

async fn answer(
    active: &Arc<Active>,
    recorded: &Recorded,
    reply: Reply<Value>,
    issued: &mut Vec<String>,
) -> Result<Answer, Error> {
    let request = &recorded.authorized.identified.routed.request;
    if let Some(auth) = &reply.auth
        && !auth.client_token.is_empty()
        && !is_renewal(&request.path)
    {
        issued.push(active.tokens.id_of(&auth.client_token)?);
    }
    if let Some(info) = wrap::rewrapped(request, &reply) {
        issued.push(active.tokens.id_of(&info.token)?);
        return Ok(Answer::Wrapped(Box::new(info)));
    }
    let unwrapped = is_unwrapped(&request.path);
    if unwrapped
        && request.wrap.is_none()
        && let Body::Plain(envelope) = reply.body
    {
        return Ok(Answer::Unwrapped(envelope));
    }
    // To a read, nothing but a warning is still nothing found.
    let read = matches!(recorded.authorized.operation, Operation::Read | Operation::List);
    let warned = !read && !reply.warnings.is_empty();
    let has_content = reply.body != Body::Empty || reply.auth.is_some() || warned;
    let framed = (unwrapped || !matches!(reply.body, Body::Plain(_))) && reply.outcome == Outcome::Done;
    match request.wrap {
        Some(ask) if has_content && framed => {
            let caller = recorded.authorized.caller().map(|presented| presented.entry.as_ref());
            let info = wrap::wrap(active, caller, request, ask, &reply).await?;
            issued.push(active.tokens.id_of(&info.token)?);
            Ok(Answer::Wrapped(Box::new(info)))
        }
        _ => Ok(Answer::Open(Box::new(reply))),
    }
}

/// Answers that repeat a token which was there before.
fn is_renewal(path: &str) -> bool {
    matches!(path, "auth/token/renew" | "auth/token/renew-self" | "auth/token/renew-accessor")
}

/// The one endpoint whose plain body is another answer's whole envelope.
fn is_unwrapped(path: &str) -> bool {
    path == "sys/wrapping/unwrap"
}

/// The last use worked; now the token and all that hangs on it go.
async fn spend_last_use(active: &Arc<Active>, recorded: &Recorded) {
    let Some(presented) = recorded.authorized.caller().filter(|presented| presented.last_use) else { return };
    active.tokens.remove_spent(presented).await;
}
