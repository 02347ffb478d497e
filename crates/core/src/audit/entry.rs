//! What an audit line says.

use serde::Serialize;
use serde_json::{Map, Value, json};
use vestal_logical::{Answer, Auth, Body, Error, Operation, Reply, Request, Timestamp, WrapInfo};

use super::redact::Redactor;
use crate::mounts::Route;
use crate::tokens::TokenEntry;

/// What is known about a request when it is recorded.
pub(crate) struct Trail<'a> {
    pub(crate) request: &'a Request,
    /// With creating and updating told apart.
    pub(crate) operation: Operation,
    pub(crate) token: Option<&'a TokenEntry>,
    /// The policies that allowed it.
    pub(crate) granting: &'a [String],
    pub(crate) allowed: bool,
    pub(crate) route: Option<&'a Route>,
}

/// One line. Members that are empty are left out, as clients' tools expect.
#[derive(Serialize)]
pub(super) struct Line {
    time: String,
    #[serde(rename = "type")]
    kind: &'static str,
    auth: Value,
    request: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// The line before a request is run.
pub(super) fn request_line(trail: &Trail<'_>, redactor: &Redactor<'_>, error: Option<&Error>) -> Line {
    Line {
        time: trail.request.now.to_string(),
        kind: "request",
        auth: auth(trail, redactor),
        request: request(trail, redactor),
        response: None,
        error: error.map(told),
    }
}

/// The line before a response is given.
pub(super) fn response_line(
    trail: &Trail<'_>,
    redactor: &Redactor<'_>,
    result: Result<&Answer, &Error>,
    elide_lists: bool,
    now: Timestamp,
) -> Line {
    let mut response = mount(trail);
    if let Ok(answer) = result {
        answered(&mut response, trail, redactor, answer, elide_lists);
    }
    Line {
        time: now.to_string(),
        kind: "response",
        auth: auth(trail, redactor),
        request: request(trail, redactor),
        response: Some(Value::Object(response)),
        error: result.err().map(told),
    }
}

/// What the caller is told, in its frame.
fn told(error: &Error) -> String {
    let texts = error.public();
    if texts.is_empty() { "not found".to_owned() } else { texts.join("; ") }
}

/// Who called.
fn auth(trail: &Trail<'_>, redactor: &Redactor<'_>) -> Value {
    let Some(token) = trail.token else { return json!({ "token_type": "default" }) };
    let granting: Vec<_> = trail
        .granting
        .iter()
        .map(|name| json!({ "name": name, "namespace_id": "root", "type": "acl" }))
        .collect();
    let mut shown = Map::new();
    if let Some(presented) = &trail.request.token {
        shown.insert("client_token".to_owned(), redactor.text(presented.expose()).into());
    }
    let members = [
        ("accessor", redactor.accessor(&token.accessor).into()),
        ("display_name", token.display_name.clone().into()),
        ("policies", token.policies.clone().into()),
        ("token_policies", token.policies.clone().into()),
        ("policy_results", json!({ "allowed": trail.allowed, "granting_policies": granting })),
        ("token_type", "service".into()),
        ("token_ttl", token.ttl.into()),
        ("token_issue_time", token.created.to_string().into()),
    ];
    shown.extend(members.map(|(name, value): (&str, Value)| (name.to_owned(), value)));
    if let Some(meta) = &token.meta {
        shown.insert("metadata".to_owned(), json!(meta));
    }
    if !token.entity_id.is_empty() {
        shown.insert("entity_id".to_owned(), token.entity_id.clone().into());
    }
    if token.num_uses > 0 {
        shown.insert("num_uses".to_owned(), token.num_uses.into());
    }
    Value::Object(shown)
}

/// Which mount served it.
fn mount(trail: &Trail<'_>) -> Map<String, Value> {
    let mut shown = Map::new();
    if let Some(route) = trail.route {
        let members = [
            ("mount_point", route.point.path.as_str()),
            ("mount_type", &route.point.kind),
            ("mount_accessor", &route.point.accessor),
            ("mount_class", route.class.word()),
        ];
        shown.extend(members.map(|(name, text)| (name.to_owned(), text.into())));
    }
    shown
}

/// What was asked.
fn request(trail: &Trail<'_>, redactor: &Redactor<'_>) -> Value {
    let mut shown = mount(trail);
    let request = trail.request;
    let mut show = |name: &str, value: Value| drop(shown.insert(name.to_owned(), value));
    show("id", request.id.clone().into());
    show("operation", trail.operation.word().into());
    show("path", request.path.clone().into());
    show("namespace", json!({ "id": "root" }));
    if let Some(peer) = request.peer {
        show("remote_address", peer.ip().to_string().into());
        show("remote_port", peer.port().into());
    }
    if !request.data.is_empty() {
        let readable = trail.route.map_or(&[][..], |route| &route.non_hmac_request_keys);
        show("data", redactor.map(&request.data, readable));
    }
    if let Some(presented) = &request.token {
        show("client_token", redactor.text(presented.expose()).into());
    }
    if let Some(token) = trail.token {
        show("client_token_accessor", redactor.accessor(&token.accessor).into());
        show(
            "client_id",
            if token.entity_id.is_empty() { &token.id } else { &token.entity_id }.clone().into(),
        );
    }
    if let Some(ask) = request.wrap {
        show("wrap_ttl", ask.ttl.as_secs().into());
    }
    Value::Object(shown)
}

/// What was answered.
fn answered(
    shown: &mut Map<String, Value>,
    trail: &Trail<'_>,
    redactor: &Redactor<'_>,
    answer: &Answer,
    elide_lists: bool,
) {
    match answer {
        Answer::Open(reply) => {
            if let Some(data) = data(trail, redactor, reply, elide_lists) {
                shown.insert("data".to_owned(), data);
            }
            if let Some(auth) = &reply.auth {
                shown.insert("auth".to_owned(), handed_out(redactor, auth));
            }
            if !reply.warnings.is_empty() {
                shown.insert("warnings".to_owned(), reply.warnings.clone().into());
            }
        }
        Answer::Wrapped(info) => drop(shown.insert("wrap_info".to_owned(), wrapped(redactor, info))),
        // What was inside; the rest of the envelope was recorded when it was wrapped.
        Answer::Unwrapped(envelope) => {
            if let Some(data) = envelope.get("data").filter(|data| !data.is_null()) {
                shown.insert("data".to_owned(), redactor.value(data));
            }
        }
    }
}

fn data(
    trail: &Trail<'_>,
    redactor: &Redactor<'_>,
    reply: &Reply<Value>,
    elide_lists: bool,
) -> Option<Value> {
    let content = match &reply.body {
        Body::Data(content) | Body::Plain(content) => content,
        Body::Empty => return None,
    };
    let Value::Object(members) = content else { return Some(redactor.value(content)) };
    if elide_lists && trail.operation == Operation::List {
        let count =
            |value: &Value| value.as_array().map(Vec::len).or_else(|| value.as_object().map(Map::len));
        let counted = members.iter().filter_map(|(name, value)| Some((name.clone(), count(value)?.into())));
        return Some(Value::Object(counted.collect()));
    }
    let readable = trail.route.map_or(&[][..], |route| &route.non_hmac_response_keys);
    Some(redactor.map(members, readable))
}

fn handed_out(redactor: &Redactor<'_>, auth: &Auth) -> Value {
    json!({
        "client_token": redactor.text(auth.client_token.expose()),
        "accessor": redactor.accessor(&auth.accessor),
        "policies": auth.policies,
        "token_policies": auth.token_policies,
        "metadata": auth.metadata,
        "entity_id": auth.entity_id,
        "token_type": auth.token_type,
        "token_ttl": auth.lease_duration,
        "num_uses": auth.num_uses,
    })
}

fn wrapped(redactor: &Redactor<'_>, info: &WrapInfo) -> Value {
    let mut shown = json!({
        "token": redactor.text(info.token.expose()),
        "accessor": redactor.accessor(&info.accessor),
        "ttl": info.ttl,
        "creation_time": info.creation_time.to_string(),
        "creation_path": info.creation_path,
    });
    if let (Value::Object(members), false) = (&mut shown, info.wrapped_accessor.is_empty()) {
        members.insert("wrapped_accessor".to_owned(), redactor.accessor(&info.wrapped_accessor).into());
    }
    shown
}
