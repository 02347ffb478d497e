//! Knows which providers there are, and makes them from a server's settings.
//!
//! Invariants: only [`prepare`], which belongs to writing a server, uses the network; a record whose provider or version
//! is not known is refused. Knows nothing of where settings are stored.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use vestal_crypto::SecretString;
use vestal_logical::{HttpTransport, Timestamp};

use super::custom::Custom;
use super::discovery::{self, Discovered};
use super::exchange::Client;
use super::network::{Network, Reach};
use super::oidc::{ExtraFields, Oidc};
use super::{AuthStyle, Issued, Options, Provider, Rotation, rotation};

/// A kind of provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProviderKind {
    Custom,
    Oidc,
}

impl ProviderKind {
    /// The kind of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "custom" => Some(Self::Custom),
            "oidc" => Some(Self::Oidc),
            _ => None,
        }
    }

    /// The version that is recorded at a write.
    pub(crate) fn version(self) -> u32 {
        match self {
            Self::Custom => 2,
            Self::Oidc => 1,
        }
    }
}

/// What using a server taught about it; kept with its record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lesson {
    /// How the client shows itself, found out by trying.
    #[serde(default)]
    pub(crate) style: Option<AuthStyle>,
    /// The same refresh token came back, or none.
    #[serde(default)]
    pub(crate) reusable: bool,
    /// Another refresh token came back, if only once.
    #[serde(default)]
    pub(crate) rotates: bool,
}

impl Lesson {
    /// What a success teaches that `presented` bought, if a refresh token did.
    pub(crate) fn of(issued: &Issued, presented: Option<&SecretString>) -> Self {
        let new = issued.tokens.refresh_token.as_ref().filter(|token| !token.is_empty());
        let same = presented.map(|presented| new.is_none_or(|new| new == presented));
        Self { style: issued.learned, reusable: same == Some(true), rotates: same == Some(false) }
    }

    /// Both lessons in one.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            style: self.style.or(other.style),
            reusable: self.reusable || other.reusable,
            rotates: self.rotates || other.rotates,
        }
    }

    /// Whether refresh tokens stay good: one that was replaced but once says that they may not.
    pub(crate) fn is_reusable(self) -> bool {
        self.reusable && !self.rotates
    }
}

/// Everything a provider is made from.
pub(crate) struct Settings<'a> {
    pub(crate) provider: &'a str,
    pub(crate) version: u32,
    pub(crate) client_id: &'a str,
    pub(crate) client_secrets: &'a [SecretString],
    pub(crate) auth_url_params: &'a BTreeMap<String, String>,
    pub(crate) options: &'a Options,
    pub(crate) discovered: Option<&'a Discovered>,
    pub(crate) lesson: Lesson,
}

/// Asks the network for what a server of this kind needs beside its options; the error is an option error.
pub(crate) async fn prepare(
    kind: ProviderKind,
    options: &Options,
    http: &Arc<dyn HttpTransport>,
    now: Timestamp,
) -> Result<Option<Discovered>, String> {
    if kind == ProviderKind::Custom {
        return Ok(None);
    }
    let (_, network) = oidc_options(options, http)?;
    let issuer = options.get("issuer_url").map(String::as_str).unwrap_or_default();
    let found = discovery::discover(&network, issuer, now).await;
    found.map(Some).map_err(|reason| {
        format!("option \"issuer_url\": error creating OIDC provider with given issuer URL: {reason}")
    })
}

/// What can be known of an `oidc` server's options without the network.
fn oidc_options(
    options: &Options,
    http: &Arc<dyn HttpTransport>,
) -> Result<((ExtraFields, Rotation), Network), String> {
    if options.get("issuer_url").is_none_or(String::is_empty) {
        return Err("option \"issuer_url\": issuer URL is required".to_owned());
    }
    let fields = ExtraFields::of(options)?;
    let network = Network::new(Arc::clone(http), Reach::of(options)?);
    Ok(((fields, rotation::of(options, false)?), network))
}

/// The provider with these settings. The error is what stands behind `has configuration problems: `.
pub(crate) fn build(
    settings: &Settings<'_>,
    http: &Arc<dyn HttpTransport>,
) -> Result<Arc<dyn Provider>, String> {
    let kind = ProviderKind::named(settings.provider)
        .ok_or_else(|| format!("provider \"{}\" does not exist", settings.provider))?;
    if settings.version != kind.version() {
        return Err("version not supported".to_owned());
    }
    let client = Client { id: settings.client_id.to_owned(), secrets: settings.client_secrets.to_vec() };
    let params = settings.auth_url_params.clone();
    match kind {
        ProviderKind::Custom => {
            let network = Network::new(Arc::clone(http), Reach::of(settings.options)?);
            let custom = Custom::build(network, client, params, settings.options, settings.lesson)?;
            Ok(Arc::new(custom))
        }
        ProviderKind::Oidc => {
            let ((fields, _), network) = oidc_options(settings.options, http)?;
            let rotation = rotation::of(settings.options, settings.lesson.is_reusable())?;
            let document = settings.discovered.cloned().ok_or("option \"issuer_url\": not discovered yet")?;
            Ok(Arc::new(Oidc::build(network, client, params, (fields, rotation), document)?))
        }
    }
}
