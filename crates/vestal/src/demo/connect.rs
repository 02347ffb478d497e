//! The code flow: an authorization link, somebody who agrees, the code handed to Vestal.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use http::{HeaderMap, Method};
use serde_json::{Value, json};
use url::Url;
use vestal_client::transport::Transport;
use vestal_core::Vault;
use vestal_crypto::{SecretBytes, SecretString};
use vestal_demo_provider::Callback;
use vestal_logical::{HttpTransport as _, OutboundRequest};

use crate::say::say;
use crate::server;

/// Connects `oauthapp/creds/jane`, by a person in a browser or by following the provider's redirect ourselves.
pub(super) async fn connect(
    vault: &Arc<Vault>,
    root: &SecretString,
    network: &Transport,
    browser: bool,
) -> anyhow::Result<()> {
    let callback = Callback::listen().await?;
    let redirect_url = callback.url();
    let asked = json!({ "server": "demo", "redirect_url": redirect_url, "scopes": "profile" });
    let link = server::ask(vault, root, "oauthapp/auth-code-url", asked).await?.context("no link")?;
    let text = |name: &str| link.get(name).and_then(Value::as_str).map(str::to_owned);
    let (url, state) = (text("url").context("no link")?, text("state"));
    let (code, returned_state) = if browser {
        say!("Open this in a browser, and sign in as anybody:\n\n    {url}\n\nWaiting …");
        let returned = callback.wait().await.context("nobody came back")?;
        if let Some(error) = returned.error {
            bail!("the authorization server refused: {error}");
        }
        (returned.code, returned.state)
    } else {
        follow(network, &url).await?
    };
    ensure!(returned_state == state, "somebody else's answer came back: the state differs");
    let code = code.context("the authorization server gave no code")?;
    let handed_in = json!({ "server": "demo", "code": code, "redirect_url": redirect_url });
    server::ask(vault, root, "oauthapp/creds/jane", handed_in).await?;
    Ok(())
}

/// Plays the browser of somebody who agrees at once.
async fn follow(network: &Transport, url: &str) -> anyhow::Result<(Option<String>, Option<String>)> {
    let answer = network.send(OutboundRequest {
        method: Method::GET,
        url: url.parse()?,
        headers: HeaderMap::new(),
        body: SecretBytes::default(),
        timeout: Some(Duration::from_secs(10)),
        max_answer: 1 << 20,
        reach_link_local: false,
    });
    let answer = answer.await?;
    let location = answer.headers.get("location").context("the authorization server did not redirect")?;
    let returned = Url::parse(location.to_str()?)?;
    let part =
        |name: &str| returned.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    Ok((part("code"), part("state")))
}
