//! The TLS settings of a transport, and reading the files they name.

use std::fs;
use std::path::{Path, PathBuf};

use reqwest::{Certificate, ClientBuilder, Identity};

/// How TLS is spoken. The default trusts what the platform trusts.
#[derive(Debug, Clone, Default)]
pub struct TlsOptions {
    /// A PEM file of authorities, trusted instead of the platform's.
    pub ca_cert: Option<PathBuf>,
    /// A directory of such files; ignored when `ca_cert` is set, as Vault's clients do.
    pub ca_path: Option<PathBuf>,
    /// The client's certificate chain, PEM.
    pub client_cert: Option<PathBuf>,
    /// Its private key, PEM.
    pub client_key: Option<PathBuf>,
    /// Accepts any certificate.
    pub skip_verify: bool,
    /// Expects another name in the certificate than the address has.
    pub server_name: Option<ServerName>,
}

/// A name that is asked for, and expected in the certificate, at one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerName {
    /// The name.
    pub name: String,
    /// The host that is connected to.
    pub host: String,
}

impl TlsOptions {
    /// Sets the builder up; the error names the option and the file.
    pub(super) fn apply(&self, mut builder: ClientBuilder) -> Result<ClientBuilder, String> {
        let authorities = self.authorities()?;
        if !authorities.is_empty() {
            builder = builder.tls_certs_only(authorities);
        }
        if let Some(identity) = self.identity()? {
            builder = builder.identity(identity);
        }
        Ok(builder.tls_danger_accept_invalid_certs(self.skip_verify))
    }

    fn authorities(&self) -> Result<Vec<Certificate>, String> {
        if let Some(file) = &self.ca_cert {
            return certificates(file);
        }
        let Some(directory) = &self.ca_path else { return Ok(Vec::new()) };
        let entries = fs::read_dir(directory)
            .map_err(|error| format!("cannot read the CA directory `{}`: {error}", directory.display()))?;
        let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.retain(|file| file.is_file());
        files.sort();
        let mut all = Vec::new();
        for file in &files {
            all.extend(certificates(file)?);
        }
        if all.is_empty() {
            return Err(format!("the CA directory `{}` holds no certificate", directory.display()));
        }
        Ok(all)
    }

    fn identity(&self) -> Result<Option<Identity>, String> {
        match (&self.client_cert, &self.client_key) {
            (None, None) => Ok(None),
            (Some(_), None) => Err("a client certificate is set without its key".to_owned()),
            (None, Some(_)) => Err("a client key is set without its certificate".to_owned()),
            (Some(cert), Some(key)) => {
                let mut pem = open("client certificate", cert)?;
                pem.push(b'\n');
                pem.extend(open("client key", key)?);
                let identity = Identity::from_pem(&pem);
                zeroize::Zeroize::zeroize(&mut pem);
                identity.map(Some).map_err(|_| {
                    let (cert, key) = (cert.display(), key.display());
                    format!("`{cert}` and `{key}` are not a PEM certificate and its key")
                })
            }
        }
    }
}

fn certificates(file: &Path) -> Result<Vec<Certificate>, String> {
    let bad = || format!("the CA file `{}` holds no PEM certificate", file.display());
    let found = Certificate::from_pem_bundle(&open("CA file", file)?).map_err(|_| bad())?;
    if found.is_empty() { Err(bad()) } else { Ok(found) }
}

fn open(what: &str, file: &Path) -> Result<Vec<u8>, String> {
    fs::read(file).map_err(|error| format!("cannot read the {what} `{}`: {error}", file.display()))
}
