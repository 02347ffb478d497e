//! `servers`: the OAuth clients that this mount knows.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use vestal_logical::params::{KeyValues, NoFields};
use vestal_logical::{Call, Endpoints, Error, Reply};

use super::legal_name;
use super::secret::{SecretList, SecretText};
use crate::OAuthApp;
use crate::providers::{Options, ProviderKind};
use crate::server::Draft;

/// The family's endpoints.
pub(crate) fn endpoints() -> Endpoints<OAuthApp> {
    let listing = "The names of all servers.";
    Endpoints::new()
        .at("servers", listing, |e| e.list(list, "List the names of all servers."))
        .at("servers/", listing, |e| e.list(list, "List the names of all servers."))
        .at("servers/{*name}", "One OAuth client at one authorization server.", |e| {
            e.only(legal_name)
                .declares::<Fields>()
                .read(read, "Show a server's settings, secrets excepted.")
                .write(write, "Create or replace a server.")
                .delete(delete, "Delete a server; its credentials stay, but are not refreshed any more.")
        })
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Fields {
    /// Name of the server.
    name: String,
    /// The client's id at the authorization server.
    client_id: Option<String>,
    /// The client's secret; tried before `client_secrets`.
    client_secret: SecretText,
    /// Further secrets, tried in order, for the time of a rotation.
    client_secrets: SecretList,
    /// Extra query parameters of authorization URLs.
    auth_url_params: KeyValues,
    /// The kind of authorization server: `custom` or `oidc`.
    provider: Option<String>,
    /// Settings of that kind of server.
    provider_options: KeyValues,
}

#[derive(Debug, Serialize)]
struct Names {
    keys: Vec<String>,
}

#[derive(Debug, Serialize)]
struct ServerView {
    client_id: String,
    auth_url_params: Option<BTreeMap<String, String>>,
    provider: String,
    provider_version: u32,
    provider_options: Options,
}

async fn list(oauth: &Arc<OAuthApp>, _: &Call, _: NoFields) -> Result<Reply<Names>, Error> {
    let keys = oauth.servers.names().await?;
    Ok(if keys.is_empty() { Reply::empty() } else { Reply::data(Names { keys }) })
}

async fn read(oauth: &Arc<OAuthApp>, call: &Call, _: NoFields) -> Result<Reply<ServerView>, Error> {
    let Some(found) = oauth.servers.read(call.capture("name")).await? else { return Ok(Reply::empty()) };
    let record = found.value;
    Ok(Reply::data(ServerView {
        client_id: record.client_id,
        auth_url_params: record.auth_url_params,
        provider: record.provider,
        provider_version: record.provider_version,
        provider_options: record.provider_options,
    }))
}

async fn write(oauth: &Arc<OAuthApp>, call: &Call, fields: Fields) -> Result<Reply<()>, Error> {
    let client_id = fields.client_id.ok_or_else(|| Error::invalid("missing client ID"))?;
    let provider = fields.provider.ok_or_else(|| Error::invalid("missing provider"))?;
    let kind = ProviderKind::named(&provider)
        .ok_or_else(|| Error::invalid(format!("provider \"{provider}\" does not exist")))?;
    let SecretText(first) = fields.client_secret;
    let mut client_secrets: Vec<_> = Some(first).filter(|first| !first.is_empty()).into_iter().collect();
    client_secrets.extend(fields.client_secrets.0);
    let written_as_null = call.data.get("auth_url_params") == Some(&Value::Null);
    let draft = Draft {
        client_id,
        client_secrets,
        auth_url_params: Some(fields.auth_url_params.0).filter(|_| !written_as_null),
        kind,
        provider,
        provider_options: fields.provider_options.0,
    };
    oauth.servers.write(&fields.name, draft, call.now).await?;
    oauth.server_changed(&fields.name);
    Ok(Reply::empty())
}

async fn delete(oauth: &Arc<OAuthApp>, call: &Call, _: NoFields) -> Result<Reply<()>, Error> {
    let name = call.capture("name");
    oauth.servers.delete(name).await?;
    oauth.server_changed(name);
    Ok(Reply::empty())
}
