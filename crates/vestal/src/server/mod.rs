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
use vestal_http_api::{Bound, Server};
use vestal_logical::SystemClock;

use crate::cli::environment::{self, Environment};
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
    /// What is logged: trace, debug, info, warn, error or off.
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// How it is logged: standard or json.
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// Development: everything in memory, unsealed, with a known root token. Never for anything real.
    #[arg(long)]
    dev: bool,
    /// The root token of development; one is made when absent.
    #[arg(long, value_name = "TOKEN")]
    dev_root_token_id: Option<String>,
    /// Where development listens.
    #[arg(long, value_name = "ADDRESS")]
    dev_listen_address: Option<String>,
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

/// Takes the listeners' addresses, and opens store and vault; nothing is answered yet. An address that is taken is told
/// before a store is made or anybody else's is touched.
pub(crate) async fn prepare(config: &Config) -> anyhow::Result<Served> {
    let mut listeners: Vec<_> = config.listeners.iter().map(Listener::options).collect();
    descriptors::provide(&mut listeners);
    let bound = Bound::to(listeners)?;
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
    let server = bound.listen(Arc::new(Arc::clone(&vault)))?;
    let addresses = server.addresses()?;
    Ok(Served { vault, server, addresses })
}

/// Runs the server until a signal ends it.
pub(crate) async fn run(args: ServerArgs) -> anyhow::Result<()> {
    let environment = Environment::of_process();
    let (config, dev) = configured(&args, &environment)?;
    let level = args.log_level.as_deref().or_else(|| environment.value(environment::LOG_LEVEL));
    logs::start(level.or(config.log_level.as_deref()), config.log_json)?;
    for note in &config.notes {
        tracing::warn!("configuration: {note}");
    }
    let hangups = signals::hangups()?;
    harden::forbid_dumps();
    if config.lock_memory {
        harden::lock_memory();
    }
    store::warn_of_open_key(&config.seal);
    let Served { vault, server, addresses } = prepare(&config).await?;
    if let Err(error) = same_seal(&vault, &config).await {
        vault.shutdown().await?;
        return Err(error);
    }
    // Whoever has the server unseal itself has nobody at hand who would notice a sealed one.
    if let Err(error) = vault.unseal_itself().await {
        vault.shutdown().await?;
        return Err(error.into());
    }
    // From here on a signal ends it well; who reads that it has started may send one at once.
    let asked = until_asked_to_stop()?;
    let pid_file = config.pid_file.as_ref().map(|path| signals::PidFile::write(path)).transpose()?;
    banner(&config, &addresses);
    if let Some(dev) = &dev {
        dev::set_up(&vault, dev, &addresses).await?;
    }
    say!("==> Vestal server started. Its log follows.\n");
    let reload = signals::reload_on_hangup(hangups, &vault, server.certificates());
    let cut = server.run(asked, vestal_core::Settings::default().drain).await;
    reload.abort();
    if cut > 0 {
        tracing::warn!(connections = cut, "connections had to be cut");
    }
    vault.shutdown().await?;
    drop(pid_file);
    tracing::info!("stopped");
    Ok(())
}

/// A vault goes on under the seal it was made with; a configuration that names another is wrong about who can open it.
async fn same_seal(vault: &Arc<Vault>, config: &Config) -> anyhow::Result<()> {
    let named = vestal::config::seal_word(&config.seal);
    match dev::seal_in_use(vault).await? {
        Some(in_use) if in_use != named => anyhow::bail!(
            "the vault was initialised with the seal `{in_use}`, and the configuration says `{named}`: name the seal it has; it cannot be moved to another yet"
        ),
        _ => Ok(()),
    }
}

fn configured(args: &ServerArgs, environment: &Environment) -> anyhow::Result<(Config, Option<dev::Dev>)> {
    let mut config = if args.dev {
        anyhow::ensure!(args.config.is_empty(), "-dev keeps everything in memory and takes no -config");
        Config::dev(dev::address(args.dev_listen_address.as_deref(), environment)?)
    } else {
        anyhow::ensure!(!args.config.is_empty(), "name a configuration file with -config=FILE, or try -dev");
        Config::read(&args.config)?
    };
    match args.log_format.as_deref().or_else(|| environment.value(environment::LOG_FORMAT)) {
        None => {}
        Some("json") => config.log_json = true,
        Some("standard") => config.log_json = false,
        Some(_) => {
            anyhow::bail!("-log-format (or LOG_FORMAT in the environment) must be `standard` or `json`")
        }
    }
    let token = args.dev_root_token_id.clone();
    let dev = args.dev.then(|| dev::Dev::new(token, environment, !args.dev_no_store_token));
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
