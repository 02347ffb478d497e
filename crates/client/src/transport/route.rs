//! Whether a call goes through a proxy.
//!
//! Invariant: what the environment says of proxies never concerns this machine itself; a token on its way to a server on
//! loopback passes nobody.

use reqwest::{ClientBuilder, Proxy};
use url::{Host, Url};

/// The variables that name a proxy, as Go's and Python's programs know them.
const VARIABLES: [&str; 6] =
    ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

/// How calls reach their servers.
#[derive(Debug, Clone, Default)]
pub enum Route {
    /// Straight.
    Direct,
    /// As `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` say.
    #[default]
    Environment,
    /// Through this proxy, wherever they go: somebody named it for just these calls.
    Through(Url),
}

impl Route {
    /// Whether any call could meet a proxy.
    pub(super) fn may_be_proxied(&self) -> bool {
        match self {
            Self::Direct => false,
            Self::Environment => {
                VARIABLES.iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
            }
            Self::Through(_) => true,
        }
    }

    /// Whether a call to `url` leaves proxies aside, whatever their settings.
    pub(super) fn is_direct(&self, url: &Url) -> bool {
        match self {
            Self::Direct => true,
            Self::Environment => is_loopback(url),
            Self::Through(_) => false,
        }
    }

    /// Sets up a client for the calls that may be proxied.
    pub(super) fn apply(&self, builder: ClientBuilder) -> Result<ClientBuilder, String> {
        match self {
            Self::Direct => Ok(builder.no_proxy()),
            Self::Environment => Ok(builder),
            Self::Through(proxy) => {
                let speaks_http = matches!(proxy.scheme(), "http" | "https");
                let proxy = Some(proxy.clone()).filter(|_| speaks_http).and_then(|url| Proxy::all(url).ok());
                let unusable = "the proxy's address cannot be used; write it like http://proxy:3128";
                Ok(builder.proxy(proxy.ok_or(unusable)?))
            }
        }
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.trim_end_matches('.').eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.to_canonical().is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_reached_without_the_environments_proxy_but_with_one_that_was_named() {
        let named = Route::Through("http://proxy.example:3128".parse().unwrap());
        for (url, loopback) in [
            ("http://127.0.0.1:8200/", true),
            ("https://127.9.9.9/", true),
            ("http://localhost:8200/", true),
            ("http://LOCALHOST./", true),
            ("http://[::1]:8200/", true),
            ("http://[::ffff:127.0.0.1]/", true),
            ("http://localhost.example/", false),
            ("http://10.0.0.1/", false),
            ("https://vault.example/", false),
        ] {
            let url = url.parse().unwrap();
            assert_eq!(Route::Environment.is_direct(&url), loopback, "{url}");
            assert!(Route::Direct.is_direct(&url) && !named.is_direct(&url), "{url}");
        }
    }

    #[test]
    fn a_proxy_that_speaks_no_http_is_refused() {
        let route = Route::Through("socks5://proxy.example:1080".parse().unwrap());
        assert!(route.apply(super::super::limited()).unwrap_err().contains("the proxy's address"));
    }
}
