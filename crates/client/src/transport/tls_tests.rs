//! TLS settings, against a server with certificates of its own.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use http::{HeaderMap, Method};
use rcgen::{CertificateParams, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use vestal_crypto::SecretBytes;
use vestal_logical::{HttpTransport, OutboundRequest, TransportError};

use super::{Route, ServerName, TlsOptions, Transport};
use crate::error::Cause;

/// An authority, a server it vouches for, and a client it vouches for, as files.
struct World {
    files: TempDir,
    port: u16,
}

impl World {
    /// A server for `name`, which may demand a client certificate.
    async fn new(name: &str, demand_client: bool) -> Self {
        let files = tempfile::tempdir().unwrap();
        let ca_key = KeyPair::generate().unwrap();
        let mut ca = CertificateParams::new(Vec::<String>::new()).unwrap();
        ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let ca_cert = ca.self_signed(&ca_key).unwrap();
        let issuer = Issuer::new(ca, ca_key);
        let issue = |name: &str| {
            let key = KeyPair::generate().unwrap();
            let cert =
                CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
            (cert, key)
        };
        let (server_cert, server_key) = issue(name);
        let (client_cert, client_key) = issue("client");
        fs::write(files.path().join("ca.pem"), ca_cert.pem()).unwrap();
        fs::write(files.path().join("client.pem"), client_cert.pem()).unwrap();
        fs::write(files.path().join("client.key"), client_key.serialize_pem()).unwrap();
        let config = server_config(ca_cert.der(), server_cert.der(), &server_key, demand_client);
        Self { files, port: serve(config).await }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    /// The status of a call to `host`, or why there is none.
    async fn call(&self, host: &str, options: &TlsOptions) -> Result<u16, TransportError> {
        let request = OutboundRequest {
            method: Method::GET,
            url: format!("https://{host}:{}/", self.port).parse().unwrap(),
            headers: HeaderMap::new(),
            body: SecretBytes::default(),
            timeout: None,
            max_answer: 64,
            reach_link_local: false,
        };
        Transport::with(options, &Route::Direct).unwrap().send(request).await.map(|answer| answer.status)
    }
}

fn server_config(
    ca: &CertificateDer<'static>,
    cert: &CertificateDer<'static>,
    key: &KeyPair,
    demand_client: bool,
) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder =
        ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let builder = builder.unwrap();
    let builder = if demand_client {
        let mut roots = RootCertStore::empty();
        roots.add(ca.clone()).unwrap();
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        builder.with_client_cert_verifier(verifier)
    } else {
        builder.with_no_client_auth()
    };
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    builder.with_single_cert(vec![cert.clone()], key).unwrap()
}

/// Answers 204 to whatever comes over TLS.
async fn serve(config: ServerConfig) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let Ok(mut tls) = acceptor.accept(socket).await else { continue };
            let _ = tls.read(&mut [0; 4096]).await;
            let _ = tls.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await;
            let _ = tls.shutdown().await;
        }
    });
    port
}

fn cause(result: Result<u16, TransportError>) -> Cause {
    let error = result.unwrap_err();
    assert!(matches!(error, TransportError::NotSecured(_)), "{error:?}");
    Cause::of(&error)
}

#[tokio::test]
async fn a_server_is_trusted_for_its_authority_and_only_then() {
    let world = World::new("localhost", false).await;
    assert_eq!(cause(world.call("localhost", &TlsOptions::default()).await), Cause::BadCertificate);
    let by_file = TlsOptions { ca_cert: Some(world.file("ca.pem")), ..TlsOptions::default() };
    assert_eq!(world.call("localhost", &by_file).await.unwrap(), 204);
    assert_eq!(cause(world.call("127.0.0.1", &by_file).await), Cause::BadCertificate, "the name must match");
    let anyone = TlsOptions { skip_verify: true, ..TlsOptions::default() };
    assert_eq!(world.call("127.0.0.1", &anyone).await.unwrap(), 204);
}

/// A server whose certificate vouches for itself and says that it is an authority, as `openssl req -x509` makes them.
async fn self_signed(name: &str, change: impl FnOnce(&mut CertificateParams)) -> World {
    let files = tempfile::tempdir().unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    change(&mut params);
    let cert = params.self_signed(&key).unwrap();
    fs::write(files.path().join("ca.pem"), cert.pem()).unwrap();
    World { port: serve(server_config(cert.der(), cert.der(), &key, false)).await, files }
}

#[tokio::test]
async fn a_server_that_is_its_own_authority_is_trusted_when_it_is_named_and_only_then() {
    let world = self_signed("localhost", |_| {}).await;
    let named = TlsOptions { ca_cert: Some(world.file("ca.pem")), ..TlsOptions::default() };
    assert_eq!(world.call("localhost", &named).await.unwrap(), 204);
    let text = fs::read_to_string(world.file("ca.pem")).unwrap();
    let as_text = TlsOptions { ca_bytes: Some(text), ..TlsOptions::default() };
    assert_eq!(world.call("localhost", &as_text).await.unwrap(), 204);
    assert_eq!(cause(world.call("127.0.0.1", &named).await), Cause::BadCertificate, "the name must match");
    let other = self_signed("localhost", |_| {}).await;
    assert_eq!(cause(other.call("localhost", &named).await), Cause::BadCertificate, "another was named");
    assert_eq!(cause(world.call("localhost", &TlsOptions::default()).await), Cause::BadCertificate);
}

#[tokio::test]
async fn a_server_that_is_its_own_authority_is_trusted_only_while_its_certificate_lasts() {
    for (from, to) in [(2001, 2002), (4000, 4001)] {
        let world = self_signed("localhost", |params| {
            params.not_before = rcgen::date_time_ymd(from, 1, 1);
            params.not_after = rcgen::date_time_ymd(to, 1, 1);
        });
        let world = world.await;
        let named = TlsOptions { ca_cert: Some(world.file("ca.pem")), ..TlsOptions::default() };
        assert_eq!(cause(world.call("localhost", &named).await), Cause::BadCertificate, "{from}");
    }
}

#[tokio::test]
async fn an_authority_that_was_named_vouches_for_no_other_authority_that_serves() {
    let world = World::new("localhost", false).await;
    let (ca_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut ca = CertificateParams::new(Vec::<String>::new()).unwrap();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_cert = ca.self_signed(&ca_key).unwrap();
    let mut below = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    below.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let below = below.signed_by(&key, &Issuer::new(ca, ca_key)).unwrap();
    let port = serve(server_config(ca_cert.der(), below.der(), &key, false)).await;
    fs::write(world.file("ca.pem"), ca_cert.pem()).unwrap();
    let world = World { port, ..world };
    let named = TlsOptions { ca_cert: Some(world.file("ca.pem")), ..TlsOptions::default() };
    assert_eq!(cause(world.call("localhost", &named).await), Cause::BadCertificate);
}

#[tokio::test]
async fn a_directory_of_authorities_serves_as_well_as_a_file() {
    let world = World::new("localhost", false).await;
    let directory = tempfile::tempdir().unwrap();
    fs::copy(world.files.path().join("ca.pem"), directory.path().join("one.pem")).unwrap();
    let options = TlsOptions { ca_path: Some(directory.path().to_owned()), ..TlsOptions::default() };
    assert_eq!(world.call("localhost", &options).await.unwrap(), 204);
}

#[tokio::test]
async fn another_name_can_be_expected_than_the_address_has() {
    let world = World::new("vault.example", false).await;
    let named = |name: &str| TlsOptions {
        ca_cert: Some(world.file("ca.pem")),
        server_name: Some(ServerName { name: name.to_owned(), host: "127.0.0.1".to_owned() }),
        ..TlsOptions::default()
    };
    assert_eq!(world.call("127.0.0.1", &named("vault.example")).await.unwrap(), 204);
    assert_eq!(cause(world.call("127.0.0.1", &named("other.example")).await), Cause::BadCertificate);
}

#[tokio::test]
async fn a_client_shows_its_certificate_when_it_has_one() {
    let world = World::new("localhost", true).await;
    let without = TlsOptions { ca_cert: Some(world.file("ca.pem")), ..TlsOptions::default() };
    let with = TlsOptions {
        client_cert: Some(world.file("client.pem")),
        client_key: Some(world.file("client.key")),
        ..without.clone()
    };
    assert_eq!(world.call("localhost", &with).await.unwrap(), 204);
    assert!(world.call("localhost", &without).await.is_err());
}
