//! Failures of TLS, in words, with advice.

use std::{io, path::PathBuf, time::Duration};

use common::escape::Quoted;

use super::options::Fingerprint;

/// Reason for which TLS cannot be used at all, before any connection.
#[derive(Debug, thiserror::Error)]
#[cfg_attr(
    not(feature = "tls"),
    expect(dead_code, reason = "a build without TLS has no other failure")
)]
pub(crate) enum Unusable {
    /// A file that an option names.
    #[error("Could not use {}: {reason}", file.display())]
    File {
        /// Path of the file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The system trusts no CA.
    #[error(
        "No trusted CAs were found on this system; install its package of CA certificates, or use --tls-ca FILE"
    )]
    NoSystemCas,
    /// The name is neither a host name nor an address.
    #[error("'{0}' cannot be the name of a TLS server; use --tls-name NAME")]
    Name(String),
    /// The program was built without TLS.
    #[cfg_attr(feature = "tls", expect(dead_code, reason = "only a build without TLS fails so"))]
    #[error("This program was built without TLS; build it with the feature 'tls'")]
    NoTls,
    /// The TLS library refused the configuration.
    #[cfg(feature = "tls")]
    #[error("Could not configure TLS: {0}")]
    Library(rustls::Error),
}

/// Failure of one connection.
///
/// Its text continues a sentence, so it begins in lower case. [`Error::advice`] says what to do.
#[derive(Debug, thiserror::Error)]
#[cfg_attr(
    not(feature = "tls"),
    expect(dead_code, reason = "a build without TLS makes no TLS connection")
)]
pub(crate) enum Error {
    /// The server's certificate, or its chain, leads to no trusted CA.
    #[error("its certificate is from an unknown issuer: {issuer}")]
    UnknownIssuer {
        /// Distinguished name of the CA.
        issuer: String,
        /// Fingerprint of the server's certificate.
        fingerprint: Fingerprint,
    },
    /// The server's certificate names a trusted CA, which has not signed it: there is another CA of the same name.
    #[error("its certificate is not signed by the trusted CA of the name {issuer}")]
    WrongCa {
        /// Distinguished name of the CA.
        issuer: String,
        /// Fingerprint of the server's certificate.
        fingerprint: Fingerprint,
    },
    /// The server's certificate is its own issuer.
    #[error("its certificate is self-signed: {subject}")]
    SelfSigned {
        /// Distinguished name.
        subject: String,
        /// Fingerprint of the certificate.
        fingerprint: Fingerprint,
    },
    /// The certificate is for other names.
    #[error("its certificate is not valid for '{expected}', only for {}", list(names))]
    WrongName {
        /// Name that was expected.
        expected: String,
        /// Names of the certificate.
        names: Vec<String>,
    },
    /// The certificate has no names. Clients do not take the common name of the subject for one (RFC 9525).
    #[error("its certificate names no server: it has no subjectAltName")]
    NoNames {
        /// Fingerprint of the certificate.
        fingerprint: Fingerprint,
    },
    /// The certificate has no extensions, as `openssl x509 -req` makes it by default.
    #[error("its certificate cannot be used: its X.509 version is not 3")]
    OldVersion,
    /// The certificate has expired.
    #[error("its certificate expired on {since}, {ago} ago")]
    Expired {
        /// End of its validity.
        since: String,
        /// Time since then.
        ago: String,
    },
    /// The certificate is not valid yet.
    #[error("its certificate is not valid before {from}, in {left}")]
    NotYetValid {
        /// Start of its validity.
        from: String,
        /// Time until then.
        left: String,
    },
    /// The certificate is not the pinned one.
    #[error("its certificate has the fingerprint {received}, and not the one of --tls-pin")]
    WrongPin {
        /// Fingerprint of the certificate.
        received: Fingerprint,
    },
    /// The certificate is unacceptable for another reason.
    #[error("its certificate is not acceptable: {0}")]
    Certificate(String),
    /// The server wants a certificate of this client.
    #[error("it requires a client certificate")]
    ClientCertificateWanted,
    /// The server refused the certificate of this client.
    #[error("it refused the client certificate with the alert '{0}'")]
    ClientCertificateRefused(String),
    /// Server and client have no version in common.
    #[error("it supports neither TLS 1.2 nor TLS 1.3")]
    Version,
    /// The server supports none of the offered application protocols, or requires one and none was offered.
    #[error("{}", without_protocol(offered))]
    Alpn {
        /// Protocols that were offered.
        offered: Vec<String>,
    },
    /// The server answered in plain text.
    #[error("it does not speak TLS: it answered with {}", Quoted(.0))]
    PlainText(Vec<u8>),
    /// The server returned the `ClientHello`, as an echo server without TLS does.
    #[error("it does not speak TLS: it echoed the handshake")]
    PlainEcho,
    /// The connection ended during the handshake.
    #[error("it closed the connection during the TLS handshake")]
    Cut,
    /// The handshake was not complete within the time limit.
    #[error("no TLS handshake within {0:?}")]
    Late(Duration),
    /// The connection ended without a `close_notify`.
    #[error(
        "it ended the connection without a TLS close_notify, so its last bytes may have been cut off"
    )]
    Truncated,
    /// The server ended the session by an alert.
    #[error("it sent the TLS alert '{0}'")]
    Alert(String),
    /// The server broke the protocol, or a record was damaged.
    #[error("it broke the TLS protocol: {0}")]
    Protocol(String),
    /// The connection broke.
    #[error("{}", common::reason::reason(.0))]
    Io(io::Error),
}

impl Error {
    /// Returns what the user can do about a certificate that may be the right one.
    fn pin_advice(&self) -> Option<String> {
        let pin = |fingerprint| {
            format!("--tls-pin {fingerprint} if the server shows the same fingerprint")
        };
        match self {
            Self::UnknownIssuer { fingerprint, .. } | Self::WrongCa { fingerprint, .. } => {
                let pin = pin(fingerprint);
                Some(format!(
                    "Trust its CA with --tls-ca FILE, or only this certificate with {pin}."
                ))
            }
            Self::SelfSigned { fingerprint, .. } => {
                Some(format!("Trust it with {}, or with --tls-ca FILE.", pin(fingerprint)))
            }
            Self::NoNames { fingerprint } => {
                let pin = pin(fingerprint);
                Some(format!(
                    "The server needs a certificate with a subjectAltName. Accept this one with {pin}."
                ))
            }
            _ => None,
        }
    }

    /// Returns what the user can do about it.
    pub(crate) fn advice(&self) -> Option<String> {
        let advice = match self {
            Self::UnknownIssuer { .. }
            | Self::WrongCa { .. }
            | Self::SelfSigned { .. }
            | Self::NoNames { .. } => return self.pin_advice(),
            Self::OldVersion => {
                "The server needs a certificate with extensions: 'openssl x509 -req' makes one with -extfile FILE."
            }
            Self::WrongName { .. } => {
                "If it is the right server, name it as its certificate does: --tls-name NAME."
            }
            Self::Expired { .. } => {
                "The server needs a new certificate. If it is valid, check the clock of this machine."
            }
            Self::NotYetValid { .. } => {
                "Check the clock of this machine, and the certificate of the server."
            }
            Self::WrongPin { .. } => {
                "The server has a new certificate, or another server answered. Compare the fingerprint with the server's."
            }
            Self::ClientCertificateWanted => "Use --tls-cert FILE and --tls-key FILE.",
            Self::ClientCertificateRefused(_) => {
                "Check that the server trusts its issuer, and that it has not expired."
            }
            Self::Version => "The server is too old for this client; upgrade it.",
            Self::Alpn { offered } if offered.is_empty() => {
                "Offer one of the server's with --tls-alpn PROTOCOL."
            }
            Self::Alpn { .. } => "Offer one of the server's with --tls-alpn, or omit the flag.",
            Self::PlainText(_) | Self::PlainEcho => {
                "Use tcp:// for a server without TLS; for a Unix socket, leave out ?tls=on."
            }
            Self::Cut => {
                "Make sure that the server speaks TLS on this port. If it does, its log has the reason, such as a limit."
            }
            Self::Late(_) => "Make sure that the server speaks TLS on this port.",
            Self::Alert(alert) if alert == "handshake_failure" => {
                "It may have no cipher suite or key exchange in common with this client; its log has the reason."
            }
            Self::Alert(alert) if alert == "unrecognized_name" => {
                "It serves other names: use --tls-name NAME."
            }
            Self::Certificate(_)
            | Self::Truncated
            | Self::Alert(_)
            | Self::Protocol(_)
            | Self::Io(_) => return None,
        };
        Some(advice.to_owned())
    }

    /// Returns its text and, in a second line, the advice.
    pub(crate) fn with_advice(&self) -> String {
        match self.advice() {
            Some(advice) => format!("{self}\n{advice}"),
            None => self.to_string(),
        }
    }
}

fn without_protocol(offered: &[String]) -> String {
    match offered {
        [] => "it requires an application protocol (ALPN), and none was offered".to_owned(),
        [one] => format!("it does not support the application protocol '{one}' (ALPN)"),
        all => format!("it supports none of the application protocols {} (ALPN)", list(all)),
    }
}

fn list(names: &[String]) -> String {
    /// Some certificates have hundreds.
    const SHOWN: usize = 10;
    let shown: Vec<_> = names.iter().take(SHOWN).map(|name| format!("'{name}'")).collect();
    let more = names.len() - shown.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_with_many_names_is_shown_with_some() {
        let all: Vec<_> = (0..12).map(|index| format!("n{index}")).collect();
        assert_eq!(list(&all[..2]), "'n0', 'n1'");
        assert!(list(&all).ends_with("'n9' and 2 more"));
    }
}
