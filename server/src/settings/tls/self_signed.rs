//! The certificate of `tls-self-signed`: made at its first use, and kept until the process ends.

use std::sync::OnceLock;

use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::{crypto::CryptoProvider, pki_types::PrivateKeyDer, sign::CertifiedKey};

use super::{
    certificate::Certificate,
    digest::{hex, sha256},
};

/// Names for which a client that verifies them may connect.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

static CERTIFICATE: OnceLock<Result<Certificate, String>> = OnceLock::new();

/// Returns the certificate.
///
/// # Errors
///
/// If the system has no random numbers.
pub(super) fn certificate(provider: &CryptoProvider) -> Result<Certificate, String> {
    CERTIFICATE.get_or_init(|| make(provider)).clone()
}

/// Returns the SHA-256 of the certificate in hexadecimal, if it is in use.
pub(in crate::settings) fn fingerprint() -> Option<String> {
    let certificate = CERTIFICATE.get()?.as_ref().ok()?;
    Some(hex(&certificate.identity))
}

fn make(provider: &CryptoProvider) -> Result<Certificate, String> {
    let failed = |error: rcgen::Error| format!("cannot make a certificate: {error}");
    let mut params = CertificateParams::new(NAMES.map(str::to_owned)).map_err(failed)?;
    params.distinguished_name.push(DnType::CommonName, "echo-server, self-signed");
    let key = KeyPair::generate().map_err(failed)?;
    let der = params.self_signed(&key).map_err(failed)?.der().clone();
    let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(str::to_owned)?;
    let key = provider.key_provider.load_private_key(key).map_err(|error| error.to_string())?;
    let identity = sha256([&der[..]]);
    Certificate::new(CertifiedKey::new(vec![der], key), identity)
}
