//! Response wrapping: the answer is kept in the cubbyhole of a new token, and the caller gets that token
//! (core §3.6).
//!
//! Invariants: token and content become durable in one batch; what could not be wrapped is not given out, and a token in
//! it is revoked. Knows nothing of who unwraps.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};
use vestal_crypto::SecretString;
use vestal_logical::{Auth, Body, Error, Reply, Request, Timestamp, WrapAsk, WrapInfo};
use vestal_storage::Changes;

use crate::active::Active;
use crate::tokens::{NewToken, TokenEntry};

/// The endpoint that wraps anew what is wrapped already.
const REWRAP: &str = "sys/wrapping/rewrap";

/// The envelope as clients know it, in its order.
#[derive(Serialize)]
struct Envelope<'a> {
    request_id: &'a str,
    lease_id: &'static str,
    renewable: bool,
    lease_duration: u64,
    data: Option<&'a Value>,
    wrap_info: Option<()>,
    warnings: Option<&'a [String]>,
    auth: Option<&'a Auth>,
}

/// What goes into a wrapping token.
pub(crate) struct Wrapping<'a> {
    pub(crate) seconds: u64,
    pub(crate) path: &'a str,
    pub(crate) display_name: &'a str,
    /// The JSON of the whole answer.
    pub(crate) content: String,
    /// The accessor of a token inside, or empty.
    pub(crate) accessor_inside: String,
}

/// Wraps an answer.
pub(crate) async fn wrap(
    active: &Arc<Active>,
    caller: Option<&TokenEntry>,
    request: &Request,
    ask: WrapAsk,
    reply: &Reply<Value>,
) -> Result<WrapInfo, Error> {
    let wrapped = keep(active, caller, request, ask, reply).await;
    if wrapped.is_err()
        && let Some(auth) = reply.auth.as_ref().filter(|auth| !auth.client_token.is_empty())
    {
        active.tokens.revoke(&active.tokens.id_of(&auth.client_token)?).await?;
    }
    wrapped
}

async fn keep(
    active: &Arc<Active>,
    caller: Option<&TokenEntry>,
    request: &Request,
    ask: WrapAsk,
    reply: &Reply<Value>,
) -> Result<WrapInfo, Error> {
    let wrapping = Wrapping {
        seconds: whole_seconds(ask),
        path: &request.path,
        display_name: caller.map_or("", |entry| &entry.display_name),
        content: content(request, reply)?,
        accessor_inside: reply.auth.as_ref().map(|auth| auth.accessor.clone()).unwrap_or_default(),
    };
    wrap_with(active, Changes::new(), wrapping, request.now).await
}

/// Makes the wrapping token in one batch with `changes`.
pub(crate) async fn wrap_with(
    active: &Arc<Active>,
    mut changes: Changes,
    wrapping: Wrapping<'_>,
    now: Timestamp,
) -> Result<WrapInfo, Error> {
    let new = NewToken {
        policies: vec!["response-wrapping".to_owned()],
        display_name: wrapping.display_name.to_owned(),
        ttl: wrapping.seconds,
        explicit_max_ttl: wrapping.seconds,
        num_uses: 1,
        path: wrapping.path.to_owned(),
        ..NewToken::default()
    };
    let (token, entry) = active.tokens.draft(&mut changes, new, now)?;
    active.cubbyholes.put_response(&mut changes, &entry.id, wrapping.content)?;
    active.tokens.commit_drafts(changes, &[&entry]).await?;
    Ok(WrapInfo {
        token,
        accessor: entry.accessor,
        ttl: entry.ttl,
        creation_time: entry.created,
        creation_path: entry.path,
        wrapped_accessor: wrapping.accessor_inside,
    })
}

/// A life of less than a second is rounded up: 0 would be for ever.
fn whole_seconds(ask: WrapAsk) -> u64 {
    let seconds = ask.ttl.as_secs();
    (if ask.ttl.subsec_nanos() > 0 { seconds.saturating_add(1) } else { seconds }).max(1)
}

/// The JSON of the whole answer. What unwrapping gave is an envelope already.
fn content(request: &Request, reply: &Reply<Value>) -> Result<String, Error> {
    let data = match &reply.body {
        Body::Plain(envelope) => return serde_json::to_string(envelope).map_err(Error::internal),
        Body::Data(data) => Some(data),
        Body::Empty => None,
    };
    let envelope = Envelope {
        request_id: &request.id,
        lease_id: "",
        renewable: false,
        lease_duration: reply.lease_duration.as_secs(),
        data,
        wrap_info: None,
        warnings: Some(reply.warnings.as_slice()).filter(|warnings| !warnings.is_empty()),
        auth: reply.auth.as_ref(),
    };
    serde_json::to_string(&envelope).map_err(Error::internal)
}

/// How the endpoint that wraps anew tells of its wrapping token.
pub(crate) fn rewrap_reply(info: &WrapInfo) -> Reply<Value> {
    Reply::plain(json!({
        "token": info.token.expose(),
        "accessor": info.accessor,
        "ttl": info.ttl,
        "creation_time": info.creation_time,
        "creation_path": info.creation_path,
        "wrapped_accessor": info.wrapped_accessor,
    }))
}

/// The wrapping token that such a reply tells of; `None` for all other replies.
pub(super) fn rewrapped(request: &Request, reply: &Reply<Value>) -> Option<WrapInfo> {
    let Body::Plain(told) = &reply.body else { return None };
    let text = |name: &str| told.get(name).and_then(Value::as_str).map(str::to_owned);
    if request.path != REWRAP {
        return None;
    }
    Some(WrapInfo {
        token: SecretString::new(text("token")?),
        accessor: text("accessor")?,
        ttl: told.get("ttl").and_then(Value::as_u64)?,
        creation_time: Timestamp::parse(&text("creation_time")?)?,
        creation_path: text("creation_path")?,
        wrapped_accessor: text("wrapped_accessor")?,
    })
}
