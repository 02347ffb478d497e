//! An answer before it is bytes: fields that a fault can still change, or a page.
//!
//! Every answer says `no-store`; error answers of the token endpoint follow RFC 6749, section 5.2. It does not know
//! which endpoint it answers for.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::{Map, Value, json};

/// What an endpoint answers.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(HeaderName, String)>,
    pub(crate) body: Content,
    /// Number of the ledger entry that this answers.
    pub(crate) entry: Option<u64>,
}

pub(crate) enum Content {
    Fields(Map<String, Value>),
    Page(String),
    Empty,
}

impl Reply {
    pub(crate) fn new(status: StatusCode, body: Content) -> Self {
        Self { status, headers: Vec::new(), body, entry: None }
    }

    pub(crate) fn json(fields: Value) -> Self {
        let fields = match fields {
            Value::Object(fields) => fields,
            other => Map::from_iter([("value".to_owned(), other)]),
        };
        Self::new(StatusCode::OK, Content::Fields(fields))
    }

    pub(crate) fn page(status: StatusCode, html: String, policy: &str) -> Self {
        Self::new(status, Content::Page(html))
            .header(header::CONTENT_SECURITY_POLICY, policy)
            .header(header::X_FRAME_OPTIONS, "DENY")
            .header(header::REFERRER_POLICY, "no-referrer")
    }

    pub(crate) fn see_other(location: &str) -> Self {
        Self::new(StatusCode::SEE_OTHER, Content::Empty)
            .header(header::LOCATION, location)
            .header(header::REFERRER_POLICY, "no-referrer")
    }

    pub(crate) fn header(mut self, name: HeaderName, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(crate) fn for_entry(mut self, entry: u64) -> Self {
        self.entry = Some(entry);
        self
    }

    pub(crate) fn into_response(self) -> Response {
        let (content_type, bytes) = match self.body {
            Content::Fields(fields) => (Some("application/json"), Value::Object(fields).to_string()),
            Content::Page(html) => (Some("text/html; charset=utf-8"), html),
            Content::Empty => (None, String::new()),
        };
        let mut response = Response::new(Body::from(bytes));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Some(content_type) = content_type {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        response
    }
}

/// An OAuth error: a code for the program, a sentence for the person who debugs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) error: &'static str,
    pub(crate) reason: &'static str,
}

impl Refusal {
    pub(crate) const fn new(error: &'static str, reason: &'static str) -> Self {
        Self { error, reason }
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        let mut reply = Self::json(json!({ "error": refusal.error, "error_description": refusal.reason }));
        reply.status = StatusCode::BAD_REQUEST;
        if refusal.error == "invalid_client" {
            reply.status = StatusCode::UNAUTHORIZED;
            reply = reply.header(header::WWW_AUTHENTICATE, "Basic realm=\"demo provider\"");
        }
        reply
    }
}
