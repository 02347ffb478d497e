//! Talks to one API server: addresses, headers, retries, one redirect.
//!
//! Invariants: a request that may have been carried out is repeated only when the server itself said that it
//! was not (412, 429, 5xx but 501, as Vault's client does); the token is a header marked sensitive and in no
//! text. It does not know where its settings come from.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use http::header::{HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use serde_json::Value;
use url::Url;
use vestal_crypto::{SecretBytes, SecretString};
use vestal_logical::{Clock, HttpTransport, OutboundRequest, OutboundResponse};

use crate::answer::{Answer, Secret};
use crate::ask::Ask;
use crate::error::{ApiError, Refusal};

/// The longest answer read; the server's own bound for requests is 32 MiB.
const MAX_ANSWER: usize = 64 << 20;
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// How to reach a server and as whom.
#[derive(Clone)]
pub struct Settings {
    /// The server, without `/v1`.
    pub address: Url,
    /// The token sent.
    pub token: Option<SecretString>,
    /// The namespace asked in.
    pub namespace: Option<String>,
    /// Asks for answers to be wrapped this long, in the server's words (`5m`).
    pub wrap_ttl: Option<String>,
    /// Further headers.
    pub headers: HeaderMap,
    /// How often a request is repeated that the server could not take.
    pub retries: u32,
    /// The time limit of one attempt.
    pub timeout: Option<Duration>,
    /// Whether one redirect is followed.
    pub follow_redirect: bool,
}

impl Settings {
    /// Vault's defaults: two retries, a minute, one redirect.
    pub fn new(address: Url) -> Self {
        Self {
            address,
            token: None,
            namespace: None,
            wrap_ttl: None,
            headers: HeaderMap::new(),
            retries: 2,
            timeout: Some(Duration::from_mins(1)),
            follow_redirect: true,
        }
    }
}

/// A client of one server.
#[derive(Clone)]
pub struct Api {
    settings: Settings,
    transport: Arc<dyn HttpTransport>,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("address", &self.settings.address.as_str()).finish_non_exhaustive()
    }
}

impl Api {
    /// A client that sends through `transport` and waits by `clock`.
    pub fn new(settings: Settings, transport: Arc<dyn HttpTransport>, clock: Arc<dyn Clock>) -> Self {
        Self { settings, transport, clock }
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The same client as someone else.
    #[must_use]
    pub fn as_token(&self, token: Option<SecretString>) -> Self {
        Self { settings: Settings { token, ..self.settings.clone() }, ..self.clone() }
    }

    /// Reads; `None` when there is nothing.
    pub async fn read(
        &self,
        path: &str,
        query: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Option<Secret>, ApiError> {
        found(self.send(Ask::get(path).queries(query).wrapped()).await)
    }

    /// Lists; `None` when there is nothing.
    pub async fn list(
        &self,
        path: &str,
        query: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Option<Secret>, ApiError> {
        let path = path.trim_end_matches('/');
        found(self.send(Ask::list(path).queries(query).wrapped()).await)
    }

    /// Writes with `PUT`.
    pub async fn write(&self, path: &str, body: Value) -> Result<Option<Secret>, ApiError> {
        Ok(self.send(Ask::put(path, body).wrapped()).await?.secret())
    }

    /// Patches with a JSON merge patch.
    pub async fn patch(&self, path: &str, body: Value) -> Result<Option<Secret>, ApiError> {
        Ok(self.send(Ask::patch(path, body).wrapped()).await?.secret())
    }

    /// Deletes.
    pub async fn delete(
        &self,
        path: &str,
        query: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Option<Secret>, ApiError> {
        Ok(self.send(Ask::delete(path).queries(query).wrapped()).await?.secret())
    }

    /// Sends, and gives the answer when its status is below 400.
    pub async fn send(&self, ask: Ask) -> Result<Answer, ApiError> {
        let (url, answer) = self.exchange(&ask).await?;
        if answer.status < 400 {
            return Ok(answer);
        }
        let namespace = self.namespace(&ask);
        Err(ApiError::Refused(Box::new(Refusal { method: ask.method, url: url.into(), namespace, answer })))
    }

    /// Sends, and gives whatever the server said, whatever its status.
    pub async fn raw(&self, ask: Ask) -> Result<Answer, ApiError> {
        Ok(self.exchange(&ask).await?.1)
    }

    /// The request as it would be sent, for showing it.
    pub fn address_of(&self, ask: &Ask) -> Result<Url, ApiError> {
        let mut url = self.settings.address.clone();
        let scheme_speaks_http = matches!(url.scheme(), "http" | "https");
        if !scheme_speaks_http {
            return Err(ApiError::Unaskable(format!(
                "the server address has the scheme `{}`; use http:// or https://",
                url.scheme()
            )));
        }
        // A percent sign of a name is a sign, not the beginning of an escape.
        let path = ask.path.trim_start_matches('/').replace('%', "%25");
        let path = format!("{}/v1/{path}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        let mut query = ask.query.clone();
        query.sort();
        url.set_query(None);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    async fn exchange(&self, ask: &Ask) -> Result<(Url, Answer), ApiError> {
        let mut url = self.address_of(ask)?;
        let mut attempt = 0;
        let mut may_follow = self.settings.follow_redirect;
        loop {
            let response = self.attempt(ask, &url).await?;
            if may_follow && let Some(target) = redirect(&url, &response) {
                may_follow = false;
                url = target;
                continue;
            }
            if attempt >= self.settings.retries || !worth_repeating(response.status) {
                let OutboundResponse { status, headers, body } = response;
                return Ok((url, Answer { status, headers, body }));
            }
            self.clock.sleep_until(self.clock.now().plus(wait(attempt, &response.headers))).await;
            attempt += 1;
        }
    }

    async fn attempt(&self, ask: &Ask, url: &Url) -> Result<OutboundResponse, ApiError> {
        let request = OutboundRequest {
            method: ask.method.clone(),
            url: url.clone(),
            headers: self.headers(ask)?,
            body: encode(ask.body.as_ref()),
            timeout: self.settings.timeout,
            max_answer: MAX_ANSWER,
            // The operator names the server; there is nothing to be tricked into.
            reach_link_local: true,
        };
        self.transport.send(request).await.map_err(|error| {
            let mut shown = url.clone();
            shown.set_query(None);
            ApiError::NoAnswer { method: ask.method.clone(), url: shown.into(), error }
        })
    }

    fn headers(&self, ask: &Ask) -> Result<HeaderMap, ApiError> {
        let mut headers = self.settings.headers.clone();
        headers.insert("x-vault-request", HeaderValue::from_static("true"));
        if let Some(token) = self.settings.token.as_ref().filter(|token| !ask.anonymous && !token.is_empty())
        {
            let mut value = header("token", token.expose())?;
            value.set_sensitive(true);
            headers.insert("x-vault-token", value);
        }
        if let Some(namespace) = self.namespace(ask) {
            headers.insert("x-vault-namespace", header("namespace", &namespace)?);
        }
        if let Some(ttl) = self.wrap_ttl(ask) {
            headers.insert("x-vault-wrap-ttl", header("wrap ttl", &ttl)?);
        }
        if ask.method == Method::PATCH {
            let name = HeaderName::from_static("content-type");
            headers.insert(name, HeaderValue::from_static("application/merge-patch+json"));
        }
        Ok(headers)
    }

    fn namespace(&self, ask: &Ask) -> Option<String> {
        let namespace = self.settings.namespace.as_deref().filter(|_| !ask.root_namespace)?;
        let bare = namespace.trim_matches('/');
        (!bare.is_empty()).then(|| format!("{bare}/"))
    }

    /// As Vault's client: `sys/wrapping/wrap` is wrapped for five minutes unless told otherwise.
    fn wrap_ttl(&self, ask: &Ask) -> Option<String> {
        if !ask.wrapped {
            return None;
        }
        let wraps_itself = ask.path.trim_matches('/') == "sys/wrapping/wrap" && ask.body.is_some();
        self.settings.wrap_ttl.clone().or_else(|| wraps_itself.then(|| "5m".to_owned()))
    }
}

/// A 404 is nothing, unless it says something.
fn found(result: Result<Answer, ApiError>) -> Result<Option<Secret>, ApiError> {
    match result {
        Ok(answer) => Ok(answer.secret()),
        Err(ApiError::Refused(refusal)) if refusal.answer.status == 404 => {
            Ok(refusal.answer.secret().filter(Secret::says_something))
        }
        Err(error) => Err(error),
    }
}

fn header(what: &str, value: &str) -> Result<HeaderValue, ApiError> {
    HeaderValue::from_str(value)
        .map_err(|_| ApiError::Unaskable(format!("the {what} holds characters that no header can carry")))
}

fn encode(body: Option<&Value>) -> SecretBytes {
    body.map(|body| SecretBytes::new(body.to_string())).unwrap_or_default()
}

fn worth_repeating(status: u16) -> bool {
    matches!(status, 412 | 429) || (status >= 500 && status != 501)
}

/// Twice as long each time, or as long as the server asks for.
fn wait(attempt: u32, headers: &HeaderMap) -> Duration {
    let asked = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    asked.map_or_else(|| FIRST_WAIT * 2u32.saturating_pow(attempt), Duration::from_secs).min(LONGEST_WAIT)
}

/// Where a redirect leads; never from TLS to plain HTTP, which would show the token.
fn redirect(from: &Url, response: &OutboundResponse) -> Option<Url> {
    if !matches!(response.status, 301 | 302 | 307 | 308) {
        return None;
    }
    let target = from.join(response.headers.get(LOCATION)?.to_str().ok()?).ok()?;
    let keeps_tls = from.scheme() == target.scheme() || target.scheme() == "https";
    keeps_tls.then_some(target)
}

#[cfg(test)]
mod tests;
