//! `vestal demo`: the story in ten seconds. A server, an authorization server on loopback, a credential connected
//! through the whole code flow, and its token kept fresh before your eyes. Everything is in memory.

mod connect;
mod display;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::json;
use vestal::config::Config;
use vestal_client::transport::Transport;
use vestal_core::Vault;
use vestal_crypto::SecretString;
use vestal_demo_provider::{DemoProvider, Options, Running};
use vestal_logical::{Clock as _, SystemClock};

use crate::say::say;
use crate::server::{self, Served};

/// Flags of `vestal demo`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct DemoArgs {
    /// Log in by hand: shows a link to open in a browser.
    #[arg(long)]
    browser: bool,
    /// Where to listen; the next free port when it is taken.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8200")]
    listen: SocketAddr,
    /// End by itself after this many seconds.
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<u64>,
}

/// How long access tokens of the demonstration live.
const ACCESS_LIFE: Duration = Duration::from_secs(20);

/// What the display needs.
struct Scene {
    vault: Arc<Vault>,
    provider: Running,
    address: SocketAddr,
    /// A token that may read the credential and nothing else.
    reader: SecretString,
    root: SecretString,
}

/// Runs until Ctrl-C; leaves nothing behind.
pub(crate) async fn run(args: DemoArgs) -> anyhow::Result<()> {
    let provider = DemoProvider::start(Options {
        access_life: ACCESS_LIFE,
        auto_approve: !args.browser,
        ledger_limit: Some(1000),
        ..Options::default()
    });
    let provider = provider.await.context("the demonstration's authorization server cannot start")?;
    let Served { vault, server, addresses } = prepare(args.listen).await?;
    let address = addresses.first().copied().context("the demonstration has no listener")?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(server.run(async { drop(stopped.await) }, Duration::from_secs(2)));
    let (_, root) = server::furnish(&vault, None).await?;
    let reader = furnish(&vault, &provider, &root, args.browser).await?;
    let scene = Scene { vault, provider, address, reader, root };
    let end = async {
        match args.seconds {
            Some(seconds) => {
                SystemClock.sleep_until(SystemClock.now().plus(Duration::from_secs(seconds))).await;
            }
            None => std::future::pending().await,
        }
    };
    let asked = server::until_asked_to_stop()?;
    tokio::select! {
        shown = display::show(&scene) => shown?,
        () = asked => {}
        () = end => {}
    }
    say!("\nDone. Nothing is left behind.");
    drop(stop);
    serving.await?;
    scene.provider.shutdown().await;
    scene.vault.shutdown().await?;
    Ok(())
}

/// Takes the asked port, or any free one when it is taken.
async fn prepare(address: SocketAddr) -> anyhow::Result<Served> {
    match server::prepare(&Config::dev(address)).await {
        Ok(served) => Ok(served),
        Err(_) => server::prepare(&Config::dev(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))).await,
    }
}

/// Mounts the engine, connects the credential, and makes a token that can read it and nothing else.
async fn furnish(
    vault: &Arc<Vault>,
    provider: &Running,
    root: &SecretString,
    browser: bool,
) -> anyhow::Result<SecretString> {
    let ask = async |path: &str, fields| server::ask(vault, root, path, fields).await;
    ask("sys/mounts/oauthapp", json!({ "type": "oauthapp" })).await?;
    let endpoints =
        json!({ "auth_code_url": provider.url("/authorize"), "token_url": provider.url("/token") });
    let fields = json!({
        "provider": "custom", "client_id": "demo-client", "client_secret": "demo-secret", "provider_options": endpoints,
    });
    ask("oauthapp/servers/demo", fields).await?;
    let network = Transport::new()?;
    connect::connect(vault, root, &network, browser).await?;
    let rules = "path \"oauthapp/creds/jane\" { capabilities = [\"read\"] }";
    ask("sys/policies/acl/read-jane", json!({ "policy": rules })).await?;
    server::token_for(vault, root, &["read-jane"]).await
}
