//! From the parameters of a listener to the configuration of its connections.

use std::{iter, sync::Arc};

use rustls::{
    Error, RootCertStore, ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, CertificateRevocationListDer},
    server::{VerifierBuilderError, WebPkiClientVerifier, danger::ClientCertVerifier},
    version::{TLS12, TLS13},
};

use super::{
    certificate::{Certificate, explain},
    digest::sha256,
    file::PemFile,
    key_log::KeyLog,
    parameters::{ClientCert, TlsParameters, Version},
    self_signed,
    server_names::ServerNames,
};
use crate::config::{Tls, limits};

/// The certificate of listeners without one of their own.
#[derive(Clone, Debug)]
pub(in crate::settings) enum DefaultCertificate {
    /// There is none.
    Missing,
    /// It is that of `tls-cert`.
    Loaded(Certificate),
    /// It is generated for this run.
    SelfSigned,
}

/// Loads the files of the listener with this address. Returns its configuration, and warnings about it.
///
/// # Errors
///
/// If a file cannot be used. The message names it.
pub(in crate::settings) fn load(
    address: &str,
    parameters: &TlsParameters,
    default: &DefaultCertificate,
    key_log: Option<&KeyLog>,
) -> Result<(Tls, Vec<String>), String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let certificates = certificates(address, parameters, default, &provider)?;
    let warnings = certificates.iter().flat_map(|certificate| certificate.warnings.clone());
    let mut warnings: Vec<String> = warnings.collect();
    if parameters.certs.is_empty() {
        // Reported once for all listeners.
        warnings.clear();
    }
    let mut identity: Vec<Vec<u8>> = vec![format!("{parameters:?} {key_log:?}").into_bytes()];
    identity.extend(certificates.iter().map(|certificate| certificate.identity.clone()));
    let expiry = certificates.iter().filter_map(|certificate| certificate.expiry).min();
    let verifier = client_verifier(parameters, &provider, &mut identity)?;
    let versions = match parameters.min {
        Version::Tls12 => &[&TLS13, &TLS12][..],
        Version::Tls13 => &[&TLS13],
    };
    let invalid = |error: Error| format!("cannot serve TLS with these parameters: {error}");
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_protocol_versions(versions).map_err(invalid)?;
    let mut config = builder
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(ServerNames(certificates)));
    config.alpn_protocols = parameters.alpn.iter().map(|name| name.clone().into_bytes()).collect();
    // The suites of rustls are in the order of their strength; a client has no better one.
    config.ignore_client_order = true;
    // Tickets are encrypted with keys that change every six hours; early data stays off.
    config.ticketer = aws_lc_rs::Ticketer::new().map_err(invalid)?;
    if let Some(key_log) = key_log {
        config.key_log = Arc::new(key_log.clone());
    }
    let tls = Tls::new(Arc::new(config)).map_err(invalid)?;
    let identity = sha256(identity.iter().map(Vec::as_slice));
    let tls = tls.with_identity(identity);
    Ok((expiry.into_iter().fold(tls, Tls::with_expiry), warnings))
}

fn certificates(
    address: &str,
    parameters: &TlsParameters,
    default: &DefaultCertificate,
    provider: &CryptoProvider,
) -> Result<Vec<Certificate>, String> {
    if parameters.certs.is_empty() {
        return match default {
            DefaultCertificate::Loaded(certificate) => Ok(vec![certificate.clone()]),
            DefaultCertificate::SelfSigned => {
                self_signed::certificate(provider).map(|made| vec![made])
            }
            DefaultCertificate::Missing => Err(format!(
                "{address} has no certificate: add cert=FILE&key=FILE, or set 'tls-cert' and 'tls-key', or try it with \
                 'tls-self-signed'"
            )),
        };
    }
    let keys = parameters.keys.iter().map(|key| Some(key.as_path())).chain(iter::repeat(None));
    let files = parameters.certs.iter().zip(keys);
    files.map(|(cert, key)| Certificate::load(provider, cert, key)).collect()
}

/// Returns the verifier of the certificates of clients. Appends the content of its files to `identity`.
fn client_verifier(
    parameters: &TlsParameters,
    provider: &Arc<CryptoProvider>,
    identity: &mut Vec<Vec<u8>>,
) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let Some(path) = &parameters.client_ca else {
        return Ok(WebPkiClientVerifier::no_client_auth());
    };
    let file = PemFile::read(path, "the CAs of the clients", limits::CERTIFICATE_FILE)?;
    let mut roots = RootCertStore::empty();
    for ca in file.objects::<CertificateDer<'static>>("certificate")? {
        roots.add(ca).map_err(|error| {
            let reason = match &error {
                Error::InvalidCertificate(reason) => explain(reason),
                other => other.to_string(),
            };
            format!("a CA in {} is invalid: {reason}", file.name)
        })?;
    }
    identity.push(file.bytes);
    let (mut crls, mut names) = (Vec::new(), Vec::new());
    for path in &parameters.crls {
        let file = PemFile::read(path, "the revocation list of a CA", limits::REVOCATION_FILE)?;
        crls.extend(file.objects::<CertificateRevocationListDer<'static>>("revocation list")?);
        identity.push(file.bytes);
        names.push(file.name);
    }
    let builder =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
            .with_crls(crls)
            .only_check_end_entity_revocation()
            .enforce_revocation_expiration();
    let builder = match parameters.client_cert {
        Some(ClientCert::Optional) => builder.allow_unauthenticated(),
        Some(ClientCert::Required) | None => builder,
    };
    builder.build().map_err(|error| match error {
        VerifierBuilderError::InvalidCrl(reason) => {
            format!("a revocation list in {} is invalid: {reason:?}", names.join(" or "))
        }
        other => format!("cannot verify clients with {}: {other}", file.name),
    })
}
