//! Reads the configuration file, in the shape that Vault users have, as HCL or JSON.
//!
//! Every key of Vault's and OpenBao's is known here: it is obeyed, or said to have no effect. A key that nobody knows is
//! reported. Errors name the key and its line, never its value.

mod keys;
mod listener;
mod reader;
mod storage;

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use vestal_core::{AuditStanza, SealSettings};
use vestal_hcl::{Body, Item};

pub use listener::Listener;
use reader::{duration, lines};
pub use storage::Storage;

/// Finds the address of `host:port`. Reading a configuration meets the network here and nowhere else.
pub type LookUp = fn(&str) -> io::Result<Option<SocketAddr>>;

/// Asks the system for the address of `host:port`; without a host, every address of this machine. Of several, IPv4 goes
/// first, as in Go.
pub fn located(text: &str) -> io::Result<Option<SocketAddr>> {
    let host_missing = text.starts_with(':');
    let whole = if host_missing { format!("0.0.0.0{text}") } else { text.to_owned() };
    let found: Vec<SocketAddr> = whole.to_socket_addrs()?.collect();
    Ok(found.iter().find(|address| address.is_ipv4()).or(found.first()).copied())
}

const USUAL_LEASE: Duration = Duration::from_hours(768);

/// What a configuration file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    pub storage: Storage,
    pub listeners: Vec<Listener>,
    pub seal: SealSettings,
    pub audit: Vec<AuditStanza>,
    /// Where the API may let audit devices write.
    pub audit_directory: PathBuf,
    /// Whether the API may let audit devices write anywhere.
    pub audit_anywhere: bool,
    pub cluster_name: String,
    pub default_lease: Duration,
    pub max_lease: Duration,
    /// Whether keys must stay out of swap.
    pub lock_memory: bool,
    pub log_level: Option<String>,
    pub log_json: bool,
    pub pid_file: Option<PathBuf>,
    /// What the operator should hear at start.
    pub notes: Vec<String>,
}

impl Config {
    fn empty() -> Self {
        Self {
            storage: Storage::Memory,
            listeners: Vec::new(),
            seal: SealSettings::Shamir,
            audit: Vec::new(),
            audit_directory: PathBuf::from("/var/log/vestal"),
            audit_anywhere: false,
            cluster_name: "vestal".to_owned(),
            default_lease: USUAL_LEASE,
            max_lease: USUAL_LEASE,
            lock_memory: true,
            log_level: None,
            log_json: false,
            pid_file: None,
            notes: Vec::new(),
        }
    }

    /// What dev mode is: everything in memory, one plain listener.
    pub fn dev(address: SocketAddr) -> Self {
        Self {
            listeners: vec![Listener::plain(address)],
            audit_anywhere: true,
            lock_memory: false,
            ..Self::empty()
        }
    }

    /// Reads one or more files (of a directory, those that end in `.hcl` or `.json`, by name). What a later one says
    /// wins; listeners and audit stanzas add up.
    pub fn read(paths: &[PathBuf]) -> anyhow::Result<Self> {
        let mut reading = Reading::new(located);
        for path in files(paths)? {
            let shown = path.display();
            let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read `{shown}`"))?;
            let body = vestal_hcl::parse(&text)
                .with_context(|| format!("cannot read `{shown}` as configuration"))?;
            reading.add(&body).with_context(|| format!("in `{shown}`"))?;
        }
        reading.finish()
    }

    /// Reads a whole configuration that lies in no file.
    pub fn parse(text: &str, look_up: LookUp) -> anyhow::Result<Self> {
        let mut reading = Reading::new(look_up);
        reading.add(&vestal_hcl::parse(text)?)?;
        reading.finish()
    }

    fn plain(&mut self, item: &Item) -> anyhow::Result<()> {
        match item.key() {
            "cluster_name" => self.cluster_name = item.text()?,
            "default_lease_ttl" => self.default_lease = lease(item)?,
            "max_lease_ttl" => self.max_lease = lease(item)?,
            "disable_mlock" => self.lock_memory = !item.flag()?,
            "log_level" => self.log_level = Some(item.text()?),
            "log_format" => self.log_json = log_format(item)?,
            "pid_file" => self.pid_file = Some(item.text()?.into()),
            "audit_directory" => self.audit_directory = item.text()?.into(),
            "unsafe_allow_api_audit_creation" => self.audit_anywhere = item.flag()?,
            key if keys::TOP_WITHOUT_EFFECT.contains(&key) => self.notes.push(keys::no_effect(item)),
            _ => self.notes.push(keys::unknown(item)),
        }
        Ok(())
    }
}

/// Files that add up to one configuration.
struct Reading {
    config: Config,
    storage: Option<Storage>,
    look_up: LookUp,
}

impl Reading {
    fn new(look_up: LookUp) -> Self {
        Self { config: Config::empty(), storage: None, look_up }
    }

    fn add(&mut self, body: &Body) -> anyhow::Result<()> {
        only_once(body, &["storage", "backend"])?;
        only_once(body, &["seal"])?;
        let Self { config, storage, look_up } = self;
        for item in &body.items {
            match item.key() {
                "storage" | "backend" => *storage = Some(storage::read(item, &mut config.notes)?),
                "listener" => {
                    for (kind, body) in reader::labelled(item)? {
                        config.listeners.push(listener::read(
                            &kind,
                            body,
                            item,
                            *look_up,
                            &mut config.notes,
                        )?);
                    }
                }
                "seal" => config.seal = seal(item, &mut config.notes)?,
                "audit" => config.audit.extend(audit(item)?),
                _ => config.plain(item)?,
            }
        }
        Ok(())
    }

    fn finish(self) -> anyhow::Result<Config> {
        let Self { config, storage, .. } = self;
        let Some(storage) = storage else {
            bail!("the configuration has no storage stanza; add `storage \"sled\" {{ path = \"…\" }}`")
        };
        if config.default_lease > config.max_lease {
            bail!("`default_lease_ttl` is longer than `max_lease_ttl` (each is 768h when it is not set)");
        }
        if config.listeners.is_empty() {
            bail!(
                "the configuration has no listener stanza; add `listener \"tcp\" {{ address = \"127.0.0.1:8200\" … }}`"
            );
        }
        Ok(Config { storage, ..config })
    }
}

/// A file that says twice where data lies, or how it is sealed, was not meant so. Another file may say it anew.
fn only_once(body: &Body, names: &[&str]) -> anyhow::Result<()> {
    let mut found = body.items.iter().filter(|item| names.contains(&item.key()));
    if let (Some(_), Some(second)) = (found.next(), found.next()) {
        bail!(
            "`{}` on line {} is the second of its kind; only one is permitted",
            second.key(),
            second.at().line
        );
    }
    Ok(())
}

/// Nought asks for the usual lease, as in OpenBao.
fn lease(item: &Item) -> anyhow::Result<Duration> {
    Ok(Some(duration(item)?).filter(|given| !given.is_zero()).unwrap_or(USUAL_LEASE))
}

fn log_format(item: &Item) -> anyhow::Result<bool> {
    match item.text()?.as_str() {
        "json" => Ok(true),
        "standard" | "" => Ok(false),
        _ => bail!("`log_format` on line {} must be `standard` or `json`", item.at().line),
    }
}

/// `seal "file" { path = … }`, `seal "passphrase" {}`, `seal "shamir" {}`.
fn seal(item: &Item, notes: &mut Vec<String>) -> anyhow::Result<SealSettings> {
    let (kind, body) = reader::only_labelled(item)?;
    let known: &[&str] = if kind == "file" { &["path", "credential", "disabled"] } else { &["disabled"] };
    notes.extend(body.unknown(known).map(keys::unknown));
    if let Some(disabled) = body.last("disabled")
        && disabled.flag()?
    {
        bail!(
            "`disabled` on line {} is not supported: a vault cannot move from one seal to another yet",
            disabled.at().line
        );
    }
    match kind.as_str() {
        "shamir" => Ok(SealSettings::Shamir),
        "passphrase" => Ok(SealSettings::Passphrase),
        "file" => seal_file(item, body).map(|path| SealSettings::File { path }),
        _ => bail!("`seal` on line {} must be `shamir`, `passphrase` or `file`", item.at().line),
    }
}

/// A path, or the name of a systemd credential.
fn seal_file(item: &Item, body: &Body) -> anyhow::Result<PathBuf> {
    match (body.last("path"), body.last("credential")) {
        (Some(path), None) => Ok(path.text()?.into()),
        (None, Some(name)) => {
            let directory = std::env::var_os("CREDENTIALS_DIRECTORY").with_context(|| {
                format!(
                    "`credential` on line {} needs a systemd credential, and CREDENTIALS_DIRECTORY is not set",
                    name.at().line
                )
            })?;
            Ok(Path::new(&directory).join(name.text()?))
        }
        _ => bail!("`seal \"file\"` on line {} needs either `path` or `credential`", item.at().line),
    }
}

/// `audit "file" "NAME" { options { file_path = … } }`; without a name, the kind is the name.
fn audit(item: &Item) -> anyhow::Result<Vec<AuditStanza>> {
    let mut stanzas = Vec::new();
    for (labels, body) in reader::with_labels(item)? {
        let Some(kind) = labels.first() else {
            bail!("`audit` on line {} needs a kind: audit \"file\" \"name\" {{ … }}", item.at().line);
        };
        let mut stanza = AuditStanza {
            kind: kind.clone(),
            path: labels.get(1).unwrap_or(kind).clone(),
            description: String::new(),
            options: BTreeMap::new(),
        };
        // JSON cannot tell a label from a key: options that are alone in a stanza look like a label.
        if labels.len() > 1 && labels.last().is_some_and(|last| last == "options") {
            stanza.path.clone_from(labels.get(1).filter(|_| labels.len() > 2).unwrap_or(kind));
            stanza.options = audit_options(body)?;
            stanzas.push(stanza);
            continue;
        }
        for inner in &body.items {
            match inner.key() {
                "description" => stanza.description = inner.text()?,
                "options" => stanza.options.extend(audit_options(inner.body()?)?),
                "local" => drop(inner.flag()?),
                _ => bail!("{}", keys::unknown(inner)),
            }
        }
        stanzas.push(stanza);
    }
    Ok(stanzas)
}

fn audit_options(body: &Body) -> anyhow::Result<BTreeMap<String, String>> {
    body.items.iter().map(|option| Ok((option.key().to_owned(), reader::scalar_text(option)?))).collect()
}

/// The files that paths name.
fn files(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for path in paths {
        if !path.is_dir() {
            all.push(path.clone());
            continue;
        }
        let entries = std::fs::read_dir(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        let mut found: Vec<_> =
            entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
        found.retain(|path| path.extension().is_some_and(|end| end == "hcl" || end == "json"));
        if found.is_empty() {
            bail!("`{}` has no configuration file that ends in .hcl or .json", path.display());
        }
        found.sort();
        all.extend(found);
    }
    Ok(all)
}

impl Config {
    /// One line for each listener and the storage, as shown at start.
    pub fn summary(&self, version: &str) -> String {
        lines(&[
            ("Storage", self.storage.shown()),
            ("Seal", seal_word(&self.seal).to_owned()),
            ("Memory locked", if self.lock_memory { "asked for" } else { "no" }.to_owned()),
            ("Version", version.to_owned()),
        ])
    }
}

pub fn seal_word(seal: &SealSettings) -> &'static str {
    match seal {
        SealSettings::Shamir => "shamir",
        SealSettings::Passphrase => "passphrase",
        SealSettings::File { .. } => "file",
    }
}

#[cfg(test)]
mod tests;
