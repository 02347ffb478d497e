//! `listener "tcp" { address = … }`.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use vestal_hcl::{Body, Item};
use vestal_http_api::{Limits, ListenerOptions, MinTls, TlsFiles};

use super::reader::duration;
use super::{LookUp, keys};

/// One address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    pub address: SocketAddr,
    tls: Option<(PathBuf, PathBuf, bool)>,
    limits: Limits,
}

impl Listener {
    /// Plain HTTP with the usual bounds.
    pub fn plain(address: SocketAddr) -> Self {
        Self { address, tls: None, limits: Limits::default() }
    }

    /// Whether it speaks TLS.
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// How the HTTP server wants it.
    pub fn options(&self) -> ListenerOptions {
        let tls = self.tls.clone().map(|(certificate, key, only_13)| TlsFiles {
            certificate,
            key,
            min_version: if only_13 { MinTls::V13 } else { MinTls::V12 },
        });
        ListenerOptions { address: self.address, tls, limits: self.limits }
    }

    /// As shown at start, bound to this address.
    pub fn shown_at(&self, address: SocketAddr) -> String {
        format!("tcp (addr: \"{address}\", tls: \"{}\")", if self.is_tls() { "enabled" } else { "disabled" })
    }
}

const OWN: [&str; 12] = [
    "address",
    "tls_cert_file",
    "tls_key_file",
    "tls_disable",
    "tls_min_version",
    "max_request_size",
    "max_request_duration",
    "max_request_json_memory",
    "max_request_json_strings",
    "http_read_header_timeout",
    "http_idle_timeout",
    "http_write_timeout",
];

/// Reads one stanza.
pub(super) fn read(
    kind: &str,
    body: &Body,
    item: &Item,
    look_up: LookUp,
    notes: &mut Vec<String>,
) -> anyhow::Result<Listener> {
    if kind != "tcp" {
        bail!("`listener` on line {} must be `tcp`", item.at().line);
    }
    for other in body.unknown(&OWN) {
        let known = keys::LISTENER_WITHOUT_EFFECT.contains(&other.key());
        notes.push(if known { keys::no_effect(other) } else { keys::unknown(other) });
    }
    if let Some(required) = body.last("tls_require_and_verify_client_cert")
        && required.flag()?
    {
        bail!(
            "`tls_require_and_verify_client_cert` on line {} is not supported yet; without it everybody could connect",
            required.at().line
        );
    }
    let address = match body.last("address") {
        Some(item) => resolve(item, look_up)?,
        None => SocketAddr::from(([127, 0, 0, 1], 8200)),
    };
    let listener = Listener { address, tls: tls(body, item)?, limits: limits(body)? };
    if listener.tls.is_none() && !address.ip().is_loopback() {
        notes.push(format!(
            "the listener on line {} speaks plain HTTP to the network; tokens travel unprotected",
            item.at().line
        ));
    }
    Ok(listener)
}

fn resolve(item: &Item, look_up: LookUp) -> anyhow::Result<SocketAddr> {
    let line = item.at().line;
    let found =
        look_up(&item.text()?).with_context(|| format!("`address` on line {line} must be host:port"))?;
    found.with_context(|| format!("`address` on line {line} names no address"))
}

fn tls(body: &Body, item: &Item) -> anyhow::Result<Option<(PathBuf, PathBuf, bool)>> {
    if body.last("tls_disable").map(Item::flag).transpose()?.unwrap_or(false) {
        return Ok(None);
    }
    let only_13 = match body.last("tls_min_version") {
        None => false,
        Some(item) => match item.text()?.as_str() {
            "tls12" => false,
            "tls13" => true,
            _ => bail!("`tls_min_version` on line {} must be tls12 or tls13", item.at().line),
        },
    };
    match (body.last("tls_cert_file"), body.last("tls_key_file")) {
        (Some(certificate), Some(key)) => Ok(Some((certificate.text()?.into(), key.text()?.into(), only_13))),
        _ => bail!(
            "the listener on line {} needs `tls_cert_file` and `tls_key_file`, or `tls_disable = true`",
            item.at().line
        ),
    }
}

fn limits(body: &Body) -> anyhow::Result<Limits> {
    let mut limits = Limits::default();
    let count = |key: &str, field: &mut usize| -> anyhow::Result<()> {
        if let Some(item) = body.last(key) {
            let Ok(given) = usize::try_from(item.integer()?) else {
                bail!(
                    "`{key}` on line {} must not be negative: every listener has this bound",
                    item.at().line
                );
            };
            // Nought asks for the usual bound, as in OpenBao.
            *field = if given == 0 { *field } else { given };
        }
        Ok(())
    };
    count("max_request_size", &mut limits.body_bytes)?;
    count("max_request_json_memory", &mut limits.json.memory)?;
    count("max_request_json_strings", &mut limits.json.strings)?;
    for (key, field) in [
        ("max_request_duration", &mut limits.request_time),
        ("http_read_header_timeout", &mut limits.header_patience),
        ("http_write_timeout", &mut limits.write_patience),
        ("http_idle_timeout", &mut limits.idle_patience),
    ] {
        if let Some(item) = body.last(key) {
            *field = Some(duration(item)?).filter(|given| !given.is_zero()).unwrap_or(*field);
        }
    }
    Ok(limits)
}
