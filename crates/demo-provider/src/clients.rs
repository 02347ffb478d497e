//! Says which client is calling, and whether a redirect address belongs to it.
//!
//! RFC 6749, sections 2.3 and 3.1.2: one form of authentication per call, header values form-encoded. Secrets are
//! compared by digest, and never appear in a reason.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use url::{Host, Url};

use crate::call::Call;
use crate::options::{Client, ClientAuth, Redirects};
use crate::reply::Refusal;
use crate::state::App;

/// Whether a confidential client must prove itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    Needed,
    /// The device grant, where most providers take the client's id alone. A secret that does come is checked.
    IfOffered,
}

/// How a client's secret came.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Header,
    Parameters,
}

struct Claim {
    id: String,
    secret: Option<String>,
    style: Style,
}

/// The client id a call claims, for the ledger and for rules; nothing is proved.
pub(crate) fn claimed(call: &Call) -> Option<String> {
    claim(call).ok().flatten().map(|claim| claim.id)
}

/// How the call brings its client's secret, if it does.
pub(crate) fn style(call: &Call) -> Option<Style> {
    let claim = claim(call).ok().flatten()?;
    claim.secret.map(|_| claim.style)
}

/// The client that makes this call.
pub(crate) fn authenticate<'a>(
    app: &'a App,
    accepted: ClientAuth,
    call: &Call,
    proof: Proof,
) -> Result<&'a Client, Refusal> {
    let claim = claim(call)?.ok_or(Refusal::new("invalid_client", "no client named"))?;
    let client = registered(app, &claim.id).ok_or(Refusal::new("invalid_client", "unknown client"))?;
    let Some(secret) = &claim.secret else {
        return if client.secrets.is_empty() || proof == Proof::IfOffered {
            Ok(client)
        } else {
            Err(Refusal::new("invalid_client", "client secret missing"))
        };
    };
    match (accepted, claim.style) {
        (ClientAuth::Header, Style::Parameters) => {
            return Err(Refusal::new("invalid_client", "client secret is taken from the header only"));
        }
        (ClientAuth::Parameters, Style::Header) => {
            return Err(Refusal::new("invalid_client", "client secret is taken from the body only"));
        }
        _ => {}
    }
    let offered = Sha256::digest(secret);
    if client.secrets.iter().any(|known| Sha256::digest(known) == offered) {
        Ok(client)
    } else {
        Err(Refusal::new("invalid_client", "client secret is wrong"))
    }
}

pub(crate) fn registered<'a>(app: &'a App, id: &str) -> Option<&'a Client> {
    app.options.clients.iter().find(|client| client.id == id)
}

fn claim(call: &Call) -> Result<Option<Claim>, Refusal> {
    let in_body = call.parameters.one("client_id");
    let Some(encoded) = call.authorization("basic") else {
        return Ok(in_body.map(|id| Claim {
            id: id.to_owned(),
            secret: call.parameters.owned("client_secret"),
            style: Style::Parameters,
        }));
    };
    if call.parameters.one("client_secret").is_some() {
        return Err(Refusal::new(
            "invalid_request",
            "client secret came twice, in the header and in the body",
        ));
    }
    let malformed = Refusal::new("invalid_client", "header is not basic authentication");
    let decoded = STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let (id, secret) = decoded
        .as_deref()
        .and_then(|pair| pair.split_once(':'))
        .map(|(id, secret)| (form_decoded(id), form_decoded(secret)))
        .ok_or(malformed)?;
    if in_body.is_some_and(|other| other != id) {
        return Err(Refusal::new("invalid_request", "header and body name different clients"));
    }
    // `id:` with nothing behind is how some libraries name a public client.
    let secret = Some(secret).filter(|secret| !secret.is_empty());
    Ok(Some(Claim { id, secret, style: Style::Header }))
}

/// Undoes `application/x-www-form-urlencoded` for one value.
fn form_decoded(value: &str) -> String {
    // A raw `&` or `=` would end the value for the parser, so both are hidden from it.
    let hidden = format!("v={}", value.replace('&', "%26").replace('=', "%3D"));
    url::form_urlencoded::parse(hidden.as_bytes())
        .next()
        .map_or_else(String::new, |(_, value)| value.into_owned())
}

/// The redirect address when the client may use it.
pub(crate) fn redirect(client: &Client, asked: &str) -> Option<Url> {
    let url = Url::parse(asked).ok()?;
    if url.fragment().is_some() {
        return None;
    }
    let allowed = match &client.redirects {
        Redirects::AnyLoopback => is_loopback(&url),
        Redirects::Below(roots) => {
            roots.iter().filter_map(|root| Url::parse(root).ok()).any(|root| is_below(&url, &root))
        }
    };
    allowed.then_some(url)
}

/// The address to use when the request names none: the only one registered.
pub(crate) fn sole_redirect(client: &Client) -> Option<Url> {
    match &client.redirects {
        Redirects::Below(roots) => match roots.as_slice() {
            [only] => Url::parse(only).ok(),
            _ => None,
        },
        Redirects::AnyLoopback => None,
    }
}

fn is_loopback(url: &Url) -> bool {
    let local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    local && matches!(url.scheme(), "http" | "https")
}

fn is_below(url: &Url, root: &Url) -> bool {
    let same_place = url.scheme() == root.scheme()
        && url.host() == root.host()
        && url.port_or_known_default() == root.port_or_known_default()
        && url.username() == root.username()
        && url.password() == root.password();
    same_place
        && url
            .path()
            .strip_prefix(root.path())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || root.path().ends_with('/'))
}
