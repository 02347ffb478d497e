//! Carries out one operation at a token endpoint: finds out how the client shows itself, and tries its secrets in order.
//!
//! Invariants: what was presented is presented again only after an answer that blames the client or the way it showed
//! itself, never after a rejected grant, a failure of the server or silence; a style that is known is not found out
//! again. Knows nothing of what the tokens are for.

use url::Url;
use vestal_crypto::SecretString;

use super::answer::{self, TokenAnswer};
use super::network::{MARK, Network};
use super::refusal::{self, Failure};
use super::wire::{self, Ask};
use super::{Allow, AuthStyle, Cause, ProviderError};

const NO_SECRET: &str = "missing client secret in configuration";

/// Who calls. Empty secrets count as entries.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) secrets: Vec<SecretString>,
}

/// A token endpoint as one client uses it.
pub(crate) struct TokenEndpoint<'a> {
    pub(crate) network: &'a Network,
    pub(crate) url: &'a Url,
    pub(crate) client: &'a Client,
    /// `None`: to be found out.
    pub(crate) style: Option<AuthStyle>,
}

/// A success, and the style that was found out on the way.
pub(crate) struct Exchanged {
    pub(crate) answer: TokenAnswer,
    pub(crate) learned: Option<AuthStyle>,
}

impl TokenEndpoint<'_> {
    /// One operation.
    pub(crate) async fn run(&self, ask: Ask<'_>, allow: Allow) -> Result<Exchanged, ProviderError> {
        if matches!(ask, Ask::Refresh(token) if token.is_empty()) {
            return Err(ProviderError::Internal(
                "oauth2: token expired and refresh token is not set".to_owned(),
            ));
        }
        let public: &[SecretString] = &[SecretString::default()];
        let secrets = if self.client.secrets.is_empty() { public } else { self.client.secrets.as_slice() };
        let mut failures = Vec::new();
        for secret in secrets {
            let secret = Some(secret).filter(|secret| !secret.is_empty());
            if secret.is_none() && matches!(ask, Ask::Code { .. }) {
                failures.push(Failure::from(ProviderError::Unacceptable(NO_SECRET.to_owned())));
                continue;
            }
            match self.attempt(secret, ask, allow).await {
                Ok(exchanged) => return Ok(exchanged),
                Err(failure) => {
                    let next = failure.blames_the_client();
                    failures.push(failure);
                    if !next {
                        break;
                    }
                }
            }
        }
        Err(verdict(failures, secrets.len(), ask.prefix()))
    }

    /// One secret, in the style that is known or in both.
    async fn attempt(
        &self,
        secret: Option<&SecretString>,
        ask: Ask<'_>,
        allow: Allow,
    ) -> Result<Exchanged, Failure> {
        let known = self.style.or(if secret.is_none() { Some(AuthStyle::InParams) } else { None });
        if let Some(style) = known {
            return Ok(Exchanged { answer: self.send(secret, style, ask, allow).await?, learned: None });
        }
        let (style, answer) = match self.send(secret, AuthStyle::InHeader, ask, allow).await {
            Err(first) if first.may_be_the_style() => {
                let second = self.send(secret, AuthStyle::InParams, ask, allow).await;
                // An endpoint that does not take parameters at all says nothing about the secret by refusing them.
                let worth = |second: Failure| {
                    if first.blames_the_client() && second.blames_the_form() { first } else { second }
                };
                (AuthStyle::InParams, second.map_err(worth)?)
            }
            answer => (AuthStyle::InHeader, answer?),
        };
        Ok(Exchanged { answer, learned: Some(style) })
    }

    async fn send(
        &self,
        secret: Option<&SecretString>,
        style: AuthStyle,
        ask: Ask<'_>,
        allow: Allow,
    ) -> Result<TokenAnswer, Failure> {
        let (headers, body) = wire::request(self.url, (&self.client.id, secret), style, ask)?;
        let response = self.network.post(self.url, headers, body, allow.time).await?;
        if !(200..300).contains(&response.status) {
            let presented: Vec<_> = std::iter::once(ask.presented()).chain(secret).collect();
            return Err(refusal::judge(&response, &presented, allow.now));
        }
        answer::read(&response).map_err(|unreadable| {
            let (text, spent) = (unreadable.text.to_owned(), unreadable.spent);
            ProviderError::Refused { text, spent, cause: Cause::NoToken }.into()
        })
    }
}

/// The error of the whole. An answer that blames anything but the client decides, for it was the last one; else the
/// first. When all secrets were tried its text lists them all, whatever class decides.
fn verdict(failures: Vec<Failure>, secrets: usize, prefix: &str) -> ProviderError {
    let all_tried = failures.len() == secrets && secrets > 1;
    let lines = failures.iter().fold(String::new(), |lines, failure| {
        let text = failure.error.to_string().replace('\n', "\n\t\t\t");
        lines + "\n\t\t* " + prefix + ": " + text.strip_prefix(MARK).unwrap_or(&text)
    });
    let sent = |failure: &Failure| !matches!(&failure.error, ProviderError::Unacceptable(_));
    let decisive = failures
        .iter()
        .rev()
        .find(|failure| sent(failure) && !failure.blames_the_client())
        .or_else(|| failures.iter().find(|failure| sent(failure)))
        .or_else(|| failures.first())
        .map(|failure| failure.error.clone());
    match decisive {
        Some(error) if all_tried => listing(error, &lines),
        Some(error) => error,
        None => ProviderError::Unacceptable(NO_SECRET.to_owned()),
    }
}

/// The failure that decides, in the words of all of them.
fn listing(decisive: ProviderError, lines: &str) -> ProviderError {
    let text = format!("provider request failed for all client secrets:{lines}");
    let marked = |own: &str| if own.starts_with(MARK) { format!("{MARK}{text}") } else { text.clone() };
    match decisive {
        ProviderError::Rejected { code, cause, .. } => ProviderError::Rejected { text, code, cause },
        ProviderError::Busy { retry_after, cause, .. } => ProviderError::Busy { text, retry_after, cause },
        ProviderError::Refused { spent, cause, .. } => ProviderError::Refused { text, spent, cause },
        ProviderError::NotSent(own) => ProviderError::NotSent(marked(&own)),
        ProviderError::NoAnswer(own) => ProviderError::NoAnswer(marked(&own)),
        ProviderError::Unacceptable(_) => ProviderError::Unacceptable(text),
        other @ (ProviderError::Withheld { .. }
        | ProviderError::Misconfigured(_)
        | ProviderError::Internal(_)) => other,
    }
}

#[cfg(test)]
mod tests;
