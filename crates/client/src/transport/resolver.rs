//! Resolves host names, and lets nothing through that must not be connected to.
//!
//! The connection goes to the very addresses judged here, so a name that resolves differently a moment later
//! gains nothing.

use std::fmt;
use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::forbidden;

use super::tls::ServerName;

pub(super) struct Resolver {
    pub(super) reach_link_local: bool,
    pub(super) server_name: Option<ServerName>,
}

impl Resolver {
    /// A forced TLS server name stands in the address where the host was; it leads back to that host.
    fn real_host(&self, name: &str) -> String {
        let forced = self.server_name.as_ref().filter(|forced| forced.name == name);
        forced.map_or(name, |forced| &forced.host).trim_matches(['[', ']']).to_owned()
    }
}

/// Every address of the name is forbidden.
#[derive(Debug)]
pub(super) struct ForbiddenAddress;

impl fmt::Display for ForbiddenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("resolves only to link-local or metadata addresses, which are not connected to")
    }
}

impl std::error::Error for ForbiddenAddress {}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let reach_link_local = self.reach_link_local;
        let host = self.real_host(name.as_str());
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            let any = !found.is_empty();
            let allowed: Vec<SocketAddr> = found
                .into_iter()
                .filter(|address| reach_link_local || !forbidden::address(address.ip()))
                .collect();
            if any && allowed.is_empty() {
                return Err(ForbiddenAddress.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}
