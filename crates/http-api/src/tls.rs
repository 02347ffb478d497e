//! Keeps the certificate of a listener, and takes a new one while running.
//!
//! Invariant: a pair that cannot be read, does not fit together or cannot be used leaves the old pair in force. It does not
//! know who calls for a reload. Client certificates are not asked for.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, SupportedProtocolVersion, version};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// The oldest protocol that is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MinTls {
    /// TLS 1.2.
    #[default]
    V12,
    /// TLS 1.3.
    V13,
}

/// Where certificate and key of a listener lie, as PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, the server's own certificate first.
    pub certificate: PathBuf,
    /// The key, not encrypted.
    pub key: PathBuf,
    /// The oldest protocol that is spoken.
    pub min_version: MinTls,
}

/// Why a pair cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or is no PEM.
    #[error("cannot read {what} from {path}: {reason}")]
    Unreadable {
        /// What was wanted.
        what: &'static str,
        /// The file.
        path: String,
        /// Why not.
        reason: String,
    },
    /// The pair does not fit together, or is of a kind that cannot be used.
    #[error("the certificate in {certificate} and the key in {key} cannot be used: {reason}")]
    Unusable {
        /// The certificate's file.
        certificate: String,
        /// The key's file.
        key: String,
        /// Why not.
        reason: rustls::Error,
    },
}

/// A pair that can be exchanged.
pub(crate) struct Pair {
    files: TlsFiles,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Pair {
    pub(crate) fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let current = RwLock::new(Arc::new(read(&files)?));
        Ok(Self { files, current })
    }

    /// Reads the files again.
    pub(crate) fn reload(&self) -> Result<(), TlsError> {
        let fresh = Arc::new(read(&self.files)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// A configuration that always serves the pair then in force.
    pub(crate) fn server_config(self: &Arc<Self>) -> Result<ServerConfig, TlsError> {
        let versions: &[&SupportedProtocolVersion] = match self.files.min_version {
            MinTls::V12 => &[&version::TLS12, &version::TLS13],
            MinTls::V13 => &[&version::TLS13],
        };
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(versions)
            .map_err(|reason| unusable(&self.files, reason))?
            .with_no_client_auth()
            .with_cert_resolver(self.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair").field("files", &self.files).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Pair {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

fn read(files: &TlsFiles) -> Result<CertifiedKey, TlsError> {
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unreadable("certificates", &files.certificate, &error))?;
    if chain.is_empty() {
        return Err(unreadable("certificates", &files.certificate, &"there is none"));
    }
    let key =
        PrivateKeyDer::from_pem_file(&files.key).map_err(|error| unreadable("a key", &files.key, &error))?;
    CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())
        .map_err(|reason| unusable(files, reason))
}

fn unreadable(what: &'static str, path: &Path, reason: &dyn fmt::Display) -> TlsError {
    TlsError::Unreadable { what, path: path.display().to_string(), reason: reason.to_string() }
}

fn unusable(files: &TlsFiles, reason: rustls::Error) -> TlsError {
    TlsError::Unusable {
        certificate: files.certificate.display().to_string(),
        key: files.key.display().to_string(),
        reason,
    }
}
