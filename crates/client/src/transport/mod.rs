//! Sends outbound calls over the network: one pooled client, bounds on time and size, no redirects.
//!
//! Invariants: a request is written to at most one connection, so what the caller hears is what happened: a
//! pooled connection found dead before the first byte is replaced silently, one that dies later is
//! [`TransportError::Broken`]. Addresses of machine metadata are refused by name, as literals and after
//! resolving, also before a proxy is asked for them. It does not know what the calls are for, and keeps no credentials
//! but the TLS key.

mod body;
mod failure;
mod forbidden;
mod named;
mod resolver;
mod route;
#[cfg(test)]
mod tests;
mod tls;
#[cfg(test)]
mod tls_tests;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use http::header::HOST;
use reqwest::dns::Resolve as _;
use reqwest::{Body, Client, ClientBuilder, redirect, retry};
use url::{Host, Position, Url};
use vestal_crypto::SecretBytes;
use vestal_logical::{HttpTransport, OutboundRequest, OutboundResponse, TransportError};

use body::{Taken, Watched};
use resolver::{ForbiddenAddress, Resolver};
pub use route::Route;
pub use tls::{ServerName, TlsOptions};

/// The far bound of a call whose caller sets none.
const LONGEST_CALL: Duration = Duration::from_mins(5);
/// Bounds connecting in a call whose caller sets no limit. A caller's own limit bounds connecting too, and is not cut
/// short; whether the request was sent is told by its body.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Below the 60 s after which common balancers drop a silent connection.
const IDLE_LIMIT: Duration = Duration::from_secs(50);

/// The network.
#[derive(Clone)]
pub struct Transport(Arc<Clients>);

struct Clients {
    route: Route,
    direct: Reach,
    /// For calls that may meet a proxy; none when there is no proxy to meet.
    proxied: Option<Reach>,
    server_name: Option<ServerName>,
}

/// Two rules: a connection made under the looser one must not serve a call under the stricter one.
struct Reach {
    guarded: Pools,
    anywhere: Pools,
}

/// Connections under one rule, for calls with a limit and without.
struct Pools {
    limited: Client,
    unlimited: Client,
}

/// The option that cannot be used, and why.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct SetupError(String);

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transport")
    }
}

impl Transport {
    /// A transport that trusts what the platform trusts, and goes where the environment's proxies are.
    pub fn new() -> Result<Self, SetupError> {
        Self::with(&TlsOptions::default(), &Route::Environment)
    }

    /// The same without any proxy.
    pub fn direct() -> Result<Self, SetupError> {
        Self::with(&TlsOptions::default(), &Route::Direct)
    }

    /// A transport with settings of its own.
    pub fn with(tls: &TlsOptions, route: &Route) -> Result<Self, SetupError> {
        Self::build(tls, route).map_err(SetupError)
    }

    fn build(tls: &TlsOptions, route: &Route) -> Result<Self, String> {
        let finish = |builder: ClientBuilder, route: &Route, reach_link_local| {
            let resolver = Resolver { reach_link_local, server_name: tls.server_name.clone() };
            let builder = route.apply(tls.apply(builder.dns_resolver(resolver))?)?;
            builder.build().map_err(|error| format!("cannot set up TLS: {}", failure::innermost(&error)))
        };
        let pools = |route: &Route, reach_link_local| -> Result<Pools, String> {
            Ok(Pools {
                limited: finish(limited(), route, reach_link_local)?,
                unlimited: finish(limited().connect_timeout(CONNECT_LIMIT), route, reach_link_local)?,
            })
        };
        let reach = |route: &Route| -> Result<Reach, String> {
            Ok(Reach { guarded: pools(route, false)?, anywhere: pools(route, true)? })
        };
        Ok(Self(Arc::new(Clients {
            direct: reach(&Route::Direct)?,
            proxied: route.may_be_proxied().then(|| reach(route)).transpose()?,
            route: route.clone(),
            server_name: tls.server_name.clone(),
        })))
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that builds HTTP clients, with limits")]
fn limited() -> ClientBuilder {
    Client::builder()
        .redirect(redirect::Policy::none())
        // Reqwest repeats what it thinks was not processed. A refresh token is spent by being sent.
        .retry(retry::never())
        // One request per connection at a time: whether it was written is then certain.
        .http1_only()
        .pool_idle_timeout(IDLE_LIMIT)
        .referer(false)
        .user_agent(concat!("vestal/", env!("CARGO_PKG_VERSION")))
}

/// A name that is not found out in this time is one that only the proxy can resolve: many networks that have one swallow
/// questions about other names.
const JUDGING: Duration = Duration::from_secs(2);

impl HttpTransport for Transport {
    fn send(&self, request: OutboundRequest) -> BoxFuture<'static, Result<OutboundResponse, TransportError>> {
        let clients = Arc::clone(&self.0);
        async move { clients.send(request).await }.boxed()
    }
}

impl Clients {
    async fn send(&self, request: OutboundRequest) -> Result<OutboundResponse, TransportError> {
        judge(&request.url, request.reach_link_local)?;
        let mut host = request.url.host_str().unwrap_or_default().to_owned();
        let mut reach = &self.direct;
        if let Some(proxied) = self.proxied.as_ref().filter(|_| !self.route.is_direct(&request.url)) {
            self.judge_before_the_proxy(&request).await?;
            if self.forced_name(&request.url).is_some() {
                let text = "a TLS server name cannot be asked for through a proxy";
                return Err(TransportError::NotSent(text.to_owned()));
            }
            reach = proxied;
            host.push_str(", perhaps through a proxy");
        }
        let pools = if request.reach_link_local { &reach.anywhere } else { &reach.guarded };
        let client = if request.timeout.is_some() { &pools.limited } else { &pools.unlimited };
        let (url, headers) = self.renamed(&request)?;
        let mut call = client
            .request(request.method.clone(), url)
            .headers(headers)
            .timeout(request.timeout.unwrap_or(LONGEST_CALL));
        // A request without a body spends nothing, and counts as sent.
        let taken = Taken::new(request.body.is_empty());
        if !request.body.is_empty() {
            call = call.body(Body::wrap(Watched::new(request.body.expose().to_vec(), &taken)));
        }
        let response =
            call.send().await.map_err(|error| failure::before_answer(&error, &host, taken.is_set()))?;
        read(response, request.max_answer, &host).await
    }

    /// A proxy resolves the name itself, and may stand where metadata can be reached. A name that only the proxy can
    /// resolve is the proxy's to judge.
    #[expect(
        clippy::disallowed_methods,
        reason = "a limit of the network's, in real time as reqwest's own are"
    )]
    async fn judge_before_the_proxy(&self, request: &OutboundRequest) -> Result<(), TransportError> {
        let Some(Host::Domain(name)) = request.url.host() else { return Ok(()) };
        if request.reach_link_local {
            return Ok(());
        }
        let resolver = Resolver { reach_link_local: false, server_name: self.server_name.clone() };
        match name.parse().map(|asked| resolver.resolve(asked)) {
            Ok(found) => match tokio::time::timeout(JUDGING, found).await {
                Ok(Err(error)) if error.is::<ForbiddenAddress>() => {
                    Err(TransportError::Forbidden(format!("{name} {ForbiddenAddress}")))
                }
                _ => Ok(()),
            },
            Err(_) => Ok(()),
        }
    }

    /// Under a forced server name the name stands in the address, so that TLS asks for it, and the resolver
    /// leads it back to the real host.
    fn renamed(&self, request: &OutboundRequest) -> Result<(Url, http::HeaderMap), TransportError> {
        let (mut url, mut headers) = (request.url.clone(), request.headers.clone());
        if let Some(forced) = self.forced_name(&request.url) {
            let unusable = || TransportError::NotSent("the TLS server name is not a host name".to_owned());
            let authority = &url[Position::BeforeHost..Position::AfterPort];
            headers.insert(HOST, http::HeaderValue::from_str(authority).map_err(|_| unusable())?);
            url.set_host(Some(&forced.name)).map_err(|_| unusable())?;
        }
        Ok((url, headers))
    }

    fn forced_name(&self, url: &Url) -> Option<&ServerName> {
        let applies = |forced: &&ServerName| url.scheme() == "https" && url.host_str() == Some(&forced.host);
        self.server_name.as_ref().filter(applies)
    }
}

/// Refuses addresses that need no resolving to be known as bad.
fn judge(url: &Url, reach_link_local: bool) -> Result<(), TransportError> {
    let Some(host) = url.host() else {
        return Err(TransportError::NotSent("the address has no host".to_owned()));
    };
    let bad = match host {
        Host::Domain(name) => forbidden::name(name),
        Host::Ipv4(address) => forbidden::address(IpAddr::V4(address)),
        Host::Ipv6(address) => forbidden::address(IpAddr::V6(address)),
    };
    if bad && !reach_link_local {
        return Err(TransportError::Forbidden(format!(
            "{host} is a link-local or metadata address, which is not connected to"
        )));
    }
    Ok(())
}

/// Reads the body up to the bound.
async fn read(
    mut response: reqwest::Response,
    most: usize,
    host: &str,
) -> Result<OutboundResponse, TransportError> {
    let too_large = || TransportError::TooLarge(format!("{host} answered with more than {most} bytes"));
    let announced = usize::try_from(response.content_length().unwrap_or(0)).unwrap_or(usize::MAX);
    if announced > most {
        return Err(too_large());
    }
    let (status, headers) = (response.status().as_u16(), std::mem::take(response.headers_mut()));
    let mut body = Vec::with_capacity(announced);
    while let Some(chunk) = response.chunk().await.map_err(|error| failure::during_answer(&error, host))? {
        if body.len() + chunk.len() > most {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(OutboundResponse { status, headers, body: SecretBytes::new(body) })
}
