//! What is answered without asking the kernel.
//!
//! Invariant: a text names what is wrong with a field, never what the field held.

use bytes::Bytes;
use http::{Method, Response, StatusCode, header};
use http_body_util::Full;

use crate::envelope;

/// An answer to a request that never becomes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    status: StatusCode,
    body: Body,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Body {
    /// `{"errors":[…]}`
    Errors(Vec<String>),
    /// No body at all.
    Blank,
    /// Another address.
    Moved(String),
}

impl Refusal {
    pub(crate) fn text(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, body: Body::Errors(vec![text.into()]) }
    }

    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        Self::text(StatusCode::BAD_REQUEST, text)
    }

    /// The empty list of errors.
    pub(crate) fn plain(status: StatusCode) -> Self {
        Self { status, body: Body::Errors(Vec::new()) }
    }

    pub(crate) fn blank(status: StatusCode) -> Self {
        Self { status, body: Body::Blank }
    }

    pub(crate) fn moved(location: String) -> Self {
        Self { status: StatusCode::TEMPORARY_REDIRECT, body: Body::Moved(location) }
    }

    pub(crate) fn body_too_large() -> Self {
        Self::text(StatusCode::PAYLOAD_TOO_LARGE, "http: request body too large")
    }

    pub(crate) fn headers_too_large() -> Self {
        Self::text(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "too many request headers")
    }

    pub(crate) fn too_slow() -> Self {
        Self::text(StatusCode::REQUEST_TIMEOUT, "the request body took too long to arrive")
    }

    pub(crate) fn unanswered() -> Self {
        Self::text(
            StatusCode::SERVICE_UNAVAILABLE,
            "no answer within the time of a request, the work goes on",
        )
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Where else to ask, for a path that was not clean.
    #[must_use]
    pub fn location(&self) -> Option<&str> {
        match &self.body {
            Body::Moved(location) => Some(location),
            Body::Errors(_) | Body::Blank => None,
        }
    }

    pub(crate) fn render(&self, method: &Method) -> Response<Full<Bytes>> {
        match &self.body {
            Body::Errors(texts) => envelope::errors(self.status, texts),
            Body::Blank => blank(self.status),
            Body::Moved(location) => moved(self.status, location, method),
        }
    }
}

/// Nothing to say, so nothing that says what it is.
fn blank(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = envelope::frame(status, Bytes::new());
    response.headers_mut().remove(header::CONTENT_TYPE);
    response
}

/// Browsers and Go's server alike give a page only where one may be shown.
fn moved(status: StatusCode, location: &str, method: &Method) -> Response<Full<Bytes>> {
    let shown = matches!(*method, Method::GET | Method::HEAD);
    let page = if shown {
        format!("<a href=\"{}\">Temporary Redirect</a>.\n\n", html_escaped(location)).into()
    } else {
        Bytes::new()
    };
    let mut response = envelope::frame(status, page);
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_TYPE);
    if shown {
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/html; charset=utf-8"));
    }
    if let Ok(location) = header::HeaderValue::from_str(location) {
        headers.insert(header::LOCATION, location);
    }
    response
}

fn html_escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}
