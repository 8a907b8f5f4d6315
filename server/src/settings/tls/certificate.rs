//! A certificate of the server with its chain and its key.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use common::escape::Escaped;
use rustls::{
    CertificateError, Error, InconsistentKeys,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer},
    sign::CertifiedKey,
};
use x509_parser::{
    extensions::GeneralName,
    prelude::{FromDer as _, X509Certificate},
    time::ASN1Time,
};

use super::file::PemFile;
use crate::config::limits;

/// A certificate of the server.
#[derive(Clone, Debug)]
pub(in crate::settings) struct Certificate {
    pub(super) key: Arc<CertifiedKey>,
    /// The names of the server, in lower case.
    pub(super) names: Vec<String>,
    /// The end of its validity. `None`: it is before 1970.
    pub(super) expiry: Option<SystemTime>,
    /// Bytes that identify the certificate and its key.
    pub(super) identity: Vec<u8>,
    /// Reasons why clients may not accept it. It can be served nevertheless.
    pub(super) warnings: Vec<String>,
}

impl Certificate {
    /// Loads a certificate and its key. Without a path of its own, the key is in the file of the certificate.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, or they do not belong together.
    pub(in crate::settings) fn load(
        provider: &CryptoProvider,
        cert: &Path,
        key: Option<&Path>,
    ) -> Result<Self, String> {
        let (cert_file, key_file) = read(cert, key)?;
        let chain: Vec<CertificateDer<'static>> = cert_file.objects("certificate")?;
        let key_file = key_file.as_ref().unwrap_or(&cert_file);
        let mut keys: Vec<PrivateKeyDer<'static>> = key_file.objects("private key")?;
        let name = &cert_file.name;
        let signing = provider.key_provider.load_private_key(keys.swap_remove(0));
        let signing = signing.map_err(|_| {
            format!(
                "the private key in {} is of no kind that TLS uses: RSA, ECDSA or Ed25519",
                key_file.name
            )
        })?;
        let identity = super::digest::sha256([&cert_file.bytes[..], &key_file.bytes]);
        let certified = CertifiedKey::new(chain, signing);
        match certified.keys_match() {
            Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(Error::InconsistentKeys(_)) => {
                return Err(format!(
                    "the private key in {} does not belong to the first certificate in {name}; give the key \
                     that the certificate was issued for",
                    key_file.name
                ));
            }
            Err(Error::InvalidCertificate(reason)) => {
                return Err(format!("the certificate in {name} is invalid: {}", explain(&reason)));
            }
            Err(error) => return Err(format!("the certificate in {name} is invalid: {error}")),
        }
        let mut certificate = Self::new(certified, identity)
            .map_err(|error| format!("the certificate in {name} is invalid: {error}"))?;
        certificate.warnings.iter_mut().for_each(|warning| *warning = format!("{name}: {warning}"));
        if key_file.is_public {
            certificate.warnings.push(format!(
                "{}: every user can read the private key; run chmod o-r, and renew the key if they should not have",
                key_file.name
            ));
        }
        Ok(certificate)
    }

    /// Returns the reasons why clients may not accept it, and other problems that do not prevent its use.
    pub(in crate::settings) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Takes a certificate and its key.
    ///
    /// # Errors
    ///
    /// If the certificate cannot be parsed.
    pub(super) fn new(key: CertifiedKey, identity: Vec<u8>) -> Result<Self, String> {
        let der = key.end_entity_cert().map_err(|error| error.to_string())?;
        let (_, parsed) = X509Certificate::from_der(der).map_err(|error| error.to_string())?;
        let (names, warnings) = (names(&parsed), warnings(&parsed, ASN1Time::now()));
        let expiry = expiry(&parsed);
        Ok(Self { key: Arc::new(key), names, expiry, identity, warnings })
    }
}

/// Reads the file of a certificate, and that of its key, if it is another.
fn read(cert: &Path, key: Option<&Path>) -> Result<(PemFile, Option<PemFile>), String> {
    let read = |path, content| PemFile::read(path, content, limits::CERTIFICATE_FILE);
    let Some(key) = key.filter(|&key| key != cert) else {
        let both = "the certificate of the server, its chain and its private key";
        return Ok((read(cert, both)?, None));
    };
    let cert = read(cert, "the certificate of the server and its chain")?;
    Ok((cert, Some(read(key, "the private key of the server")?)))
}

/// Returns the reason for which a certificate, also one of a CA, cannot be used. Without extensions, `openssl x509 -req` makes one of
/// version 1.
pub(super) fn explain(reason: &CertificateError) -> String {
    match reason {
        CertificateError::Other(error) if error.to_string() == "UnsupportedCertVersion" => {
            "its X.509 version is not 3; issue it with extensions, as 'openssl x509 -req -extfile FILE' does"
                .to_owned()
        }
        CertificateError::BadEncoding => "it cannot be parsed".to_owned(),
        other => other.to_string(),
    }
}

/// Returns the DNS names of a certificate. Addresses are left out, because SNI has only DNS names.
fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let extension = certificate.subject_alternative_name().ok().flatten();
    let names = extension.iter().flat_map(|extension| &extension.value.general_names);
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    };
    names.filter_map(name).collect()
}

/// Returns the end of the validity of a certificate.
fn expiry(certificate: &X509Certificate<'_>) -> Option<SystemTime> {
    let seconds = u64::try_from(certificate.validity().not_after.timestamp()).ok()?;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// Returns the reasons why clients will not accept the certificate at this time.
fn warnings(certificate: &X509Certificate<'_>, now: ASN1Time) -> Vec<String> {
    let validity = certificate.validity();
    let subject = Escaped(certificate.subject().to_string().as_bytes()).to_string();
    let mut warnings = Vec::new();
    if now > validity.not_after {
        let since = time_text(validity.not_after);
        warnings.push(format!("the certificate of {subject} expired on {since}; renew it"));
    } else if now < validity.not_before {
        let from = time_text(validity.not_before);
        warnings.push(format!(
            "the certificate of {subject} is not valid before {from}; check the clock"
        ));
    }
    if !names_a_server(certificate) {
        warnings.push(format!(
            "the certificate of {subject} has no DNS name and no address (subjectAltName), so clients that verify \
             names refuse it; issue it with one"
        ));
    }
    warnings
}

/// Returns whether a certificate has something that clients compare with the host: they ignore the subject (RFC 9525).
fn names_a_server(certificate: &X509Certificate<'_>) -> bool {
    let extension = certificate.subject_alternative_name().ok().flatten();
    extension.is_some_and(|extension| {
        let is_host = |name| matches!(name, &GeneralName::DNSName(_) | &GeneralName::IPAddress(_));
        extension.value.general_names.iter().any(is_host)
    })
}

/// Returns a time as `2027-01-31 12:00:00 UTC`.
fn time_text(time: ASN1Time) -> String {
    let time = time.to_datetime();
    let (hour, minute, second) = time.to_hms();
    let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}
