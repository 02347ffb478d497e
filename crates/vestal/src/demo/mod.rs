//! `vestal demo`: the story in ten seconds. A server, an authorization server on loopback, a credential connected
//! through the whole code flow, and its token kept fresh before your eyes. Everything is in memory.

mod connect;
mod display;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::json;
use vestal::config::{self, Config};
use vestal_client::transport::Transport;
use vestal_core::Vault;
use vestal_crypto::SecretString;
use vestal_demo_provider::{DemoProvider, Options, Running};
use vestal_http_api::ServeError;
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
    listen: String,
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
    let Served { vault, server, addresses } = prepare(&args.listen).await?;
    let address = addresses.first().copied().context("the demonstration has no listener")?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(server.run(async { drop(stopped.await) }, Duration::from_secs(2)));
    let (_, root) = server::furnish(&vault, None).await?;
    let mut asked = Box::pin(server::until_asked_to_stop()?);
    let reader = tokio::select! {
        reader = furnish(&vault, &provider, &root, args.browser) => Some(reader?),
        () = &mut asked => None,
    };
    let scene = Scene { vault, provider, address, root };
    if let Some(reader) = reader {
        tokio::select! {
            shown = display::show(&scene, &reader) => shown?,
            () = asked => {}
            () = end_after(args.seconds) => {}
        }
    }
    say!("\nDone. Nothing is left behind.");
    drop(stop);
    serving.await?;
    scene.provider.shutdown().await;
    scene.vault.shutdown().await?;
    Ok(())
}

async fn end_after(seconds: Option<u64>) {
    match seconds {
        Some(seconds) => SystemClock.sleep_until(SystemClock.now().plus(Duration::from_secs(seconds))).await,
        None => std::future::pending().await,
    }
}

/// Takes the asked port, or any free one when it is taken.
async fn prepare(asked: &str) -> anyhow::Result<Served> {
    let address = config::located(asked).context("-listen must be host:port")?;
    let address = address.context("-listen names no address")?;
    match server::prepare(&Config::dev(address)).await {
        Err(error) if is_taken(&error) => {
            say!("{address} is in use; this demonstration takes another port.\n");
            server::prepare(&Config::dev(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))).await
        }
        prepared => prepared,
    }
}

fn is_taken(error: &anyhow::Error) -> bool {
    matches!(
        error.downcast_ref(),
        Some(ServeError::Bind { reason, .. }) if reason.kind() == std::io::ErrorKind::AddrInUse
    )
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
    // Everything is on this machine; a proxy would only be in the way.
    let network = Transport::direct()?;
    connect::connect(vault, root, &network, browser).await?;
    let rules = "path \"oauthapp/creds/jane\" { capabilities = [\"read\"] }";
    ask("sys/policies/acl/read-jane", json!({ "policy": rules })).await?;
    server::token_for(vault, root, &["read-jane"]).await
}
