//! Certificates and a client in memory, for tests.

use std::{
    io::{Read as _, Write as _},
    sync::{Arc, LazyLock},
};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PKCS_ED25519, SerialNumber,
};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, SupportedProtocolVersion,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer},
    server::WebPkiClientVerifier,
};

/// A CA of its own, with the certificates of a server and a client.
///
/// Every run makes new keys, but each message of a handshake has the same length in all of them: signatures of Ed25519 have
/// one length, and so have the serial numbers. A schedule from a seed then splits the wire at the same places.
pub(crate) struct TestCa {
    issuer: Issuer<'static, KeyPair>,
    roots: Arc<RootCertStore>,
}

/// A client in memory.
pub(crate) struct Client {
    pub(crate) connection: ClientConnection,
    /// Plaintext that the client has received.
    pub(crate) received: Vec<u8>,
    /// The server has ended its direction.
    pub(crate) has_ended: bool,
}

static CA: LazyLock<TestCa> = LazyLock::new(|| {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "test CA");
    params.serial_number = Some(SerialNumber::from(1));
    let key = new_key();
    let certificate = params.self_signed(&key).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    TestCa { issuer: Issuer::new(params, key), roots: Arc::new(roots) }
});

fn new_key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ED25519).unwrap()
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

impl TestCa {
    pub(crate) fn get() -> &'static Self {
        &CA
    }

    /// Issues a certificate for a subject, which is also its DNS name.
    fn issue(&self, name: &str) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.serial_number = Some(SerialNumber::from(2));
        let key = new_key();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        (vec![certificate.der().clone()], key)
    }

    /// Returns the configuration of a server, which asks for the certificate of a client.
    pub(crate) fn server(&self, versions: &[&'static SupportedProtocolVersion]) -> ServerConfig {
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::clone(&self.roots), provider())
                .allow_unauthenticated()
                .build()
                .unwrap();
        let (chain, key) = self.issue("localhost");
        ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .unwrap()
    }

    /// Returns the configuration of a client that trusts this CA; with a name, it has a certificate.
    pub(crate) fn client(&self, name: Option<&str>) -> ClientConfig {
        self.client_of(provider(), rustls::DEFAULT_VERSIONS, name)
    }

    /// Returns the configuration of a client with these algorithms and versions.
    pub(crate) fn client_of(
        &self,
        provider: Arc<CryptoProvider>,
        versions: &[&'static SupportedProtocolVersion],
        name: Option<&str>,
    ) -> ClientConfig {
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(Arc::clone(&self.roots));
        match name.map(|name| self.issue(name)) {
            Some((chain, key)) => config.with_client_auth_cert(chain, key).unwrap(),
            None => config.with_no_client_auth(),
        }
    }
}

impl Client {
    pub(crate) fn new(config: &Arc<ClientConfig>) -> Self {
        let name = "localhost".try_into().unwrap();
        let mut connection = ClientConnection::new(Arc::clone(config), name).unwrap();
        connection.set_buffer_limit(None);
        Self { connection, received: Vec::new(), has_ended: false }
    }

    /// Writes plaintext, which is encoded when the handshake is complete.
    pub(crate) fn write(&mut self, plaintext: &[u8]) {
        self.connection.writer().write_all(plaintext).unwrap();
    }

    /// Returns the bytes that the client sends now.
    pub(crate) fn wire(&mut self) -> Vec<u8> {
        let mut wire = Vec::new();
        while self.connection.wants_write() {
            self.connection.write_tls(&mut wire).unwrap();
        }
        wire
    }

    /// Receives bytes of the server.
    pub(crate) fn receive(&mut self, mut wire: &[u8]) -> Result<(), rustls::Error> {
        while !wire.is_empty() {
            assert!(!self.has_ended, "bytes after the end of the server's direction");
            self.connection.read_tls(&mut wire).unwrap();
            let state = self.connection.process_new_packets()?;
            // The only errors are "would block", and an end of stream that a test never passes on.
            let _ = self.connection.reader().read_to_end(&mut self.received);
            self.has_ended = state.peer_has_closed();
        }
        Ok(())
    }
}
