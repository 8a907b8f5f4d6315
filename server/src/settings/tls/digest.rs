//! SHA-256, by the library that also encrypts.

use std::fmt::Write as _;

use rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;

/// Returns the digest of these parts, one after the other.
pub(super) fn sha256<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let suite = TLS13_AES_128_GCM_SHA256.tls13().expect("it is a suite of TLS 1.3");
    let mut hash = suite.common.hash_provider.start();
    parts.into_iter().for_each(|part| hash.update(part));
    hash.finish().as_ref().to_vec()
}

/// Writes bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
