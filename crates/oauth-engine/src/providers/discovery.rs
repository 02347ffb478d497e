//! Asks an issuer where everything is (`OpenID Connect` Discovery 1.0, reference §7.6).
//!
//! What was found is kept with the server's record, so that neither reading a server nor a restart needs the issuer.
//!
//! Invariants: the document's issuer is the one asked for, to the letter; every address in it may be called, or it is not
//! taken. Knows nothing of when to ask.

use std::time::Duration;

use http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;
use vestal_logical::Timestamp;

use super::AuthStyle;
use super::network::{Network, judge_named_by, status_line};

/// Asking takes no longer than this.
const TIME: Duration = Duration::from_secs(20);

/// Algorithms whose signatures are accepted at all.
const ALGORITHMS: [&str; 9] =
    ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512"];

/// The members of the document that anyone uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Discovered {
    pub(crate) issuer: String,
    #[serde(default)]
    pub(crate) authorization_endpoint: Option<String>,
    pub(crate) token_endpoint: String,
    #[serde(default)]
    pub(crate) jwks_uri: Option<String>,
    #[serde(default)]
    pub(crate) userinfo_endpoint: Option<String>,
    pub(crate) style: AuthStyle,
    /// Those of ours that the issuer names.
    pub(crate) algorithms: Vec<String>,
    /// When it was asked.
    pub(crate) at: Timestamp,
}

/// Asks the issuer; the error is the text behind `option "issuer_url": error creating OIDC provider …: `.
pub(crate) async fn discover(network: &Network, issuer: &str, now: Timestamp) -> Result<Discovered, String> {
    let base = issuer.strip_suffix('/').unwrap_or(issuer);
    let url = network.reach.judge(&format!("{base}/.well-known/openid-configuration"))?;
    let answer = network.get(&url, HeaderMap::new(), TIME).await?;
    if answer.status != 200 {
        return Err(status_line(answer.status));
    }
    let document: Map<String, Value> = serde_json::from_slice(answer.body.expose())
        .map_err(|_| "oidc: failed to decode provider discovery object".to_owned())?;
    read(network, issuer, &document, now)
}

fn read(
    network: &Network,
    issuer: &str,
    document: &Map<String, Value>,
    now: Timestamp,
) -> Result<Discovered, String> {
    let found = text(document, "issuer").unwrap_or_default();
    if found != issuer {
        let found: String = found.chars().filter(|c| !c.is_control()).take(400).collect();
        return Err(format!(
            "oidc: issuer did not match the issuer returned by provider, expected \"{issuer}\" got \"{found}\""
        ));
    }
    let callable = |name: &str| match text(document, name) {
        None => Ok(None),
        Some(address) => match judge_named_by(network.reach, issuer, &address) {
            Ok(_) => Ok(Some(address)),
            Err(reason) => Err(format!("oidc: {name} of the provider: {reason}")),
        },
    };
    Ok(Discovered {
        issuer: issuer.to_owned(),
        authorization_endpoint: text(document, "authorization_endpoint")
            .filter(|given| Url::parse(given).is_ok()),
        token_endpoint: callable("token_endpoint")?
            .ok_or_else(|| "oidc: the provider names no token_endpoint".to_owned())?,
        jwks_uri: callable("jwks_uri")?,
        userinfo_endpoint: callable("userinfo_endpoint")?,
        style: if names(document, "token_endpoint_auth_methods_supported", "client_secret_post") {
            AuthStyle::InParams
        } else {
            AuthStyle::InHeader
        },
        algorithms: ALGORITHMS
            .into_iter()
            .filter(|known| names(document, "id_token_signing_alg_values_supported", known))
            .map(str::to_owned)
            .collect(),
        at: now,
    })
}

fn text(document: &Map<String, Value>, name: &str) -> Option<String> {
    document.get(name)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn names(document: &Map<String, Value>, list: &str, wanted: &str) -> bool {
    document.get(list).and_then(Value::as_array).is_some_and(|list| list.iter().any(|item| item == wanted))
}
