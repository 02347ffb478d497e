//! The provider `oidc`: `OAuth` at an issuer that tells where everything is and signs who agreed (reference §7.6).
//!
//! Tokens that the issuer gave are never thrown away because its key set or user info is out of reach during a refresh:
//! they are kept with the extra data of before and a warning (W3). A code has no data of before: it is refused, and whoever
//! brought it may bring another.
//!
//! Invariants: beside those of [`Provider`]: a newer discovery document is taken over only when the token endpoint's origin
//! stays; nothing is taken from an ID token that was not verified.

mod extra;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::{Map, Value};
use url::Url;
use vestal_crypto::{SecretString, constant_time_eq};
use vestal_logical::Timestamp;

pub(crate) use extra::ExtraFields;

use super::answer::TokenAnswer;
use super::discovery::{self, Discovered};
use super::exchange::{Client, Exchanged, TokenEndpoint};
use super::id_token::{Expected, Unverified};
use super::keys::IssuerKeys;
use super::network::{Network, origin};
use super::wire::Ask;
use super::{Allow, Authorize, Grant, Issued, Options, Provider, ProviderError, Rotation, TokenSet};
use extra::Fresh;

/// A discovery document is asked for anew when it is this old, or doubted.
const STALE: Duration = Duration::from_hours(24);
/// And not more often than this.
const PAUSE: Duration = Duration::from_mins(10);

/// The option that carries the nonce of an authorization request.
pub(crate) const NONCE: &str = "nonce";

/// One server of this kind.
pub(crate) struct Oidc {
    client: Client,
    params: BTreeMap<String, String>,
    fields: ExtraFields,
    origin: String,
    rotation: Rotation,
    network: Network,
    keys: IssuerKeys,
    known: Mutex<Known>,
}

struct Known {
    issuer: Arc<Issuer>,
    doubted: bool,
    asked: Timestamp,
}

/// A discovery document with its addresses parsed.
struct Issuer {
    document: Discovered,
    token_endpoint: Url,
    jwks_uri: Option<Url>,
    userinfo_endpoint: Option<Url>,
}

impl Issuer {
    fn of(document: Discovered, network: &Network) -> Result<Self, String> {
        let judge = |address: &String| network.reach.judge(address).map_err(str::to_owned);
        Ok(Self {
            token_endpoint: judge(&document.token_endpoint)?,
            jwks_uri: document.jwks_uri.as_ref().map(judge).transpose()?,
            userinfo_endpoint: document.userinfo_endpoint.as_ref().map(judge).transpose()?,
            document,
        })
    }
}

/// Why an ID token was not accepted.
enum Doubt {
    /// The keys cannot be had now.
    NoKeys(String),
    Invalid(String),
}

impl Doubt {
    fn text(self) -> String {
        let (Self::NoKeys(text) | Self::Invalid(text)) = self;
        format!("oidc: verification error: {text}")
    }
}

impl Oidc {
    /// The server with these settings; the error is an option error.
    pub(crate) fn build(
        network: Network,
        client: Client,
        params: BTreeMap<String, String>,
        (fields, rotation): (ExtraFields, Rotation),
        document: Discovered,
    ) -> Result<Self, String> {
        let asked = document.at;
        let issuer =
            Issuer::of(document, &network).map_err(|reason| format!("option \"issuer_url\": {reason}"))?;
        Ok(Self {
            origin: origin(&issuer.token_endpoint),
            client,
            params,
            fields,
            rotation,
            network,
            keys: IssuerKeys::default(),
            known: Mutex::new(Known { issuer: Arc::new(issuer), doubted: false, asked }),
        })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of the issuer, asked for anew when it is old or doubted. An issuer that does not answer is used as
    /// it was.
    async fn issuer(&self, now: Timestamp) -> Arc<Issuer> {
        let present = {
            let mut known = self.known();
            let old = known.doubted || now.since(known.issuer.document.at) >= STALE;
            if !old || now.since(known.asked) < PAUSE {
                return Arc::clone(&known.issuer);
            }
            known.asked = now;
            Arc::clone(&known.issuer)
        };
        let found = discovery::discover(&self.network, &present.document.issuer, now).await;
        let fresh = found.and_then(|document| Issuer::of(document, &self.network));
        match fresh {
            Ok(fresh) if origin(&fresh.token_endpoint) == self.origin => {
                let fresh = Arc::new(fresh);
                let mut known = self.known();
                known.issuer = Arc::clone(&fresh);
                known.doubted = false;
                fresh
            }
            Ok(_) => {
                tracing::warn!(
                    "an issuer moved its token endpoint to another origin: write the server anew to follow"
                );
                present
            }
            Err(reason) => {
                tracing::debug!(reason, "an issuer does not answer, what was known of it is used");
                present
            }
        }
    }

    /// Failures that look as if the issuer had moved.
    fn doubt(&self, failure: &ProviderError) {
        let gone = |text: &str| {
            ["404", "405", "410"].iter().any(|status| text.contains(&format!("token: {status} ")))
        };
        let moved = match failure {
            ProviderError::NotSent(_) => true,
            ProviderError::Refused { text, spent: false, .. } => gone(text),
            _ => false,
        };
        if moved {
            self.known().doubted = true;
        }
    }

    async fn run(&self, grant: Grant, allow: Allow) -> Result<Issued, ProviderError> {
        let issuer = self.issuer(allow.now).await;
        let endpoint = TokenEndpoint {
            network: &self.network,
            url: &issuer.token_endpoint,
            client: &self.client,
            style: Some(issuer.document.style),
        };
        let ask = match &grant {
            Grant::Code { code, redirect_url, .. } => Ask::Code { code, redirect_url },
            Grant::Refresh { refresh_token, .. } => Ask::Refresh(refresh_token),
        };
        let exchanged = endpoint.run(ask, allow).await;
        let Exchanged { answer, .. } = exchanged.inspect_err(|failure| self.doubt(failure))?;
        let (identity, mut warning) = self.identity(&issuer, &answer, &grant, allow.now).await?;
        let previous = match grant {
            Grant::Code { .. } => None,
            Grant::Refresh { previous_extra, .. } => Some(previous_extra.unwrap_or_default()),
        };
        let mut user_info = None;
        if self.fields.user_info {
            let subject = extra::subject(identity.as_ref().map(|(_, claims)| claims), previous.as_ref());
            let url = issuer.userinfo_endpoint.as_ref();
            match extra::user_info(&self.network, url, &answer, subject, allow).await {
                Ok(found) => user_info = Some(found),
                Err(text) if previous.is_none() => return Err(ProviderError::Unacceptable(text)),
                Err(text) => warning = Some(text),
            }
        }
        let extra = self.fields.merge(previous, Fresh { identity, user_info });
        Ok(Issued { tokens: token_set(answer, extra), learned: None, warning })
    }

    /// The verified ID token and its claims, or a warning when the keys to verify it are out of reach.
    async fn identity(
        &self,
        issuer: &Issuer,
        answer: &TokenAnswer,
        grant: &Grant,
        now: Timestamp,
    ) -> Result<(Option<(SecretString, Map<String, Value>)>, Option<String>), ProviderError> {
        let unacceptable = |text: String| match grant {
            Grant::Code { .. } => ProviderError::Unacceptable(text),
            Grant::Refresh { .. } => {
                ProviderError::Withheld { text, successor: answer.refresh_token.clone() }
            }
        };
        let Some(token) = &answer.id_token else {
            return match grant {
                Grant::Code { .. } => Err(unacceptable("oidc: missing ID token in response".to_owned())),
                Grant::Refresh { .. } => Ok((None, None)),
            };
        };
        match self.verify(issuer, token, now).await {
            Ok(claims) => {
                if let Grant::Code { options, .. } = grant {
                    check_nonce(options, &claims).map_err(|text| unacceptable(text.to_owned()))?;
                }
                Ok((Some((token.clone(), claims)), None))
            }
            Err(Doubt::NoKeys(text)) if matches!(grant, Grant::Refresh { .. }) => {
                self.known().doubted = true;
                Ok((None, Some(Doubt::NoKeys(text).text())))
            }
            Err(doubt) => Err(unacceptable(doubt.text())),
        }
    }

    async fn verify(
        &self,
        issuer: &Issuer,
        token: &SecretString,
        now: Timestamp,
    ) -> Result<Map<String, Value>, Doubt> {
        let invalid = |text: &str| Doubt::Invalid(text.to_owned());
        let expected = Expected {
            issuer: &issuer.document.issuer,
            audience: &self.client.id,
            algorithms: &issuer.document.algorithms,
            now,
        };
        let unverified = Unverified::read(token.expose()).map_err(invalid)?;
        let signed = unverified.check(&expected).map_err(invalid)?;
        let url = issuer
            .jwks_uri
            .as_ref()
            .ok_or_else(|| invalid("failed to verify signature: the provider names no jwks_uri"))?;
        match self.keys.vouch(&self.network, url, &signed, now).await {
            Ok(true) => Ok(unverified.into_claims()),
            Ok(false) => Err(invalid("failed to verify signature: no key of the provider fits")),
            Err(text) => Err(Doubt::NoKeys(format!("failed to verify signature: fetching keys: {text}"))),
        }
    }
}

/// Only when the request brought one.
fn check_nonce(options: &Options, claims: &Map<String, Value>) -> Result<(), &'static str> {
    let Some(expected) = options.get(NONCE) else { return Ok(()) };
    let found = claims.get(NONCE).and_then(Value::as_str).unwrap_or_default();
    if constant_time_eq(expected.as_bytes(), found.as_bytes()) {
        Ok(())
    } else {
        Err("oidc: nonce does not match")
    }
}

fn token_set(answer: TokenAnswer, extra: Option<Map<String, Value>>) -> TokenSet {
    TokenSet {
        access_token: answer.access_token,
        token_type: answer.token_type,
        refresh_token: answer.refresh_token,
        expires_in: answer.expires_in,
        extra,
    }
}

impl Provider for Oidc {
    fn rotation(&self) -> Rotation {
        self.rotation
    }

    fn origin(&self) -> &str {
        &self.origin
    }

    fn authorize_url(&self, ask: &Authorize) -> Result<String, ProviderError> {
        let issuer = Arc::clone(&self.known().issuer);
        let endpoint = issuer.document.authorization_endpoint.as_deref();
        super::authorize::url(endpoint, &self.client.id, &["openid"], ask, &self.params)
    }

    fn kept_options(&self, given: &Options) -> Options {
        let mut kept = given.clone();
        kept.remove(NONCE);
        kept
    }

    fn exchange(&self, grant: Grant, allow: Allow) -> BoxFuture<'_, Result<Issued, ProviderError>> {
        Box::pin(self.run(grant, allow))
    }
}

#[cfg(test)]
mod tests;
