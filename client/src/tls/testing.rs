//! A server and a client that trusts it, for tests.

#![cfg(feature = "tls")]

use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{
    ServerConfig, ServerConnection, SupportedProtocolVersion, crypto::aws_lc_rs,
    pki_types::PrivateKeyDer,
};

use super::{
    client::Client,
    options::{TlsOptions, TrustOption},
};

/// Returns the server's side of a connection.
pub(crate) fn server(version: &'static SupportedProtocolVersion) -> ServerConnection {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
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
