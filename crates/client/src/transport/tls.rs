//! The TLS settings of a transport, and reading the files they name.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use reqwest::{ClientBuilder, Identity};
use rustls::ClientConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use super::named::Named;

/// How TLS is spoken. The default trusts what the platform trusts.
#[derive(Debug, Clone, Default)]
pub struct TlsOptions {
    /// A PEM file of authorities, trusted instead of the platform's.
    pub ca_cert: Option<PathBuf>,
    /// The same as text; ignored when `ca_cert` is set, as Vault's clients do.
    pub ca_bytes: Option<String>,
    /// A directory of such files; ignored when one of the former is set.
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
    pub(super) fn apply(&self, builder: ClientBuilder) -> Result<ClientBuilder, String> {
        let authorities = self.authorities()?;
        let identity = self.identity()?;
        if !authorities.is_empty() && !self.skip_verify {
            return Ok(builder.tls_backend_preconfigured(
                self.trusting(authorities, identity.as_ref().map(|pem| pem.as_slice()))?,
            ));
        }
        let builder = match identity {
            Some(pem) => builder.identity(Identity::from_pem(&pem).map_err(|_| self.bad_identity())?),
            None => builder,
        };
        Ok(builder.tls_danger_accept_invalid_certs(self.skip_verify))
    }

    /// TLS as reqwest would set it up, but for who judges the server's certificate.
    fn trusting(
        &self,
        authorities: Vec<CertificateDer<'static>>,
        identity: Option<&[u8]>,
    ) -> Result<ClientConfig, String> {
        let installed = CryptoProvider::get_default().map(Arc::clone);
        let provider = installed.unwrap_or_else(|| Arc::new(aws_lc_rs::default_provider()));
        let verifier = Named::new(authorities, &provider)?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("cannot set up TLS: {error}"))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some(pem) => {
                let chain = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
                let key = PrivateKeyDer::from_pem_slice(pem);
                let (Ok(chain), Ok(key)) = (chain, key) else { return Err(self.bad_identity()) };
                builder.with_client_auth_cert(chain, key).map_err(|_| self.bad_identity())?
            }
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }

    fn authorities(&self) -> Result<Vec<CertificateDer<'static>>, String> {
        if let Some(file) = &self.ca_cert {
            return certificates(&open("CA file", file)?, &format!("the CA file `{}`", file.display()));
        }
        if let Some(text) = &self.ca_bytes {
            return certificates(text.as_bytes(), "the text of CA certificates");
        }
        let Some(directory) = &self.ca_path else { return Ok(Vec::new()) };
        let entries = fs::read_dir(directory)
            .map_err(|error| format!("cannot read the CA directory `{}`: {error}", directory.display()))?;
        let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.retain(|file| file.is_file());
        files.sort();
        let mut all = Vec::new();
        for file in &files {
            all.extend(certificates(&open("CA file", file)?, &format!("the CA file `{}`", file.display()))?);
        }
        if all.is_empty() {
            return Err(format!("the CA directory `{}` holds no certificate", directory.display()));
        }
        Ok(all)
    }

    /// The client's certificate chain and its key, as one PEM text.
    fn identity(&self) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
        match (&self.client_cert, &self.client_key) {
            (None, None) => Ok(None),
            (Some(_), None) => Err("a client certificate is set without its key".to_owned()),
            (None, Some(_)) => Err("a client key is set without its certificate".to_owned()),
            (Some(cert), Some(key)) => {
                let mut pem = Zeroizing::new(open("client certificate", cert)?);
                pem.push(b'\n');
                pem.extend(Zeroizing::new(open("client key", key)?).iter());
                Ok(Some(pem))
            }
        }
    }

    fn bad_identity(&self) -> String {
        let shown = |file: &Option<PathBuf>| file.as_deref().unwrap_or(Path::new("")).display().to_string();
        let (cert, key) = (shown(&self.client_cert), shown(&self.client_key));
        format!("`{cert}` and `{key}` are not a PEM certificate and its key")
    }
}

fn certificates(pem: &[u8], source: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let found = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().unwrap_or_default();
    if found.is_empty() { Err(format!("{source} holds no PEM certificate")) } else { Ok(found) }
}

fn open(what: &str, file: &Path) -> Result<Vec<u8>, String> {
    fs::read(file).map_err(|error| format!("cannot read the {what} `{}`: {error}", file.display()))
}
