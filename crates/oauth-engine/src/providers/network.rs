//! Sends requests to providers, and judges which addresses may be called at all.
//!
//! Invariants: nothing is sent in the clear to another machine unless the server's options allow it; every answer is
//! bounded in bytes; texts name the address without query or credentials. Knows nothing of OAuth.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, header};
use url::{Host, Url};
use vestal_crypto::SecretBytes;
use vestal_logical::{HttpTransport, OutboundRequest, OutboundResponse, TransportError};

use super::{Cause, Options, ProviderError};

/// Bytes of an answer that are read.
pub(crate) const ANSWER_LIMIT: usize = 1 << 20;
/// Bytes of an address.
const ADDRESS_LIMIT: usize = 8 << 10;

/// The server option that allows plain `http` to other machines.
pub(crate) const INSECURE: &str = "allow_insecure_http";
/// The server option that allows link-local and metadata addresses.
pub(crate) const LINK_LOCAL: &str = "allow_link_local";

/// The mark of failures of the network itself, which internal errors show (reference §1.2, §7.5).
pub(crate) const MARK: &str = "transient: ";
/// How a call ends whose time is over.
pub(crate) const DEADLINE: &str = "context deadline exceeded";

/// What a server's options allow beyond `https` to ordinary addresses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Reach {
    insecure: bool,
    link_local: bool,
}

impl Reach {
    /// As the options say; the error is an option error.
    pub(crate) fn of(options: &Options) -> Result<Self, String> {
        Ok(Self { insecure: switch(options, INSECURE)?, link_local: switch(options, LINK_LOCAL)? })
    }

    /// The address, if it is one that may be called.
    pub(crate) fn judge(self, address: &str) -> Result<Url, &'static str> {
        const UNUSABLE: &str = "not an absolute http or https URL";
        if address.len() > ADDRESS_LIMIT {
            return Err("URL too long");
        }
        let mut url = Url::parse(address).map_err(|_| UNUSABLE)?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(UNUSABLE);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("the URL must not carry a user name or password");
        }
        if url.scheme() == "http" && !self.insecure && !is_loopback(&url) {
            return Err(
                "http is allowed to this machine only; use https or set the option \"allow_insecure_http\"",
            );
        }
        url.set_fragment(None);
        Ok(url)
    }
}

/// As [`Reach::judge`], for an address that an issuer names: one that is itself asked over `https` cannot send us back
/// to plain `http` on this machine.
pub(crate) fn judge_named_by(reach: Reach, issuer: &str, address: &str) -> Result<Url, &'static str> {
    let url = reach.judge(address)?;
    let secure = Url::parse(issuer).is_ok_and(|issuer| issuer.scheme() == "https");
    let downgraded = url.scheme() == "http" && secure && !reach.insecure;
    if downgraded { Err("an https issuer must not name http addresses") } else { Ok(url) }
}

fn switch(options: &Options, name: &str) -> Result<bool, String> {
    match options.get(name).map(String::as_str) {
        None | Some("" | "false" | "0" | "f" | "F" | "False" | "FALSE") => Ok(false),
        Some("true" | "1" | "t" | "T" | "True" | "TRUE") => Ok(true),
        Some(_) => Err(format!("option \"{name}\": expected \"true\" or \"false\"")),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

/// Scheme, host and port.
pub(crate) fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// The address as texts may show it.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.to_string()
}

/// The network as one server may use it.
#[derive(Clone)]
pub(crate) struct Network {
    http: Arc<dyn HttpTransport>,
    pub(crate) reach: Reach,
}

impl Network {
    pub(crate) fn new(http: Arc<dyn HttpTransport>, reach: Reach) -> Self {
        Self { http, reach }
    }

    /// Posts a form to a token endpoint.
    pub(crate) async fn post(
        &self,
        url: &Url,
        headers: HeaderMap,
        body: SecretBytes,
        timeout: Option<Duration>,
    ) -> Result<OutboundResponse, ProviderError> {
        let request = self.request(Method::POST, url, headers, body, timeout);
        self.http.send(request).await.map_err(|failure| post_failed(url, failure))
    }

    /// Gets a document; the error is a text.
    pub(crate) async fn get(
        &self,
        url: &Url,
        mut headers: HeaderMap,
        timeout: Duration,
    ) -> Result<OutboundResponse, String> {
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let request = self.request(Method::GET, url, headers, SecretBytes::default(), Some(timeout));
        self.http
            .send(request)
            .await
            .map_err(|failure| format!("Get \"{}\": {}", shown(url), cause(&failure)))
    }

    fn request(
        &self,
        method: Method,
        url: &Url,
        headers: HeaderMap,
        body: SecretBytes,
        timeout: Option<Duration>,
    ) -> OutboundRequest {
        OutboundRequest {
            method,
            url: url.clone(),
            headers,
            body,
            timeout,
            max_answer: ANSWER_LIMIT,
            reach_link_local: self.reach.link_local,
        }
    }
}

fn cause(failure: &TransportError) -> String {
    match failure {
        TransportError::NotInTime(_) | TransportError::TimedOut(_) => DEADLINE.to_owned(),
        other => other.to_string(),
    }
}

/// Only what fails in resolving, dialling or by a reset is marked; time limits, TLS and broken protocols are not.
fn post_failed(url: &Url, failure: TransportError) -> ProviderError {
    let text = format!("Post \"{}\": {}", shown(url), cause(&failure));
    match failure {
        TransportError::NotSent(_) => ProviderError::NotSent(format!("{MARK}{text}")),
        TransportError::NotSecured(_) | TransportError::NotInTime(_) => ProviderError::NotSent(text),
        TransportError::Forbidden(_) => ProviderError::Misconfigured(text),
        TransportError::TimedOut(_) | TransportError::Broken(_) => ProviderError::NoAnswer(text),
        TransportError::Reset(_) => ProviderError::NoAnswer(format!("{MARK}{text}")),
        TransportError::TooLarge(_) => ProviderError::Refused { text, spent: true, cause: Cause::TooLarge },
    }
}

/// `401 Unauthorized`.
pub(crate) fn status_line(status: u16) -> String {
    match http::StatusCode::from_u16(status).ok().and_then(|code| code.canonical_reason()) {
        Some(reason) => format!("{status} {reason}"),
        None => status.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::scripted::Script;

    fn options(pairs: &[(&str, &str)]) -> Options {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn plain_http_is_for_this_machine_unless_the_server_allows_more() {
        let cases = [
            ("https://idp.example/token", true),
            ("http://127.0.0.1:8080/token", true),
            ("http://127.9.9.9/token", true),
            ("http://[::1]/token", true),
            ("http://localhost/token", true),
            ("http://LOCALHOST/token", true),
            ("http://localhost.example/token", false),
            ("http://10.0.0.1/token", false),
            ("http://idp.example/token", false),
        ];
        let open = Reach::of(&options(&[(INSECURE, "true")])).unwrap();
        for (address, allowed) in cases {
            assert_eq!(Reach::default().judge(address).is_ok(), allowed, "{address}");
            assert!(open.judge(address).is_ok(), "{address}");
        }
    }

    #[test]
    fn what_is_no_address_of_a_provider_is_refused() {
        let open = Reach::of(&options(&[(INSECURE, "1"), (LINK_LOCAL, "1")])).unwrap();
        let long = format!("https://idp.example/{}", "a".repeat(9000));
        for address in [
            "",
            "idp.example",
            "/token",
            "ftp://idp.example/",
            "https://u:p@idp.example/",
            "mailto:a@b",
            &long,
        ] {
            assert!(open.judge(address).is_err(), "{address}");
        }
    }

    #[test]
    fn a_switch_is_true_false_or_an_option_error() {
        let cases =
            [("true", Some(true)), ("", Some(false)), ("0", Some(false)), ("yes", None), ("TRUE ", None)];
        for (value, expected) in cases {
            let found = Reach::of(&options(&[(LINK_LOCAL, value)]));
            assert_eq!(found.clone().ok().map(|reach| reach.link_local), expected, "{value}");
            if expected.is_none() {
                assert!(found.unwrap_err().starts_with("option \"allow_link_local\": "));
            }
        }
    }

    #[tokio::test]
    async fn every_request_is_bounded_and_reaches_as_far_as_the_options_say() {
        let (url, limit) = (Url::parse("https://idp.example/x").unwrap(), Duration::from_secs(3));
        for given in ["false", "true"] {
            let script = Script::new([]);
            let reach = Reach::of(&options(&[(LINK_LOCAL, given)])).unwrap();
            let network = Network::new(Arc::clone(&script) as Arc<dyn HttpTransport>, reach);
            network.post(&url, HeaderMap::new(), SecretBytes::default(), Some(limit)).await.unwrap_err();
            network.get(&url, HeaderMap::new(), limit).await.unwrap_err();
            for request in script.requests() {
                assert_eq!(request.reach_link_local.to_string(), given);
                assert_eq!((request.max_answer, request.timeout), (ANSWER_LIMIT, Some(limit)));
            }
            assert_eq!(script.requests().len(), 2);
        }
    }

    #[test]
    fn failures_say_what_was_called_without_its_query() {
        let url = Url::parse("https://idp.example/token?key=s3cret").unwrap();
        let told = [
            (
                TransportError::NotSent("connection refused".into()),
                "transient: Post \"https://idp.example/token\": connection refused",
            ),
            (
                TransportError::TimedOut("after 3 s".into()),
                "Post \"https://idp.example/token\": context deadline exceeded",
            ),
            (
                TransportError::NotInTime("after 3 s".into()),
                "Post \"https://idp.example/token\": context deadline exceeded",
            ),
            (TransportError::NotSecured("no TLS".into()), "Post \"https://idp.example/token\": no TLS"),
            (TransportError::Broken("closed".into()), "Post \"https://idp.example/token\": closed"),
            (TransportError::Reset("reset".into()), "transient: Post \"https://idp.example/token\": reset"),
            (
                TransportError::Forbidden("link-local".into()),
                "Post \"https://idp.example/token\": link-local",
            ),
            (TransportError::TooLarge("over 1 MiB".into()), "Post \"https://idp.example/token\": over 1 MiB"),
        ];
        for (failure, text) in told {
            assert_eq!(post_failed(&url, failure).to_string(), text);
        }
    }
}
