//! One request and its answer, from parsed head to finished response.
//!
//! Invariants: the body is asked for only when the head is in order; waiting ends with the request's time; an answer that ends
//! its connection says so; what is logged is id, method, status and duration. It knows no sockets.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::{Either, select};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body_util::Full;
use hyper::body::Body;
use vestal_logical::{Clock, Timestamp};

use crate::envelope;
use crate::headers;
use crate::intake::{Held, Intake, IntakeFault, Sender};
use crate::kernel::Kernel;
use crate::leftover::{self, Observed};
use crate::limits::Limits;
use crate::protocol;
use crate::refusal::Refusal;
use crate::translate::{Arrival, Head};

/// How long after its deadline the kernel may still answer for itself.
const GRACE: std::time::Duration = std::time::Duration::from_secs(2);

/// What all requests of a listener share.
pub(crate) struct Exchange {
    kernel: Arc<dyn Kernel>,
    clock: Arc<dyn Clock>,
    limits: Limits,
    intake: Intake,
}

/// An answer, and whether the request's body was left lying.
pub(crate) struct Answered {
    pub(crate) response: Response<Full<Bytes>>,
    pub(crate) unread: bool,
}

impl Exchange {
    pub(crate) fn new(kernel: Arc<dyn Kernel>, limits: Limits) -> Self {
        let clock = kernel.clock();
        let intake = Intake::new(&limits, Arc::clone(&clock));
        Self { kernel, clock, limits, intake }
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) async fn answer<B>(&self, request: Request<B>, peer: Option<SocketAddr>) -> Answered
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let (parts, body) = request.into_parts();
        let mut body = Observed::new(body);
        let now = self.clock.now();
        let id = self.kernel.request_id();
        let deadline = now.plus(self.limits.request_time);
        let arrival = Arrival { id: id.clone(), now, deadline, peer };
        let orderly = protocol::check(&parts, &self.limits);
        let disorderly = orderly.is_err();
        let outcome = match orderly {
            Ok(()) => self.respond(&parts, &mut body, arrival).await,
            Err(refusal) => Err(refusal),
        };
        let mut response = outcome.unwrap_or_else(|refusal| refusal.render(&parts.method));
        // Whoever was given up is not waited for again.
        let given_up = response.status() == StatusCode::REQUEST_TIMEOUT;
        let unread =
            !body.is_end_stream() && (given_up || !self.drop_rest(&parts, &mut body, deadline).await);
        if (disorderly || unread) && parts.version != Version::HTTP_2 {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(namespace) = headers::namespace(&parts.headers) {
            response.headers_mut().insert(headers::namespace_name(), namespace.clone());
        }
        tracing::debug!(
            request_id = id,
            method = known(&parts.method),
            status = response.status().as_u16(),
            duration_us = self.clock.now().since(now).as_micros(),
            "answered"
        );
        Answered { response, unread }
    }

    /// Reads on to the end of the body, if that is near; whether it got there.
    async fn drop_rest<B>(&self, parts: &Parts, body: &mut Observed<B>, deadline: Timestamp) -> bool
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let most = if parts.version == Version::HTTP_2 {
            // No end of the connection helps there: what is a little too long must get its answer, too.
            u64::try_from(self.limits.body_bytes).map_or(u64::MAX, |most| most.saturating_mul(2))
        } else if parts.headers.contains_key(header::EXPECT) {
            // Who waits to be asked for the body has not sent it, and is not to be asked.
            return body.is_end_stream();
        } else {
            leftover::NEAR
        };
        let patience = deadline.min(self.clock.now().plus(leftover::PATIENCE));
        let dropping = std::pin::pin!(leftover::drop_rest(body, most));
        match select(dropping, self.clock.sleep_until(patience)).await {
            Either::Left((ended, _)) => ended,
            Either::Right(_) => false,
        }
    }

    async fn respond<B>(
        &self,
        parts: &Parts,
        body: &mut B,
        arrival: Arrival,
    ) -> Result<Response<Full<Bytes>>, Refusal>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let head = Head::read(parts, &self.limits)?;
        let deadline = arrival.deadline;
        let Held { bytes, room } = if head.takes_body() {
            let peer = arrival.peer.map(|address| address.ip());
            self.take(body, Sender { peer, urgent: head.is_urgent() }, deadline).await?
        } else {
            Held { bytes: Vec::new(), room: None }
        };
        let request = head.complete(parts, &bytes, arrival, &self.limits)?;
        // The tree that the body became is about as big, so its room is kept; the bytes are not.
        drop(bytes);
        let last = self.clock.sleep_until(deadline.plus(GRACE));
        let response = match select(self.kernel.handle(request), last).await {
            Either::Left((response, _)) => envelope::render(response),
            Either::Right(_) => return Err(Refusal::unanswered()),
        };
        drop(room);
        Ok(response)
    }

    async fn take<B>(&self, body: &mut B, sender: Sender, deadline: Timestamp) -> Result<Held, Refusal>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        if body.is_end_stream() {
            return Ok(Held { bytes: Vec::new(), room: None });
        }
        let reading = std::pin::pin!(self.intake.read(body, sender));
        match select(reading, self.clock.sleep_until(deadline)).await {
            Either::Left((Ok(held), _)) => Ok(held),
            Either::Left((Err(IntakeFault::TooLarge), _)) => Err(Refusal::body_too_large()),
            Either::Left((Err(IntakeFault::Broken), _)) => Err(Refusal::blank(StatusCode::BAD_REQUEST)),
            Either::Left((Err(IntakeFault::TooSlow), _)) | Either::Right(_) => Err(Refusal::too_slow()),
        }
    }
}

/// Strangers choose method names, too; only those that mean something are logged.
fn known(method: &Method) -> &'static str {
    const METHODS: [&str; 10] =
        ["GET", "POST", "PUT", "LIST", "DELETE", "PATCH", "HEAD", "OPTIONS", "HELP", "SCAN"];
    METHODS.into_iter().find(|known| method.as_str() == *known).unwrap_or("other")
}
