//! The provider `custom`: plain OAuth at addresses that the server's options name (reference §7.1).
//!
//! Invariants and what it does not know are those of [`Provider`].

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use url::Url;

use super::catalog::Lesson;
use super::exchange::{Client, Exchanged, TokenEndpoint};
use super::network::{Network, Reach, origin};
use super::wire::Ask;
use super::{
    Allow, AuthStyle, Authorize, Grant, Issued, Options, Provider, ProviderError, Rotation, TokenSet,
    rotation,
};

/// One server of this kind.
pub(crate) struct Custom {
    client: Client,
    params: BTreeMap<String, String>,
    authorization_endpoint: Option<String>,
    token_endpoint: Url,
    origin: String,
    style: Option<AuthStyle>,
    rotation: Rotation,
    network: Network,
}

impl Custom {
    /// The server with these options; the error is an option error.
    pub(crate) fn build(
        network: Network,
        client: Client,
        params: BTreeMap<String, String>,
        options: &Options,
        lesson: Lesson,
    ) -> Result<Self, String> {
        let reach = network.reach;
        let token_endpoint = address(options, "token_url", reach)?
            .ok_or_else(|| "option \"token_url\": token URL is required".to_owned())?;
        // It is the person's browser that goes there, so it is only looked at, and kept as it was given.
        let authorization_endpoint = options
            .get("auth_code_url")
            .filter(|given| !given.is_empty())
            .map(|given| absolute(given))
            .transpose()?;
        address(options, "device_code_url", reach)?;
        let style = match options.get("auth_style").map(String::as_str).unwrap_or_default() {
            "in_header" => Some(AuthStyle::InHeader),
            "in_params" => Some(AuthStyle::InParams),
            "" => lesson.style,
            _ => {
                return Err(
                    "option \"auth_style\": unknown authentication style; expected one of \"in_header\" or \
                            \"in_params\""
                        .to_owned(),
                );
            }
        };
        Ok(Self {
            origin: origin(&token_endpoint),
            rotation: rotation::of(options, lesson.is_reusable())?,
            client,
            params,
            authorization_endpoint,
            token_endpoint,
            style,
            network,
        })
    }

    async fn run(&self, grant: Grant, allow: Allow) -> Result<Issued, ProviderError> {
        let endpoint = TokenEndpoint {
            network: &self.network,
            url: &self.token_endpoint,
            client: &self.client,
            style: self.style,
        };
        let (ask, extra) = match &grant {
            Grant::Code { code, redirect_url, .. } => (Ask::Code { code, redirect_url }, &None),
            Grant::Refresh { refresh_token, previous_extra, .. } => {
                (Ask::Refresh(refresh_token), previous_extra)
            }
        };
        let Exchanged { answer, learned } = endpoint.run(ask, allow).await?;
        let tokens = TokenSet {
            access_token: answer.access_token,
            token_type: answer.token_type,
            refresh_token: answer.refresh_token,
            expires_in: answer.expires_in,
            extra: extra.clone(),
        };
        Ok(Issued { tokens, learned, warning: None })
    }
}

/// The address in an option, if there is one that may be called.
fn address(options: &Options, name: &str, reach: Reach) -> Result<Option<Url>, String> {
    match options.get(name).filter(|given| !given.is_empty()) {
        None => Ok(None),
        Some(given) => reach.judge(given).map(Some).map_err(|reason| format!("option \"{name}\": {reason}")),
    }
}

fn absolute(given: &str) -> Result<String, String> {
    match Url::parse(given) {
        Ok(_) => Ok(given.to_owned()),
        Err(_) => Err("option \"auth_code_url\": not an absolute URL".to_owned()),
    }
}

impl Provider for Custom {
    fn rotation(&self) -> Rotation {
        self.rotation
    }

    fn origin(&self) -> &str {
        &self.origin
    }

    fn authorize_url(&self, ask: &Authorize) -> Result<String, ProviderError> {
        super::authorize::url(self.authorization_endpoint.as_deref(), &self.client.id, &[], ask, &self.params)
    }

    fn exchange(&self, grant: Grant, allow: Allow) -> BoxFuture<'_, Result<Issued, ProviderError>> {
        Box::pin(self.run(grant, allow))
    }
}
