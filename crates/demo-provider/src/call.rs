//! Reads an HTTP request into the shape that endpoints and fault rules look at.
//!
//! A parameter without a value counts as absent (RFC 6749, section 3.1); a repeated one is remembered, and the
//! endpoint refuses it. The body is read here, before anything is processed, and is small or refused.

use std::collections::HashMap;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use serde::{Deserialize, Serialize};

const BODY_LIMIT: usize = 64 * 1024;

/// An endpoint that faults can be aimed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    Discovery,
    Jwks,
    Authorize,
    Token,
    Device,
    /// `/userinfo` and `/me`.
    Userinfo,
    Revoke,
    Introspect,
}

/// The grant a call to the token endpoint asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    AuthorizationCode,
    RefreshToken,
    ClientCredentials,
    DeviceCode,
    /// Absent, or one that this provider does not know.
    Unknown,
}

impl Grant {
    pub(crate) const DEVICE_CODE: &'static str = "urn:ietf:params:oauth:grant-type:device_code";

    fn named(name: Option<&str>) -> Self {
        match name {
            Some("authorization_code") => Self::AuthorizationCode,
            Some("refresh_token") => Self::RefreshToken,
            Some("client_credentials") => Self::ClientCredentials,
            Some(Self::DEVICE_CODE) => Self::DeviceCode,
            _ => Self::Unknown,
        }
    }
}

/// One request, read.
pub(crate) struct Call {
    pub(crate) endpoint: Endpoint,
    pub(crate) headers: HeaderMap,
    /// The query of a GET, the form of a POST.
    pub(crate) parameters: Parameters,
    pub(crate) is_form: bool,
}

impl Call {
    pub(crate) async fn read(endpoint: Endpoint, request: Request) -> Result<Self, StatusCode> {
        let (head, body) = request.into_parts();
        let bytes = read_body(body).await?;
        let is_form = is_type(&head.headers, "application/x-www-form-urlencoded");
        let parameters = if head.method == Method::POST {
            Parameters::parse(&bytes)
        } else {
            Parameters::parse(head.uri.query().unwrap_or_default().as_bytes())
        };
        Ok(Self { endpoint, headers: head.headers, parameters, is_form })
    }

    pub(crate) fn grant(&self) -> Grant {
        Grant::named(self.parameters.one("grant_type"))
    }

    pub(crate) fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The `Authorization` header's value behind `scheme`.
    pub(crate) fn authorization(&self, scheme: &str) -> Option<&str> {
        let (found, rest) = self.header(header::AUTHORIZATION)?.split_once(' ')?;
        found.eq_ignore_ascii_case(scheme).then(|| rest.trim())
    }
}

pub(crate) async fn read_body(body: Body) -> Result<Bytes, StatusCode> {
    axum::body::to_bytes(body, BODY_LIMIT).await.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)
}

pub(crate) fn is_type(headers: &HeaderMap, wanted: &str) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|found| found.trim().eq_ignore_ascii_case(wanted))
}

/// Parameters of a query or form.
#[derive(Default)]
pub(crate) struct Parameters {
    values: HashMap<String, String>,
    repeated: bool,
}

impl Parameters {
    fn parse(encoded: &[u8]) -> Self {
        let mut found = Self::default();
        for (name, value) in url::form_urlencoded::parse(encoded) {
            if !value.is_empty() && found.values.insert(name.into_owned(), value.into_owned()).is_some() {
                found.repeated = true;
            }
        }
        found
    }

    pub(crate) fn one(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    pub(crate) fn owned(&self, name: &str) -> Option<String> {
        self.values.get(name).cloned()
    }

    pub(crate) fn any_repeated(&self) -> bool {
        self.repeated
    }
}
