//! Judges a server's certificate by the certificates that the operator named.
//!
//! The usual check knows authorities and servers, and refuses an authority that serves. `openssl req -x509` makes just that:
//! one certificate, marked as an authority, which the server shows and the operator names. Vault's client and curl accept
//! it.
//!
//! Invariants: the usual check speaks first, and only its one objection "an authority serves" is weighed again, which it
//! raises after it has found the dates right; what is accepted then is, byte for byte, a certificate that was named, and
//! is for the name that was called. Signatures of the handshake are checked as ever.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

#[derive(Debug)]
pub(super) struct Named {
    usual: Arc<WebPkiServerVerifier>,
    named: Vec<CertificateDer<'static>>,
}

impl Named {
    /// Trusts these certificates and no others.
    pub(super) fn new(
        named: Vec<CertificateDer<'static>>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        for certificate in &named {
            roots
                .add(certificate.clone())
                .map_err(|error| format!("a CA certificate cannot be used: {error}"))?;
        }
        let usual =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build();
        Ok(Self { usual: usual.map_err(|error| format!("cannot set up TLS: {error}"))?, named })
    }
}

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let usual = self.usual.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match usual {
            Err(error) if is_authority_that_serves(&error) && self.named.contains(end_entity) => {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            usual => usual,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.usual.supported_verify_schemes()
    }
}

/// Rustls has no name of its own for this objection and hands it on as it is; other words for it would only refuse more.
fn is_authority_that_serves(error: &Error) -> bool {
    let Error::InvalidCertificate(CertificateError::Other(objection)) = error else { return false };
    objection.0.to_string() == "CaUsedAsEndEntity"
}
