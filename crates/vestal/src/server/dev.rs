//! Development: a vault in memory, unsealed, with a known root token and kv at `secret/`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use serde_json::{Map, Value, json};
use vestal_core::{InitAsk, Vault};
use vestal_crypto::SecretString;
use vestal_logical::{Answer, Operation, Reply, Request};

use crate::cli::environment::{self, Environment};
use crate::say::say;
use vestal::config;

/// What was asked of development.
pub(crate) struct Dev {
    root_token: Option<SecretString>,
    keep_token: bool,
}

impl Dev {
    /// The flag wins over the environment.
    pub(crate) fn new(root_token: Option<String>, environment: &Environment, keep_token: bool) -> Self {
        let kept = environment.value(environment::DEV_ROOT_TOKEN_ID).map(str::to_owned);
        let named = root_token.or(kept);
        Self { root_token: named.filter(|token| !token.is_empty()).map(SecretString::from), keep_token }
    }
}

/// Where development listens.
pub(super) fn address(flag: Option<&str>, environment: &Environment) -> anyhow::Result<SocketAddr> {
    match flag.or_else(|| environment.value(environment::DEV_LISTEN_ADDRESS)) {
        Some(text) => {
            let found = config::located(text).context("the development listen address must be host:port")?;
            found.context("the development listen address names no address")
        }
        None => Ok(SocketAddr::from(([127, 0, 0, 1], 8200))),
    }
}

/// Initialises, unseals and furnishes the vault, and tells how to use it.
pub(super) async fn set_up(vault: &Arc<Vault>, dev: &Dev, addresses: &[SocketAddr]) -> anyhow::Result<()> {
    let (unseal_key, root_token) = furnish(vault, dev.root_token.as_ref()).await?;
    if dev.keep_token {
        crate::cli::token_file::store(&root_token)?;
    }
    let address = addresses.first().context("development needs a listener")?;
    say!(
        "WARNING! This is development mode: everything is in memory and gone when the server ends,\n\
         the vault unseals itself, and the root token is known. Never keep anything real in it.\n\n\
         From another terminal:\n\n    $ export VAULT_ADDR='http://{address}'\n\n\
         Unseal Key: {}\nRoot Token: {}\n",
        unseal_key.expose(),
        root_token.expose(),
    );
    Ok(())
}

/// A new vault with one key share, a root token of this name, and kv with versions at `secret/`.
pub(crate) async fn furnish(
    vault: &Arc<Vault>,
    root_token: Option<&SecretString>,
) -> anyhow::Result<(SecretString, SecretString)> {
    let made = vault.initialize(InitAsk { shares: Some(1), threshold: Some(1), passphrase: None }).await?;
    let key = made.keys.first().cloned().context("initialisation gave no key")?;
    vault.unseal(key.clone()).await?;
    let in_base64 = made.keys_base64.first().cloned().unwrap_or(key);
    let mut root = made.root_token;
    if let Some(named) = root_token {
        let fields = json!({ "id": named.expose(), "policies": ["root"], "no_parent": true });
        let made = ask(vault, &root, "auth/token/create", fields).await;
        made.context("-dev-root-token-id (or DEV_ROOT_TOKEN_ID in the environment) cannot be the token")?;
        ask(vault, named, "auth/token/revoke", json!({ "token": root.expose() })).await?;
        root = named.clone();
    }
    let fields =
        json!({ "type": "kv", "options": { "version": "2" }, "description": "key/value secret storage" });
    ask(vault, &root, "sys/mounts/secret", fields).await?;
    Ok((in_base64, root))
}

/// One write to our own vault, by the road that everybody takes.
pub(crate) async fn ask(
    vault: &Arc<Vault>,
    token: &SecretString,
    path: &str,
    fields: Value,
) -> anyhow::Result<Option<Value>> {
    Ok(Some(handle(vault, token, Operation::Update, path, fields).await?.body_json()))
}

/// One read from our own vault.
pub(crate) async fn read(vault: &Arc<Vault>, token: &SecretString, path: &str) -> anyhow::Result<Value> {
    Ok(handle(vault, token, Operation::Read, path, Value::Null).await?.body_json())
}

/// Which seal the vault has, whatever the configuration says; `None` while it has none.
pub(super) async fn seal_in_use(vault: &Arc<Vault>) -> anyhow::Result<Option<String>> {
    let status = read(vault, &SecretString::default(), "sys/seal-status").await?;
    let initialized = status.get("initialized").and_then(Value::as_bool).unwrap_or_default();
    let kind = status.get("type").and_then(Value::as_str).map(str::to_owned);
    Ok(kind.filter(|_| initialized))
}

/// A token with these policies and no others.
pub(crate) async fn token_for(
    vault: &Arc<Vault>,
    token: &SecretString,
    policies: &[&str],
) -> anyhow::Result<SecretString> {
    let fields = json!({ "policies": policies, "no_default_policy": true });
    let reply = handle(vault, token, Operation::Update, "auth/token/create", fields).await?;
    reply.auth.map(|auth| auth.client_token).context("no token was made")
}

async fn handle(
    vault: &Arc<Vault>,
    token: &SecretString,
    operation: Operation,
    path: &str,
    fields: Value,
) -> anyhow::Result<Reply<Value>> {
    let data = match fields {
        Value::Object(data) => data,
        _ => Map::new(),
    };
    let now = vault.clock().now();
    let request = Request {
        id: vault.request_id(),
        operation,
        path: path.to_owned(),
        data,
        token: Some(token.clone()).filter(|token| !token.is_empty()),
        wrap: None,
        peer: None,
        headers: Vec::new(),
        now,
        deadline: now.plus(Duration::from_secs(90)),
    };
    match vault.handle(request).await.result {
        Ok(Answer::Open(reply)) => Ok(*reply),
        Ok(_) => Err(anyhow!("`{path}`: the answer came wrapped")),
        Err(error) => Err(anyhow!("`{path}`: {error}")),
    }
}
