//! The errors of rustls in words, for the operator of a server.

use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};

/// Describes why TLS with a client failed, in its handshake or later.
pub(super) fn explain(error: &Error, is_handshaking: bool) -> String {
    match error {
        Error::AlertReceived(alert) => explain_alert(*alert, is_handshaking),
        Error::InvalidCertificate(error) => {
            format!("its certificate is not accepted: {}", explain_certificate(error))
        }
        Error::NoCertificatesPresented => {
            "it has no certificate, which this listener requires".to_owned()
        }
        Error::NoApplicationProtocol => {
            "it offers no application protocol (ALPN) of this listener".to_owned()
        }
        Error::PeerIncompatible(reason) => explain_incompatible(reason),
        Error::DecryptError => "a record cannot be decrypted".to_owned(),
        Error::InvalidMessage(reason) => format!("it sent an invalid message ({reason:?})"),
        Error::PeerMisbehaved(reason) => format!("it broke the protocol ({reason:?})"),
        Error::PeerSentOversizedRecord => "it sent a record that is too long".to_owned(),
        other => other.to_string(),
    }
}

fn explain_alert(alert: AlertDescription, is_handshaking: bool) -> String {
    use AlertDescription as A;
    let cause = match alert {
        A::UnknownCA => "it does not trust the issuer of the server's certificate",
        A::BadCertificate | A::CertificateUnknown | A::UnsupportedCertificate => {
            "it does not accept the server's certificate"
        }
        A::CertificateExpired => "it rejects the server's certificate as expired",
        A::CertificateRevoked => "it rejects the server's certificate as revoked",
        A::ProtocolVersion if is_handshaking => "it accepts none of the server's versions of TLS",
        A::HandshakeFailure if is_handshaking => "it found no common parameters",
        A::UserCanceled if is_handshaking => "it cancelled the handshake",
        _ => "it ended the connection",
    };
    format!("{cause} (alert {})", name(alert))
}

/// Returns the name of an alert as the standard writes it: `unknown_ca`.
fn name(alert: AlertDescription) -> String {
    let Some(name) = alert.as_str() else { return u8::from(alert).to_string() };
    let mut words = String::new();
    let mut previous = '_';
    for character in name.chars() {
        if character.is_uppercase() && previous.is_lowercase() {
            words.push('_');
        }
        words.push(character.to_ascii_lowercase());
        previous = character;
    }
    words
}

fn explain_certificate(error: &CertificateError) -> String {
    use CertificateError as E;
    match error {
        E::UnknownIssuer => "no CA of this listener has issued it".to_owned(),
        E::Expired | E::ExpiredContext { .. } => "it is expired".to_owned(),
        E::NotValidYet | E::NotValidYetContext { .. } => "it is not valid yet".to_owned(),
        E::Revoked => "it is revoked".to_owned(),
        E::UnknownRevocationStatus => {
            "no revocation list of this listener covers its issuer".to_owned()
        }
        E::ExpiredRevocationList | E::ExpiredRevocationListContext { .. } => {
            "the revocation list of its issuer is out of date".to_owned()
        }
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => {
            "it is not a certificate of a client".to_owned()
        }
        E::Other(error) if error.to_string() == "UnsupportedCertVersion" => {
            "its X.509 version is not 3".to_owned()
        }
        E::Other(error) => format!("its chain cannot be verified ({error})"),
        other => other.to_string(),
    }
}

fn explain_incompatible(reason: &PeerIncompatible) -> String {
    use PeerIncompatible as P;
    match reason {
        P::Tls12NotOffered
        | P::Tls12NotOfferedOrEnabled
        | P::SupportedVersionsExtensionRequired
        | P::Tls13RequiredForQuic => {
            "it offers no version of TLS that this listener accepts".to_owned()
        }
        P::SignatureAlgorithmsExtensionRequired => {
            "it names no signature schemes, as clients older than TLS 1.2 do not".to_owned()
        }
        P::NoCipherSuitesInCommon => "it offers no cipher suite of this server".to_owned(),
        P::NoKxGroupsInCommon => "it offers no key exchange group of this server".to_owned(),
        P::NoSignatureSchemesInCommon => {
            "it offers no signature scheme that fits the server's certificate".to_owned()
        }
        other => format!("it is not compatible ({other:?})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_has_the_name_of_the_standard() {
        assert_eq!(name(AlertDescription::UnknownCA), "unknown_ca");
        assert_eq!(name(AlertDescription::BadRecordMac), "bad_record_mac");
        assert_eq!(name(AlertDescription::ProtocolVersion), "protocol_version");
        assert_eq!(name(AlertDescription::Unknown(200)), "200");
    }

    #[test]
    fn a_client_that_rejects_the_servers_certificate_is_the_subject() {
        for (alert, expected) in [
            (AlertDescription::CertificateExpired, "as expired (alert certificate_expired)"),
            (AlertDescription::CertificateRevoked, "as revoked (alert certificate_revoked)"),
        ] {
            let text = explain(&Error::AlertReceived(alert), true);
            assert_eq!(text, format!("it rejects the server's certificate {expected}"));
        }
    }

    #[test]
    fn an_alert_after_the_handshake_is_not_explained_by_the_handshake() {
        let error = Error::AlertReceived(AlertDescription::HandshakeFailure);
        let expected = "it found no common parameters (alert handshake_failure)";
        assert_eq!(explain(&error, true), expected);
        assert_eq!(explain(&error, false), "it ended the connection (alert handshake_failure)");
    }
}
