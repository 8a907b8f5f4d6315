//! Verification of the certificate of a server.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::{
    CertificateError, DigitallySignedStruct, Error, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};

use super::{
    certificate::{Certificate, fingerprint, seconds},
    options::Fingerprint,
};

/// Condition under which a certificate is accepted.
#[derive(Debug)]
pub(super) enum Rule {
    /// A chain to a trusted CA, the right name, the right time.
    Chain {
        /// Verifier of chains.
        verifier: Arc<WebPkiServerVerifier>,
        /// Certificates that the user trusts by file. The server's own may be one of them: `openssl req -x509` makes a
        /// certificate that is a CA and a server at once, which the verifier refuses as that of a server.
        listed: Vec<CertificateDer<'static>>,
    },
    /// This certificate.
    Pin(Fingerprint),
    /// Anything.
    Any,
}

/// Verifier of servers. It keeps the certificate that it refused last, for the error message: rustls reports only
/// the reason.
#[derive(Debug)]
pub(super) struct Trust {
    rule: Rule,
    provider: Arc<CryptoProvider>,
    refused: Mutex<Option<CertificateDer<'static>>>,
}

impl Trust {
    pub(super) fn new(rule: Rule, provider: Arc<CryptoProvider>) -> Self {
        Self { rule, provider, refused: Mutex::default() }
    }

    /// Returns the certificate that was refused last, once.
    pub(super) fn take_refused(&self) -> Option<CertificateDer<'static>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Returns the only certificate that is accepted, if there is one.
    pub(super) fn pin(&self) -> Option<Fingerprint> {
        if let Rule::Pin(pin) = self.rule { Some(pin) } else { None }
    }
}

/// Verifies the name and the time of a certificate that is trusted itself.
fn verify_listed(
    leaf: &CertificateDer<'_>,
    name: &ServerName<'_>,
    now: UnixTime,
) -> Result<ServerCertVerified, Error> {
    verify_server_name(&ParsedCertificate::try_from(leaf)?, name)?;
    let facts = Certificate::read(leaf).ok_or(CertificateError::BadEncoding)?;
    match seconds(now) {
        now if now < facts.not_before => Err(CertificateError::NotValidYet.into()),
        now if now > facts.not_after => Err(CertificateError::Expired.into()),
        _ => Ok(ServerCertVerified::assertion()),
    }
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = match &self.rule {
            Rule::Chain { listed, .. } if listed.contains(leaf) => verify_listed(leaf, name, now),
            Rule::Chain { verifier, .. } => {
                verifier.verify_server_cert(leaf, chain, name, ocsp, now)
            }
            Rule::Pin(pin) if fingerprint(leaf) != *pin => {
                Err(CertificateError::ApplicationVerificationFailure.into())
            }
            Rule::Pin(_) | Rule::Any => Ok(ServerCertVerified::assertion()),
        };
        if verified.is_err() {
            let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            *refused = Some(leaf.clone().into_owned());
        }
        verified
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
