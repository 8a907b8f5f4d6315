//! A CA for one test, and the certificates that it issues, as PEM files in a temporary directory.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;

/// A CA. Its files live as long as it does.
#[derive(Debug)]
pub struct TestCa {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: TempDir,
    file: PathBuf,
}

/// A certificate with its key.
#[derive(Debug)]
pub struct Certificate {
    pub(super) der: CertificateDer<'static>,
    pub(super) key: PrivateKeyDer<'static>,
    /// PEM file of the certificate.
    pub certificate_file: PathBuf,
    /// PEM file of the private key.
    pub key_file: PathBuf,
}

impl TestCa {
    /// Creates a CA, whose name is that of every other.
    #[must_use]
    pub fn new() -> Self {
        Self::named("Test CA")
    }

    /// Creates a CA with this common name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key can be made");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a CA can be made");
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = directory.path().join("ca.pem");
        fs::write(&file, issuer.pem()).expect("the file can be written");
        Self { issuer, directory, file }
    }

    /// Returns the PEM file of its certificate.
    #[must_use]
    pub fn file(&self) -> &str {
        text(&self.file)
    }

    pub(super) fn der(&self) -> CertificateDer<'static> {
        self.issuer.der().clone()
    }

    /// Issues a certificate for these names and addresses, valid in these years (from January to January).
    #[must_use]
    pub fn issue(&self, names: &[&str], years: (i32, i32)) -> Certificate {
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("the names are valid");
        params.not_before = date_time_ymd(years.0, 1, 1);
        params.not_after = date_time_ymd(years.1, 1, 1);
        params.distinguished_name.push(DnType::CommonName, "Test Server");
        let key = KeyPair::generate().expect("a key can be made");
        let signed = params.signed_by(&key, &self.issuer).expect("it can be signed");
        self.write(signed, &key)
    }

    /// Returns the certificate of localhost, which is valid today.
    #[must_use]
    pub fn localhost(&self) -> Certificate {
        self.issue(&["localhost", "127.0.0.1"], (2020, 4000))
    }

    /// Makes a certificate of localhost that is its own issuer, and a CA, as `openssl req -x509` does.
    #[must_use]
    pub fn self_signed(&self) -> Certificate {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).expect("the names are valid");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "Test Server");
        let key = KeyPair::generate().expect("a key can be made");
        let signed = params.self_signed(&key).expect("it can be signed");
        self.write(signed, &key)
    }

    fn write(&self, certificate: rcgen::Certificate, key: &KeyPair) -> Certificate {
        let files = fs::read_dir(self.directory.path()).expect("the directory exists").count();
        let path = |kind: &str| self.directory.path().join(format!("{files}.{kind}.pem"));
        let (certificate_file, key_file) = (path("cert"), path("key"));
        fs::write(&certificate_file, certificate.pem()).expect("the file can be written");
        fs::write(&key_file, key.serialize_pem()).expect("the file can be written");
        // Programs warn of a key that others can read.
        fs::set_permissions(&key_file, Permissions::from_mode(0o600)).expect("it is our own file");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("the key is valid");
        Certificate { der: certificate.into(), key, certificate_file, key_file }
    }
}

impl Default for TestCa {
    fn default() -> Self {
        Self::new()
    }
}

impl Certificate {
    /// Returns the SHA-256 of the certificate, as the flag of the client takes it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let suite = rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;
        let hash = suite.tls13().expect("a suite of TLS 1.3").common.hash_provider.hash(&self.der);
        hash.as_ref().iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
    }

    /// Returns the arguments of a client that presents it.
    #[must_use]
    pub fn client_args(&self) -> [&str; 4] {
        ["--tls-cert", text(&self.certificate_file), "--tls-key", text(&self.key_file)]
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("the path of a temporary directory is UTF-8")
}
