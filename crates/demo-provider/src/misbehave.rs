//! Carries out faults: around the processing of a call, and on the bytes of its answer.
//!
//! Invariants: a call is processed once it was read, even when the caller leaves meanwhile, for a real provider
//! cannot know either; the ledger says `NotProcessed` exactly when a fault came first.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::call::{Call, Endpoint};
use crate::clients::{self, Style};
use crate::faults::{Act, Alter, Answer, Fault};
use crate::grants;
use crate::ledger::{Delivery, Outcome};
use crate::options::Sleep;
use crate::reply::{Content, Refusal, Reply};
use crate::state::App;

/// Marks a response that must not be sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Withheld {
    /// Close the connection.
    Severed,
    /// Keep the connection, say nothing.
    Silent,
}

/// Answers a request at an endpoint that faults can be aimed at.
pub(crate) async fn serve(
    app: Arc<App>,
    endpoint: Endpoint,
    process: fn(&App, &Call) -> Reply,
    request: Request,
) -> Response {
    let call = match Call::read(endpoint, request).await {
        Ok(call) => call,
        Err(status) => return status.into_response(),
    };
    let (answer, answered) = oneshot::channel();
    tokio::spawn(async move {
        let (response, entry) = carry_out(&app, &call, process).await;
        let status = response.status().as_u16();
        let withheld = response.extensions().get::<Withheld>().is_some();
        // The ledger is written first: who holds an answer finds it recorded as given.
        if let Some(entry) = entry {
            let lost = withheld || answer.is_closed();
            let delivery = if lost { Delivery::Lost } else { Delivery::Given { status } };
            app.state().journal.delivered(entry, delivery);
        }
        // The caller left in this very moment: as if the answer had been lost behind our socket.
        let _left = answer.send(response);
    });
    answered.await.unwrap_or_else(|_| withhold(Withheld::Severed))
}

async fn carry_out(app: &App, call: &Call, process: fn(&App, &Call) -> Reply) -> (Response, Option<u64>) {
    let claimed = clients::claimed(call);
    let Some(fault) = app.faults.take(call.endpoint, call.grant(), claimed.as_deref()) else {
        let reply = process(app, call);
        let entry = reply.entry;
        return (reply.into_response(), entry);
    };
    let Fault { before, after, alter } = fault;
    for act in &before {
        if let Some(instead) = perform(app, call, act).await {
            return (instead, record_unprocessed(app, call));
        }
    }
    let mut reply = process(app, call);
    let entry = reply.entry;
    for act in &after {
        if let Some(instead) = perform(app, call, act).await {
            return (instead, entry);
        }
    }
    let form = change_fields(&mut reply, &alter);
    let mut response = reply.into_response();
    if form {
        content_type(&mut response, "application/x-www-form-urlencoded");
    }
    for change in alter {
        response = change_bytes(app, response, change).await;
    }
    (response, entry)
}

fn record_unprocessed(app: &App, call: &Call) -> Option<u64> {
    if call.endpoint != Endpoint::Token {
        return None;
    }
    let presented = grants::presented(app, call);
    let now = app.now();
    Some(app.state().journal.record(now, presented, Outcome::NotProcessed))
}

/// Performs one act; an answer when it takes the place of everything that follows.
async fn perform(app: &App, call: &Call, act: &Act) -> Option<Response> {
    match act {
        Act::DelayMs(wait) => (app.options.sleep)(Duration::from_millis(*wait)).await,
        Act::DelayUpToMs(most) => {
            let mut random = [0_u8; 8];
            (app.options.entropy)(&mut random);
            let wait = u64::from_le_bytes(random) % most.saturating_add(1).max(1);
            (app.options.sleep)(Duration::from_millis(wait)).await;
        }
        Act::Hold => app.gate.hold().await,
        Act::Hang => return Some(withhold(Withheld::Silent)),
        Act::Drop => return Some(withhold(Withheld::Severed)),
        Act::Answer(answer) => return Some(made_up(answer)),
        Act::RejectHeaderAuth if clients::style(call) == Some(Style::Header) => return Some(wrong_style()),
        Act::RejectParameterAuth if clients::style(call) == Some(Style::Parameters) => {
            return Some(wrong_style());
        }
        Act::RejectHeaderAuth | Act::RejectParameterAuth => {}
    }
    None
}

fn wrong_style() -> Response {
    Reply::from(Refusal::new("invalid_client", "client authentication came in the wrong place"))
        .into_response()
}

fn withhold(how: Withheld) -> Response {
    let mut response = StatusCode::SERVICE_UNAVAILABLE.into_response();
    response.extensions_mut().insert(how);
    response
}

fn made_up(answer: &Answer) -> Response {
    let body = if answer.filler_bytes == 0 {
        Body::from(answer.text.clone())
    } else {
        with_filler(answer.text.clone(), answer.filler_bytes)
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in &answer.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// `text` and so many bytes more, made as they are read.
fn with_filler(text: String, bytes: u64) -> Body {
    const PIECE: &[u8] = &[b'x'; 16 * 1024];
    let first = stream::iter([Ok::<_, std::io::Error>(Bytes::from(text))]);
    let rest = stream::unfold(bytes, |left| async move {
        let size = usize::try_from(left).unwrap_or(usize::MAX).min(PIECE.len());
        let piece = PIECE.get(..size).filter(|piece| !piece.is_empty())?;
        Some((Ok(Bytes::from_static(piece)), left.saturating_sub(size as u64)))
    });
    Body::from_stream(futures::StreamExt::chain(first, rest))
}

/// Applies what concerns fields; true when they were written as a form.
fn change_fields(reply: &mut Reply, changes: &[Alter]) -> bool {
    let success = reply.status.is_success();
    let Content::Fields(fields) = &mut reply.body else {
        return false;
    };
    if success {
        for change in changes {
            match change {
                Alter::Omit(field) => {
                    fields.remove(field);
                }
                Alter::Set { field, value } => {
                    fields.insert(field.clone(), value.clone());
                }
                _ => {}
            }
        }
    }
    if !changes.contains(&Alter::FormEncoded) {
        return false;
    }
    let form: String = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields.iter().map(|(name, value)| match value {
            Value::String(text) => (name, text.clone()),
            other => (name, other.to_string()),
        }))
        .finish();
    reply.body = Content::Page(form);
    true
}

async fn change_bytes(app: &App, response: Response, change: Alter) -> Response {
    let sleep = app.options.sleep.clone();
    match change {
        Alter::Omit(_) | Alter::Set { .. } | Alter::FormEncoded => response,
        Alter::ContentType(wanted) => {
            let mut response = response;
            content_type(&mut response, &wanted);
            response
        }
        Alter::Truncate { keep_bytes } => {
            rewrite(response, |whole| Body::from(whole.slice(..keep_bytes.min(whole.len())))).await
        }
        Alter::CutOff { keep_bytes } => {
            let mut promised = 0;
            let cut = |whole: Bytes| {
                promised = whole.len();
                cut_off(&whole, keep_bytes)
            };
            let mut response = rewrite(response, cut).await;
            response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(promised));
            response
        }
        Alter::Dribble { piece_bytes, every_ms } => {
            rewrite(response, |whole| dribble(whole, piece_bytes, every_ms, sleep)).await
        }
    }
}

async fn rewrite(response: Response, change: impl FnOnce(Bytes) -> Body) -> Response {
    let (head, body) = response.into_parts();
    match axum::body::to_bytes(body, usize::MAX).await {
        Ok(whole) => Response::from_parts(head, change(whole)),
        // An earlier change broke the body on purpose; so it stays.
        Err(_) => Response::from_parts(head, cut_off(&Bytes::new(), 0)),
    }
}

fn cut_off(whole: &Bytes, keep: usize) -> Body {
    let kept = whole.slice(..keep.min(whole.len()));
    let first = stream::iter([Ok(kept)]);
    let rest = stream::once(async {
        // What was written so far goes out while the body has nothing ready.
        tokio::task::yield_now().await;
        Err(std::io::Error::other("cut off on request"))
    });
    Body::from_stream(futures::StreamExt::chain(first, rest))
}

fn dribble(whole: Bytes, piece: usize, every_ms: u64, sleep: Sleep) -> Body {
    Body::from_stream(stream::unfold((whole, sleep), move |(mut left, sleep)| async move {
        if left.is_empty() {
            return None;
        }
        sleep(Duration::from_millis(every_ms)).await;
        let next = left.split_to(piece.clamp(1, left.len()));
        Some((Ok::<_, std::io::Error>(next), (left, sleep)))
    }))
}

fn content_type(response: &mut Response, wanted: &str) {
    if let Ok(value) = HeaderValue::from_str(wanted) {
        response.headers_mut().insert(header::CONTENT_TYPE, value);
    }
}
