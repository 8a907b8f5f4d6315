//! Facts about a certificate, in words.

use std::net::IpAddr;

use common::{count::Count, escape::Escaped};
use rustls::{
    CertificateError,
    crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256,
    pki_types::{CertificateDer, UnixTime},
};
use x509_parser::{
    prelude::{ASN1Time, FromDer as _, GeneralName, X509Certificate},
    x509::X509Name,
};

use super::options::Fingerprint;

/// Facts about a certificate. A server chooses all texts, so they are escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Certificate {
    /// Distinguished name of its owner.
    pub(super) subject: String,
    /// Distinguished name of the CA.
    pub(super) issuer: String,
    /// Names and addresses that it is valid for.
    pub(super) names: Vec<String>,
    /// First time at which it is valid, in seconds since 1970.
    pub(super) not_before: i64,
    /// Last time at which it is valid.
    pub(super) not_after: i64,
    /// SHA-256 of its bytes.
    pub(super) fingerprint: Fingerprint,
}

impl Certificate {
    /// Reads a certificate; returns `None` if it is not one.
    pub(super) fn read(der: &CertificateDer<'_>) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let validity = certificate.validity();
        let names = certificate.subject_alternative_name().ok().flatten();
        let names = names.map(|names| names.value.general_names.iter().filter_map(name).collect());
        Some(Self {
            subject: distinguished_name(certificate.subject()),
            issuer: distinguished_name(certificate.issuer()),
            names: names.unwrap_or_default(),
            not_before: validity.not_before.timestamp(),
            not_after: validity.not_after.timestamp(),
            fingerprint: fingerprint(der),
        })
    }

    /// Returns `true` if its owner has issued it.
    pub(super) fn is_self_signed(&self) -> bool {
        self.subject == self.issuer
    }
}

/// Returns whether a certificate is refused because its X.509 version is not 3.
pub(super) fn is_old_version(reason: &CertificateError) -> bool {
    matches!(reason, CertificateError::Other(error) if error.to_string() == "UnsupportedCertVersion")
}

/// Returns the SHA-256 of a certificate.
pub(super) fn fingerprint(der: &CertificateDer<'_>) -> Fingerprint {
    let suite = TLS13_AES_128_GCM_SHA256.tls13().expect("the suite is one of TLS 1.3");
    let hash = suite.common.hash_provider.hash(der);
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(hash.as_ref());
    Fingerprint(fingerprint)
}

fn distinguished_name(name: &X509Name<'_>) -> String {
    let name = name.to_string();
    if name.is_empty() { "(no name)".to_owned() } else { Escaped(name.as_bytes()).to_string() }
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(Escaped(name.as_bytes()).to_string()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let address = v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from));
            address.ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

/// Returns a time as `2027-01-31 12:00:00 UTC`.
pub(super) fn time_text(seconds: i64) -> String {
    let Ok(time) = ASN1Time::from_timestamp(seconds) else { return "an unknown time".to_owned() };
    let time = time.to_datetime();
    let (hour, minute, second) = time.to_hms();
    let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// Returns the distance between two times in its largest unit: `3 days`, `1 hour`.
pub(super) fn distance(from: i64, to: i64) -> String {
    let seconds = from.abs_diff(to);
    let (number, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    Count(number, unit).to_string()
}

/// Returns a time of rustls in seconds since 1970.
pub(super) fn seconds(time: UnixTime) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_and_a_distance_have_words() {
        assert_eq!(time_text(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(time_text(1_800_000_000), "2027-01-15 08:00:00 UTC");
        for (seconds, text) in [
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "1 minute"),
            (7200, "2 hours"),
            (86_400, "1 day"),
            (864_000, "10 days"),
        ] {
            assert_eq!(distance(100, 100 + seconds), text);
            assert_eq!(distance(100 + seconds, 100), text);
        }
    }

    #[test]
    fn no_certificate_is_read_from_other_bytes() {
        assert_eq!(Certificate::read(&CertificateDer::from(vec![1, 2, 3])), None);
    }
}
