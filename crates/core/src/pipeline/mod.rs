//! The one road of a request, as a chain of types: routed, identified, authorised, recorded, dispatched, finished.
//!
//! Each step's type can be made only in the file of that step, so skipping audit or policy does not compile. A request
//! runs in its own task: a client that leaves, or a deadline, ends the waiting, never the work. Knows nothing of HTTP.

mod authenticate;
mod authorize;
mod dispatch;
mod finish;
mod gate;
mod record;
mod route;
#[cfg(test)]
mod tests;
pub(crate) mod wrap;

use std::sync::Arc;

use vestal_logical::{Answer, Error, Kind, Operation, Request, Response};

use crate::active::Active;

pub(crate) use gate::Gate;

/// Runs one request in a task of its own and waits for it until its deadline.
pub(crate) async fn serve(active: &Arc<Active>, request: Request) -> Response {
    let (id, path, operation) = (request.id.clone(), request.path.clone(), request.operation);
    let answer = |result| Response { request_id: id.clone(), path: path.clone(), operation, result };
    let Some(pass) = active.gate.enter() else {
        return answer(Err(Error::new(Kind::Sealed, "Vault is sealed")));
    };
    let deadline = active.parts.clock.sleep_until(request.deadline);
    let serial = pass.serial();
    let kernel = Arc::clone(active);
    let work = tokio::spawn(async move {
        let response = run(&kernel, request).await;
        drop(pass);
        response
    });
    let abort = work.abort_handle();
    active.gate.abortable(serial, move || abort.abort());
    tokio::select! {
        done = work => match done {
            Ok(response) => response,
            Err(failure) => {
                tracing::error!(request = id, panicked = failure.is_panic(), "a call did not come to its end");
                answer(Err(Error::new(Kind::Internal, "internal error").multi()))
            }
        },
        () = deadline => answer(Err(Error::new(Kind::Internal, "context deadline exceeded").multi())),
    }
}

/// The steps, in order. Denials and failures are recorded as well.
async fn run(active: &Arc<Active>, request: Request) -> Response {
    let routed = route::route(active, request);
    let identified = authenticate::authenticate(active, routed).await;
    let authorized = authorize::authorize(active, identified).await;
    let recorded = record::request(active, authorized).await;
    let dispatched = dispatch::dispatch(active, recorded).await;
    let finished = finish::finish(active, dispatched).await;
    record::response(active, finished).await
}

/// The envelope fields that every response repeats.
fn respond(request: &Request, operation: Operation, result: Result<Answer, Error>) -> Response {
    Response { request_id: request.id.clone(), path: request.path.clone(), operation, result }
}
