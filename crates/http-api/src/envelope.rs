//! Turns the kernel's answer into Vault's wire shape, key by key.
//!
//! Invariants: `Content-Type` is `application/json` on everything, 204 included; nothing may be cached; the keys of the
//! envelope keep their order and none is left out. It does not know what any path means, except which answers
//! repeat their data at the top level.

use bytes::Bytes;
use http::{HeaderValue, Response as HttpResponse, StatusCode, header};
use http_body_util::Full;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};
use vestal_logical::{Answer, Auth, Body, Error, Operation, Outcome, Reply, Response, WrapInfo};

use crate::go_json;
use crate::status::status;

/// The members of the envelope, in order.
const MEMBERS: [&str; 8] =
    ["request_id", "lease_id", "renewable", "lease_duration", "data", "wrap_info", "warnings", "auth"];

/// Paths whose data is repeated at the top level, where old clients read it.
const REPEATED: [&str; 18] = [
    "sys/audit",
    "sys/auth",
    "sys/config/cors",
    "sys/config/auditing/request-headers",
    "sys/capabilities",
    "sys/capabilities-accessor",
    "sys/capabilities-self",
    "sys/ha-status",
    "sys/key-status",
    "sys/mounts",
    "sys/policy",
    "sys/rekey/backup",
    "sys/rekey/recovery-key-backup",
    "sys/rotate/root/backup",
    "sys/rotate/recovery/backup",
    "sys/remount",
    "sys/rotate",
    "sys/rotate/keyring",
];

/// Those of them, and one more, below which everything is repeated too.
const REPEATED_BELOW: [&str; 6] = [
    "sys/audit/",
    "sys/audit-hash/",
    "sys/auth/",
    "sys/config/auditing/request-headers/",
    "sys/mounts/",
    "sys/policy/",
];

/// The HTTP answer to a request that the kernel has handled.
#[must_use]
pub fn render(response: Response) -> HttpResponse<Full<Bytes>> {
    let Response { request_id, path, operation, result } = response;
    match result {
        Ok(Answer::Open(reply)) => open(&request_id, &path, operation, &reply),
        Ok(Answer::Wrapped(info)) => {
            json(StatusCode::OK, &Envelope { wrap_info: Some(&info), ..Envelope::of("") })
        }
        Ok(Answer::Unwrapped(stored)) => {
            json(StatusCode::OK, &Unwrapped { request_id: &request_id, stored: &stored })
        }
        Err(error) => failed(&request_id, &error),
    }
}

fn open(
    request_id: &str,
    path: &str,
    operation: Operation,
    reply: &Reply<Value>,
) -> HttpResponse<Full<Bytes>> {
    let code = match reply.outcome {
        Outcome::Done => StatusCode::OK,
        Outcome::Accepted => StatusCode::ACCEPTED,
        Outcome::Absent => StatusCode::NOT_FOUND,
        Outcome::Status(code) => StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
    };
    let envelope = Envelope {
        lease_duration: reply.lease_duration.as_secs(),
        warnings: Some(reply.warnings.as_slice()).filter(|warnings| !warnings.is_empty()),
        auth: reply.auth.as_ref(),
        ..Envelope::of(request_id)
    };
    match &reply.body {
        Body::Plain(object) => json(code, object),
        Body::Data(data) => {
            let repeated = data.as_object().filter(|_| is_repeated(path));
            json(code, &Envelope { data: Some(data), repeated, ..envelope })
        }
        Body::Empty => nothing(code, operation, reply, &envelope),
    }
}

/// An answer without content: absence, silence, or only warnings or a token.
fn nothing(
    code: StatusCode,
    operation: Operation,
    reply: &Reply<Value>,
    envelope: &Envelope<'_>,
) -> HttpResponse<Full<Bytes>> {
    let asks = matches!(operation, Operation::Read | Operation::List | Operation::Header | Operation::Help);
    let says_something = envelope.auth.is_some() || envelope.warnings.is_some();
    match reply.outcome {
        _ if envelope.auth.is_some() => json(code, envelope),
        Outcome::Done if operation == Operation::List && says_something => {
            json(code, &Envelope { data: Some(&Value::Object(Map::new())), ..*envelope })
        }
        Outcome::Done if asks => errors(StatusCode::NOT_FOUND, &[]),
        Outcome::Accepted => json(code, envelope),
        _ if says_something => json(code, envelope),
        Outcome::Done => frame(StatusCode::NO_CONTENT, Bytes::new()),
        // There is nothing to patch: the reference says no more than that.
        Outcome::Absent if operation == Operation::Patch => frame(code, Bytes::new()),
        Outcome::Absent => errors(code, &[]),
        Outcome::Status(_) if code.is_client_error() || code.is_server_error() => errors(code, &[]),
        Outcome::Status(_) => frame(code, Bytes::new()),
    }
}

fn failed(request_id: &str, error: &Error) -> HttpResponse<Full<Bytes>> {
    let code = status(error.kind());
    let texts = error.public();
    if texts.is_empty() && !error.warnings().is_empty() {
        return json(code, &Envelope { warnings: Some(error.warnings()), ..Envelope::of(request_id) });
    }
    json(code, &Failure { texts: &texts, warnings: error.warnings() })
}

/// `{"errors":[…]}`
pub(crate) fn errors(code: StatusCode, texts: &[String]) -> HttpResponse<Full<Bytes>> {
    json(code, &Failure { texts, warnings: &[] })
}

fn json<T: Serialize>(code: StatusCode, content: &T) -> HttpResponse<Full<Bytes>> {
    match go_json::line(content) {
        Ok(line) => frame(code, line),
        Err(_) => frame(
            StatusCode::INTERNAL_SERVER_ERROR,
            Bytes::from_static(b"{\"errors\":[\"internal error\"]}\n"),
        ),
    }
}

/// The headers that every answer carries.
pub(crate) fn frame(code: StatusCode, body: Bytes) -> HttpResponse<Full<Bytes>> {
    const SECURITY: &str = "max-age=31536000; includeSubDomains";
    let mut response = HttpResponse::new(Full::new(body));
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(SECURITY));
    response
}

fn is_repeated(path: &str) -> bool {
    REPEATED.contains(&path) || REPEATED_BELOW.iter().any(|above| path.starts_with(above))
}

#[derive(Clone, Copy)]
struct Envelope<'a> {
    request_id: &'a str,
    lease_duration: u64,
    data: Option<&'a Value>,
    wrap_info: Option<&'a WrapInfo>,
    warnings: Option<&'a [String]>,
    auth: Option<&'a Auth>,
    repeated: Option<&'a Map<String, Value>>,
}

impl<'a> Envelope<'a> {
    fn of(request_id: &'a str) -> Self {
        Self {
            request_id,
            lease_duration: 0,
            data: None,
            wrap_info: None,
            warnings: None,
            auth: None,
            repeated: None,
        }
    }
}

impl Serialize for Envelope<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in self.repeated.into_iter().flatten() {
            // A key of the same name as a member would be overruled by it anyway.
            if !MEMBERS.contains(&key.as_str()) {
                map.serialize_entry(key, value)?;
            }
        }
        map.serialize_entry("request_id", self.request_id)?;
        map.serialize_entry("lease_id", "")?;
        map.serialize_entry("renewable", &false)?;
        map.serialize_entry("lease_duration", &self.lease_duration)?;
        map.serialize_entry("data", &self.data)?;
        map.serialize_entry("wrap_info", &self.wrap_info)?;
        map.serialize_entry("warnings", &self.warnings)?;
        map.serialize_entry("auth", &self.auth)?;
        map.end()
    }
}

/// An envelope that was kept, under the id of the request that fetches it.
struct Unwrapped<'a> {
    request_id: &'a str,
    stored: &'a Value,
}

impl Serialize for Unwrapped<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(stored) = self.stored.as_object() else {
            return self.stored.serialize(serializer);
        };
        // A plain object (`sys/wrapping/wrap` keeps none) would have no envelope to restore.
        if !stored.contains_key("request_id") {
            return stored.serialize(serializer);
        }
        let mut map = serializer.serialize_map(None)?;
        for member in MEMBERS {
            match stored.get(member) {
                Some(_) if member == "request_id" => map.serialize_entry(member, self.request_id)?,
                Some(value) => map.serialize_entry(member, value)?,
                None => {}
            }
        }
        for (key, value) in stored.iter().filter(|(key, _)| !MEMBERS.contains(&key.as_str())) {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

struct Failure<'a> {
    texts: &'a [String],
    warnings: &'a [String],
}

impl Serialize for Failure<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("errors", self.texts)?;
        if !self.warnings.is_empty() {
            map.serialize_entry("warnings", self.warnings)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests;
