//! The name of a client by its certificate.

use common::escape::Escaped;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// Returns the subject of a certificate, such as `CN=alice, O=Example`, escaped. A verified certificate can be parsed;
/// another has no name here.
pub(super) fn subject(der: &[u8]) -> String {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else {
        return "an unreadable name".to_owned();
    };
    Escaped(certificate.subject().to_string().as_bytes()).to_string()
}
