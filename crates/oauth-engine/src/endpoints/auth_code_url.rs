//! `auth-code-url`: where to send a person who is to agree.
//!
//! Nothing is stored: state, redirect URL and nonce are the caller's to remember (W17).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vestal_logical::params::{CommaList, KeyValues};
use vestal_logical::{Call, Endpoints, Error, Reply};

use crate::OAuthApp;
use crate::providers::Authorize;

/// The family's endpoints.
pub(crate) fn endpoints() -> Endpoints<OAuthApp> {
    Endpoints::new().at("auth-code-url", "Authorization URLs.", |e| {
        e.write(write, "Build the URL at which a person agrees, and a state if none is given.")
    })
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Fields {
    /// Name of the server; the default server when absent or empty.
    server: String,
    /// Comes back with the code; one is made when the field is absent.
    state: Option<String>,
    /// What to ask for.
    scopes: CommaList,
    /// Where the person comes back to.
    redirect_url: String,
    /// Extra query parameters; those of the server win.
    auth_url_params: KeyValues,
    /// Settings of the kind of server, for this request.
    provider_options: KeyValues,
}

#[derive(Debug, Serialize)]
struct Built {
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
}

async fn write(oauth: &Arc<OAuthApp>, _: &Call, fields: Fields) -> Result<Reply<Built>, Error> {
    let config = oauth.config.current().await?;
    let server = oauth.servers.resolve(Some(&fields.server), &config).await?;
    let made = if fields.state.is_none() {
        let random: [u8; 32] = vestal_crypto::entropy::array(oauth.context.entropy.as_ref());
        Some(URL_SAFE_NO_PAD.encode(random))
    } else {
        None
    };
    let ask = Authorize {
        state: fields.state.or_else(|| made.clone()).unwrap_or_default(),
        scopes: fields.scopes.0,
        redirect_url: fields.redirect_url,
        params: fields.auth_url_params.0,
        options: fields.provider_options.0,
    };
    let url = server.provider.authorize_url(&ask).map_err(|error| Error::invalid(error.to_string()))?;
    Ok(Reply::data(Built { url, state: made }))
}
