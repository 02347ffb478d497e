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
        token: authorized
            .caller()
            .map(|presented| presented.entry.as_ref())
            .or(authorized.identified.seen.as_deref()),
        granting: &authorized.granting,
        allowed,
        route: authorized.identified.routed.place.as_ref().map(|place| &place.route),
    }
}

/// Faults of ours are told in the log, with their cause; the request's id ties them to the answer. What an engine says is
/// the upstream's failure it tells itself, and a 500 without a cause is a client's mistake that the reference answers so.
/// No public text: it may hold what a client or a provider chose.
fn log(id: &str, operation: Operation, result: &Result<Answer, Error>) {
    if let Err(error) = result
        && matches!(error.kind(), Kind::Internal | Kind::Unavailable)
        && let cause = std::error::Error::source(error)
        && (cause.is_some() || error.kind() == Kind::Unavailable)
    {
        let cause = cause.map(tracing::field::display);
        tracing::error!(
            request = id,
            operation = operation.word(),
            cause,
            "a request failed: {:?}",
            error.kind()
        );
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn told(error: Error) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(subscriber, || log("id", Operation::Read, &Err(error)));
        String::from_utf8(sink.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn faults_of_ours_are_told_with_their_cause_and_those_of_others_not() {
        let line = told(Error::internal("the cause"));
        assert!(
            line.contains("a request failed: Internal request=\"id\" operation=\"read\" cause=the cause"),
            "{line}"
        );
        let line = told(Error::new(Kind::Unavailable, "public"));
        assert!(line.contains("a request failed: Unavailable") && !line.contains("cause"), "{line}");
        assert!(!line.contains("public"), "{line}");
        let mistaken = Error::new(Kind::Internal, "missing path").multi();
        let upstream = Error::new(Kind::Upstream, "public");
        for error in [mistaken, upstream, Error::invalid("public"), Error::denied()] {
            assert_eq!(told(error), "");
        }
    }
}
