//! Client of one server: the configuration that all of its connections share.

use std::{
    fs, io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use common::{
    cli::{KeyLogFile, print_error},
    reason::reason,
};
use rustls::{
    CertificateError, ClientConfig, RootCertStore, SignatureScheme,
    client::{ResolvesClientCert, Resumption, WebPkiServerVerifier},
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
    sign::{CertifiedKey, SingleCertAndKey},
    version::{TLS12, TLS13},
};

use super::{
    certificate::is_old_version,
    error::Unusable,
    options::{TlsOptions, TrustOption},
    trust::{Rule, Trust},
};

/// Client of one server.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    options: Arc<TlsOptions>,
    pub(super) config: Arc<ClientConfig>,
    pub(super) name: ServerName<'static>,
    pub(super) trust: Arc<Trust>,
    pub(super) identity: Arc<Identity>,
}

impl Client {
    /// Reads the files that the options name, and the CAs of the system if they are needed.
    ///
    /// # Errors
    ///
    /// A file cannot be used, the system has no CAs, or the name cannot be one of a server.
    pub(crate) fn new(options: &TlsOptions) -> Result<Self, Unusable> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        // The first random number takes the library 40 ms, in which it measures the jitter of the clock. That is no part
        // of a handshake's time.
        let _ = provider.secure_random.fill(&mut [0]);
        let name = ServerName::try_from(options.name.clone())
            .map_err(|_| Unusable::Name(options.name.clone()))?;
        let rule = match &options.trust {
            TrustOption::System => {
                Rule::Chain { verifier: verifier(system_cas()?, &provider)?, listed: Vec::new() }
            }
            TrustOption::Ca(file) => {
                let file = file.as_ref();
                let listed = certificates(file)?;
                Rule::Chain { verifier: verifier(cas(file, &listed)?, &provider)?, listed }
            }
            TrustOption::Pin(pin) => Rule::Pin(*pin),
            TrustOption::Nothing => Rule::Any,
        };
        let key = options.identity.as_ref();
        let key = key
            .map(|(chain, key)| certified_key(chain.as_ref(), key.as_ref(), &provider))
            .transpose()?;
        let identity = Arc::new(Identity { key, is_requested: AtomicBool::new(false) });
        let trust = Arc::new(Trust::new(rule, Arc::clone(&provider)));
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(Unusable::Library)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::<Trust>::clone(&trust))
            .with_client_cert_resolver(Arc::<Identity>::clone(&identity));
        config.alpn_protocols = options.alpn.iter().map(|it| it.clone().into_bytes()).collect();
        if let Some(file) = &options.key_log {
            let log = KeyLog::open(file.as_ref());
            config.key_log =
                Arc::new(log.map_err(|error| unusable(file.as_ref(), reason(&error)))?);
        }
        if !options.is_resuming {
            config.resumption = Resumption::disabled();
        }
        let (options, config) = (Arc::new(options.clone()), Arc::new(config));
        Ok(Self { options, config, name, trust, identity })
    }

    /// Returns the options that it was made from.
    pub(crate) fn options(&self) -> &TlsOptions {
        &self.options
    }
}

impl PartialEq for Client {
    /// Two are equal if they share their configuration.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.config, &other.config)
    }
}

/// Certificate of this client, which a server may want.
#[derive(Debug)]
pub(super) struct Identity {
    key: Option<SingleCertAndKey>,
    /// A server has asked for a certificate since the last call of [`Identity::take_requested`].
    is_requested: AtomicBool,
}

impl Identity {
    /// Returns `true` if a server asked for a certificate, once. rustls resumes a session only with the resolver that it
    /// began with, so all connections share this one, and each of them looks after it has processed a message.
    pub(super) fn take_requested(&self) -> bool {
        self.is_requested.swap(false, Ordering::Relaxed)
    }

    /// Returns `true` if there is a certificate.
    pub(super) fn is_given(&self) -> bool {
        self.key.is_some()
    }
}

impl ResolvesClientCert for Identity {
    fn resolve(&self, issuers: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.is_requested.store(true, Ordering::Relaxed);
        self.key.as_ref()?.resolve(issuers, schemes)
    }

    /// Always: without a certificate too, the request of a server must be seen.
    fn has_certs(&self) -> bool {
        true
    }
}

/// Log of the session secrets in a file.
#[derive(Debug)]
struct KeyLog {
    file: KeyLogFile,
    /// A secret could not be written.
    is_incomplete: AtomicBool,
}

impl KeyLog {
    /// Opens the file, before a connection is made.
    ///
    /// # Errors
    ///
    /// An error of `open(2)`.
    fn open(path: &Path) -> io::Result<Self> {
        let file = KeyLogFile::new(path.to_owned());
        file.open()?;
        Ok(Self { file, is_incomplete: AtomicBool::new(false) })
    }
}

impl rustls::KeyLog for KeyLog {
    /// Appends a secret. A failure does not end the connection, and is reported once.
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        if let Err(error) = self.file.append(label, client_random, secret)
            && !self.is_incomplete.swap(true, Ordering::Relaxed)
        {
            print_error(&format!(
                "Warning: could not write to {}: {}; session secrets are missing in it",
                self.file.path().display(),
                reason(&error)
            ));
        }
    }
}

fn verifier(
    cas: RootCertStore,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, Unusable> {
    WebPkiServerVerifier::builder_with_provider(Arc::new(cas), Arc::clone(provider))
        .build()
        .map_err(|error| Unusable::Library(rustls::Error::General(error.to_string())))
}

/// Returns the CAs of the system. Some that cannot be read are no failure: a server may need another.
fn system_cas() -> Result<RootCertStore, Unusable> {
    let mut cas = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (usable, _) = cas.add_parsable_certificates(found.certs);
    if usable == 0 { Err(Unusable::NoSystemCas) } else { Ok(cas) }
}

fn cas(file: &Path, certificates: &[CertificateDer<'static>]) -> Result<RootCertStore, Unusable> {
    let mut cas = RootCertStore::empty();
    for certificate in certificates {
        cas.add(certificate.clone()).map_err(|error| unusable(file, invalid_ca(&error)))?;
    }
    Ok(cas)
}

/// Returns the reason for which a CA cannot be used. The text of rustls is about a peer.
fn invalid_ca(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(reason) if is_old_version(reason) => {
            "it holds a CA whose X.509 version is not 3".to_owned()
        }
        rustls::Error::InvalidCertificate(CertificateError::BadEncoding) => {
            "it holds an invalid CA: it cannot be parsed".to_owned()
        }
        rustls::Error::InvalidCertificate(reason) => format!("it holds an invalid CA: {reason}"),
        other => format!("it holds an invalid CA: {other}"),
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Unusable> {
    let pem = read(file)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => {
            Err(unusable(file, "it has no certificate in PEM form (-----BEGIN CERTIFICATE-----)"))
        }
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(unusable(file, error.to_string())),
    }
}

fn certified_key(
    chain: &Path,
    key: &Path,
    provider: &CryptoProvider,
) -> Result<SingleCertAndKey, Unusable> {
    let certificates = certificates(chain)?;
    let pem = read(key)?;
    let is_encrypted = pem.windows(9).any(|window| window == b"ENCRYPTED");
    let private = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| {
        let reason = if is_encrypted {
            "the key is encrypted; write it without a passphrase: openssl pkey -in FILE"
        } else {
            "it has no private key in PEM form (-----BEGIN PRIVATE KEY-----)"
        };
        unusable(key, reason)
    })?;
    match CertifiedKey::from_der(certificates, private, provider) {
        Ok(key) => Ok(key.into()),
        Err(rustls::Error::InconsistentKeys(_)) => Err(unusable(
            key,
            format!("the key does not belong to the certificate {}", chain.display()),
        )),
        Err(rustls::Error::InvalidCertificate(reason)) if is_old_version(&reason) => Err(unusable(
            chain,
            "its X.509 version is not 3; issue it with extensions, as 'openssl x509 -req -extfile FILE' does",
        )),
        Err(rustls::Error::InvalidCertificate(reason)) => {
            Err(unusable(chain, format!("the certificate is invalid: {reason}")))
        }
        Err(error) => Err(unusable(key, format!("the key cannot be used: {error}"))),
    }
}

fn unusable(file: &Path, reason: impl Into<String>) -> Unusable {
    Unusable::File { file: file.into(), reason: reason.into() }
}

fn read(file: &Path) -> Result<Vec<u8>, Unusable> {
    fs::read(file).map_err(|error| unusable(file, reason(&error)))
}
