//! `vestal server`: reads the configuration, opens the vault, serves until told to stop.

mod descriptors;
mod dev;
mod harden;
mod logs;
mod signals;
mod store;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use vestal::config::{Config, Listener};
use vestal_client::transport::Transport;
use vestal_core::{AuditSettings, Parts, Settings, Vault};
use vestal_crypto::OsEntropy;
use vestal_http_api::Server;
use vestal_logical::SystemClock;

use crate::registry;
use crate::say::say;

pub(crate) use dev::{ask, furnish, read, token_for};
pub(crate) use signals::until_asked_to_stop;

/// Flags of `vestal server`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ServerArgs {
    /// A configuration file, or a directory of them; may be repeated.
    #[arg(long, value_name = "PATH")]
    config: Vec<PathBuf>,
    /// What is logged: trace, debug, info, warn or error.
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// How it is logged: standard or json.
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// Development: everything in memory, unsealed, with a known root token. Never for anything real.
    #[arg(long)]
    dev: bool,
    /// The root token of development; one is made when absent.
    #[arg(long, value_name = "TOKEN", env = "VESTAL_DEV_ROOT_TOKEN_ID", hide_env_values = true)]
    dev_root_token_id: Option<String>,
    /// Where development listens.
    #[arg(long, value_name = "ADDRESS", env = "VESTAL_DEV_LISTEN_ADDRESS")]
    dev_listen_address: Option<SocketAddr>,
    /// Do not keep the root token of development for the next command.
    #[arg(long)]
    dev_no_store_token: bool,
}

/// A vault that is being served.
pub(crate) struct Served {
    pub(crate) vault: Arc<Vault>,
    pub(crate) server: Server,
    pub(crate) addresses: Vec<SocketAddr>,
}

/// Opens store and vault, and binds the listeners; nothing is answered yet.
pub(crate) async fn prepare(config: &Config) -> anyhow::Result<Served> {
    let settings = Settings {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        cluster_name: config.cluster_name.clone(),
        default_lease: config.default_lease,
        max_lease: config.max_lease,
        audit: AuditSettings {
            directory: config.audit_directory.clone(),
            any_path: config.audit_anywhere,
            devices: config.audit.clone(),
        },
        seal: config.seal.clone(),
        ..Settings::default()
    };
    let parts = Parts {
        physical: store::open(&config.storage).await?,
        clock: Arc::new(SystemClock),
        entropy: Arc::new(OsEntropy),
        http: Arc::new(Transport::new().context("cannot prepare outbound calls")?),
        kinds: registry::kinds()?,
        settings,
    };
    let vault = Vault::open(parts).await?;
    let mut listeners: Vec<_> = config.listeners.iter().map(Listener::options).collect();
    descriptors::provide(&mut listeners);
    let server = Server::bind(Arc::new(Arc::clone(&vault)), listeners)?;
    let addresses = server.addresses()?;
    Ok(Served { vault, server, addresses })
}

/// Runs the server until a signal ends it.
pub(crate) async fn run(args: ServerArgs) -> anyhow::Result<()> {
    let (config, dev) = configured(&args)?;
    logs::start(args.log_level.as_deref().or(config.log_level.as_deref()), config.log_json)?;
    for note in &config.notes {
        tracing::warn!("configuration: {note}");
    }
    let hangups = signals::hangups()?;
    harden::forbid_dumps();
    if config.lock_memory {
        harden::lock_memory();
    }
    let Served { vault, server, addresses } = prepare(&config).await?;
    // Whoever has the server unseal itself has nobody at hand who would notice a sealed one.
    if let Err(error) = vault.unseal_itself().await {
        vault.shutdown().await?;
        return Err(error.into());
    }
    let pid_file = config.pid_file.as_ref().map(|path| signals::PidFile::write(path)).transpose()?;
    banner(&config, &addresses);
    if let Some(dev) = &dev {
        dev::set_up(&vault, dev, &addresses).await?;
    }
    say!("==> Vestal server started. Its log follows.\n");
    let reload = signals::reload_on_hangup(hangups, &vault, server.certificates());
    let cut = server.run(until_asked_to_stop()?, vestal_core::Settings::default().drain).await;
    reload.abort();
    if cut > 0 {
        tracing::warn!(connections = cut, "connections had to be cut");
    }
    vault.shutdown().await?;
    drop(pid_file);
    tracing::info!("stopped");
    Ok(())
}

fn configured(args: &ServerArgs) -> anyhow::Result<(Config, Option<dev::Dev>)> {
    let mut config = if args.dev {
        anyhow::ensure!(args.config.is_empty(), "-dev keeps everything in memory and takes no -config");
        Config::dev(dev::address(args.dev_listen_address)?)
    } else {
        anyhow::ensure!(!args.config.is_empty(), "name a configuration file with -config=FILE, or try -dev");
        Config::read(&args.config)?
    };
    match args.log_format.as_deref() {
        None => {}
        Some("json") => config.log_json = true,
        Some("standard") => config.log_json = false,
        Some(_) => anyhow::bail!("-log-format must be `standard` or `json`"),
    }
    let dev = args.dev.then(|| dev::Dev::new(args.dev_root_token_id.clone(), !args.dev_no_store_token));
    Ok((config, dev))
}

/// What is shown at start, with the addresses as they really are.
fn banner(config: &Config, addresses: &[SocketAddr]) {
    say!("==> Vestal server configuration:\n");
    for (number, (listener, address)) in config.listeners.iter().zip(addresses).enumerate() {
        say!("{:>21}: {}", format!("Listener {}", number + 1), listener.shown_at(*address));
    }
    say!("{}", config.summary(env!("CARGO_PKG_VERSION")));
}
