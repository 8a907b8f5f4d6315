//! From an error of rustls to one with a text for the user.

use common::escape::Escaped;
use rustls::{
    AlertDescription as Alert, CertificateError as Refusal, Error as TlsError, HandshakeType,
    InvalidMessage, PeerIncompatible, pki_types::UnixTime,
};

use super::{
    certificate::{Certificate, distance, is_old_version, seconds, time_text},
    client::Client,
    error::Error,
};

/// State of the connection at the time of the error.
pub(super) struct Evidence<'e> {
    pub(super) client: &'e Client,
    /// First bytes of the server.
    pub(super) head: &'e [u8],
    pub(super) is_handshaking: bool,
    /// The server has asked for a certificate of the client on this connection.
    pub(super) is_certificate_requested: bool,
}

/// Returns the error with a text for the user.
pub(super) fn explain(error: &TlsError, evidence: &Evidence<'_>) -> Error {
    match error {
        TlsError::InvalidCertificate(reason) => certificate(reason, evidence.client),
        TlsError::AlertReceived(alert) => {
            received_alert(*alert, evidence.client, evidence.is_certificate_requested)
        }
        TlsError::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        )
        | TlsError::InvalidMessage(InvalidMessage::UnknownProtocolVersion) => {
            if has_record(evidence.head) { Error::Version } else { plain_text(evidence.head) }
        }
        TlsError::InappropriateHandshakeMessage {
            got_type: HandshakeType::ClientHello, ..
        } => Error::PlainEcho,
        TlsError::InvalidMessage(_) if evidence.is_handshaking && !has_record(evidence.head) => {
            plain_text(evidence.head)
        }
        TlsError::DecryptError => Error::Protocol("a record was damaged".to_owned()),
        error => Error::Protocol(Escaped(error.to_string().as_bytes()).to_string()),
    }
}

fn plain_text(head: &[u8]) -> Error {
    Error::PlainText(head.to_vec())
}

/// Returns whether the server began with a record of a handshake or an alert.
fn has_record(head: &[u8]) -> bool {
    matches!(head, [0x15 | 0x16, 3, ..])
}

/// Returns the error for a certificate that was refused.
fn certificate(reason: &Refusal, client: &Client) -> Error {
    let Some(refused) = client.trust.take_refused().and_then(|der| Certificate::read(&der)) else {
        return Error::Certificate(reason.to_string());
    };
    let now = seconds(UnixTime::now());
    match reason {
        Refusal::UnknownIssuer if refused.is_self_signed() => {
            Error::SelfSigned { subject: refused.subject, fingerprint: refused.fingerprint }
        }
        Refusal::UnknownIssuer => {
            Error::UnknownIssuer { issuer: refused.issuer, fingerprint: refused.fingerprint }
        }
        Refusal::BadSignature => {
            Error::WrongCa { issuer: refused.issuer, fingerprint: refused.fingerprint }
        }
        Refusal::NotValidForName | Refusal::NotValidForNameContext { .. }
            if refused.names.is_empty() =>
        {
            Error::NoNames { fingerprint: refused.fingerprint }
        }
        Refusal::NotValidForName | Refusal::NotValidForNameContext { .. } => {
            Error::WrongName { expected: client.name.to_str().into_owned(), names: refused.names }
        }
        // The context may be that of a CA in the chain.
        Refusal::ExpiredContext { not_after, .. } => expired(seconds(*not_after), now),
        Refusal::Expired => expired(refused.not_after, now),
        Refusal::NotValidYetContext { not_before, .. } => not_yet_valid(seconds(*not_before), now),
        Refusal::NotValidYet => not_yet_valid(refused.not_before, now),
        Refusal::ApplicationVerificationFailure if client.trust.pin().is_some() => {
            Error::WrongPin { received: refused.fingerprint }
        }
        // webpki's text for a certificate that was made to be a CA, as `openssl req -x509` makes it.
        reason if refused.is_self_signed() && reason.to_string().contains("CaUsedAsEndEntity") => {
            Error::SelfSigned { subject: refused.subject, fingerprint: refused.fingerprint }
        }
        reason if is_old_version(reason) => Error::OldVersion,
        reason => Error::Certificate(reason.to_string()),
    }
}

fn expired(not_after: i64, now: i64) -> Error {
    Error::Expired { since: time_text(not_after), ago: distance(not_after, now) }
}

fn not_yet_valid(not_before: i64, now: i64) -> Error {
    Error::NotYetValid { from: time_text(not_before), left: distance(now, not_before) }
}

/// Returns the error for a connection that ended during the handshake. A server that misses a certificate closes without
/// reading what the client sends after it, and the reset that follows may discard its alert.
pub(super) fn explain_cut(client: &Client, is_certificate_requested: bool) -> Error {
    if is_certificate_requested && !client.identity.is_given() {
        Error::ClientCertificateWanted
    } else {
        Error::Cut
    }
}

/// Returns the error for an alert of the server. Only TLS 1.3 has an alert for a missing certificate; before, a server
/// that had asked for one refuses the handshake.
fn received_alert(alert: Alert, client: &Client, is_requested: bool) -> Error {
    let text = || snake_case(&format!("{alert:?}"));
    let is_given = client.identity.is_given();
    match alert {
        Alert::ProtocolVersion => Error::Version,
        Alert::NoApplicationProtocol => Error::Alpn { offered: client.options().alpn.clone() },
        Alert::CertificateRequired => Error::ClientCertificateWanted,
        Alert::HandshakeFailure | Alert::BadCertificate if is_requested && !is_given => {
            Error::ClientCertificateWanted
        }
        Alert::BadCertificate
        | Alert::UnsupportedCertificate
        | Alert::CertificateRevoked
        | Alert::CertificateExpired
        | Alert::CertificateUnknown
        | Alert::UnknownCA
        | Alert::AccessDenied
        | Alert::DecryptError
            if is_requested && is_given =>
        {
            Error::ClientCertificateRefused(text())
        }
        _ => Error::Alert(text()),
    }
}

/// Returns the name of an alert as RFC 8446 writes it: `HandshakeFailure` is `handshake_failure`.
fn snake_case(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && text.ends_with(|last: char| last.is_ascii_lowercase()) {
            text.push('_');
        }
        // `UnknownCA`: an abbreviation is one word.
        text.push(letter);
    }
    text.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::{
        Fingerprint, TlsOptions, TrustOption,
        testing::{self, VERSION_1},
    };
    use rcgen::{CertificateParams, KeyPair};
    use rustls::{
        client::danger::ServerCertVerifier as _,
        pki_types::{CertificateDer, pem::PemObject as _},
        server::ParsedCertificate,
    };

    /// Returns the error for a certificate that was refused for this reason.
    fn refused(der: &CertificateDer<'_>, reason: &Refusal) -> Error {
        let trust = TrustOption::Pin(Fingerprint([0; 32]));
        let options = TlsOptions { trust, ..testing::client().options().clone() };
        let client = Client::new(&options).unwrap();
        client.trust.verify_server_cert(der, &[], &client.name, &[], UnixTime::now()).unwrap_err();
        certificate(reason, &client)
    }

    #[test]
    fn a_certificate_without_names_is_not_valid_for_others() {
        let key = KeyPair::generate().unwrap();
        let der = CertificateParams::default().self_signed(&key).unwrap().der().clone();
        let error = refused(&der, &Refusal::NotValidForName);
        assert_eq!(error.to_string(), "its certificate names no server: it has no subjectAltName");
        assert!(error.advice().unwrap().contains("Accept this one with --tls-pin "));
    }

    #[test]
    fn a_certificate_without_extensions_is_of_an_old_version() {
        let der = CertificateDer::from_pem_slice(VERSION_1.as_bytes()).unwrap();
        let Err(TlsError::InvalidCertificate(reason)) = ParsedCertificate::try_from(&der) else {
            panic!("webpki knows version 3 only");
        };
        let error = refused(&der, &reason);
        assert!(matches!(error, Error::OldVersion), "{error}");
    }

    #[test]
    fn an_alert_has_the_name_of_the_standard() {
        assert_eq!(snake_case("HandshakeFailure"), "handshake_failure");
        assert_eq!(snake_case("UnknownCA"), "unknown_ca");
        assert_eq!(snake_case("BadCertificateHashValue"), "bad_certificate_hash_value");
    }
}
