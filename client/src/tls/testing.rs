//! A server and a client that trusts it, for tests.

#![cfg(feature = "tls")]

use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{
    RootCertStore, ServerConfig, ServerConnection, SupportedProtocolVersion, crypto::aws_lc_rs,
    pki_types::PrivateKeyDer, server::WebPkiClientVerifier,
};

use super::{
    client::Client,
    options::{TlsOptions, TrustOption},
};

/// A certificate without extensions, as `openssl x509 -req` makes it by default.
pub(crate) const VERSION_1: &str = "\
-----BEGIN CERTIFICATE-----
MIIBGTCBvwIUDpni+6TmCdXUDJBTyi0EXuGsm7gwCgYIKoZIzj0EAwIwDjEMMAoG
A1UEAwwDb2xkMCAXDTI2MTEyNjA1MzYxMFoYDzIxMjYxMTAyMDUzNjEwWjAOMQww
CgYDVQQDDANvbGQwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASnqKj3ty8ZBT3+
WpsKAcSRLgQ6/7W2y1fAOlKJCt/PzIqzGSqs7wXu+vE1bMAgv0BbyzTlsEtb9Aal
17XnHkoLMAoGCCqGSM49BAMCA0kAMEYCIQCdlsaDajW+Wm8LYkdn4SJDvKl0lMV1
bxS28Qi9kYLBAAIhAI/+1GB+KV51wXIXwA9a8PyCkHnWrrmmdBSYwJcZgGx7
-----END CERTIFICATE-----
";

/// Returns the server's side of a connection. It asks for a certificate of the client, and does not require one.
pub(crate) fn server(version: &'static SupportedProtocolVersion) -> ServerConnection {
    server_with_tickets(version, 2)
}

/// Does the same for a server that sends this number of tickets.
pub(crate) fn server_with_tickets(
    version: &'static SupportedProtocolVersion,
    tickets: usize,
) -> ServerConnection {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let clients =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_client_cert_verifier(clients.allow_unauthenticated().build().unwrap())
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    config.send_tls13_tickets = tickets;
    ServerConnection::new(Arc::new(config)).unwrap()
}

/// Returns a client that accepts any server.
pub(crate) fn client() -> Client {
    Client::new(&TlsOptions {
        name: "localhost".to_owned(),
        trust: TrustOption::Nothing,
        identity: None,
        alpn: Vec::new(),
        key_log: None,
        is_resuming: true,
    })
    .unwrap()
}
