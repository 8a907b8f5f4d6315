//! Files that can and cannot be used, each with the message for its operator.

use std::{
    fs,
    net::Ipv4Addr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use clap::{Args as _, Command};
use rcgen::{CertificateParams, DnType, KeyPair, SanType, date_time_ymd};
use tempfile::TempDir;

use crate::{
    config::limits,
    settings::{Diagnostics, Flags, Settings, Sources},
};

/// A certificate without extensions, as `openssl x509 -req` makes it by default.
const VERSION_1: &str = "\
-----BEGIN CERTIFICATE-----
MIIBGTCBvwIUDpni+6TmCdXUDJBTyi0EXuGsm7gwCgYIKoZIzj0EAwIwDjEMMAoG
A1UEAwwDb2xkMCAXDTI2MTEyNjA1MzYxMFoYDzIxMjYxMTAyMDUzNjEwWjAOMQww
CgYDVQQDDANvbGQwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASnqKj3ty8ZBT3+
WpsKAcSRLgQ6/7W2y1fAOlKJCt/PzIqzGSqs7wXu+vE1bMAgv0BbyzTlsEtb9Aal
17XnHkoLMAoGCCqGSM49BAMCA0kAMEYCIQCdlsaDajW+Wm8LYkdn4SJDvKl0lMV1
bxS28Qi9kYLBAAIhAI/+1GB+KV51wXIXwA9a8PyCkHnWrrmmdBSYwJcZgGx7
-----END CERTIFICATE-----
";

/// A directory with certificates.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        let files = Self(TempDir::new().unwrap());
        files.issue("a", |_| {});
        files
    }

    /// Writes `NAME.pem` and `NAME.key`: a certificate of its own for this name, and its key.
    fn issue(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        self.write(&format!("{name}.pem"), &certificate.pem(), 0o644);
        self.write(&format!("{name}.key"), &key.serialize_pem(), 0o600);
    }

    fn write(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.path().join(name)).unwrap()
    }

    /// Loads a listener with these parameters, in which `@` is the directory.
    fn load(&self, parameters: &str) -> Result<Settings, Diagnostics> {
        let listen = format!("tls://127.0.0.1:0?{}", self.expand(parameters));
        load(&["--listen", &listen])
    }

    fn expand(&self, text: &str) -> String {
        text.replace('@', &format!("{}/", self.0.path().display()))
    }

    /// Asserts that the parameters are refused with one line, which begins like this.
    #[track_caller]
    fn assert_refused(&self, parameters: &str, message: &str) {
        let error =
            self.load(parameters).map(|settings| settings.to_string()).unwrap_err().to_string();
        let message = format!("--listen: {}", self.expand(message));
        assert!(error.starts_with(&message) && !error.contains('\n'), "{error}\n{message}");
    }
}

fn load(flags: &[&str]) -> Result<Settings, Diagnostics> {
    let command = Flags::augment_args(Command::new("echo-server"));
    let typed = command.get_matches_from([&["echo-server"], flags].concat());
    Sources::new(&typed, std::iter::empty()).load()
}

fn warnings(settings: &Settings) -> Vec<String> {
    settings.warnings().iter().map(ToString::to_string).collect()
}

fn shown(path: &Path) -> String {
    format!("'{}'", path.display())
}

#[test]
fn a_file_that_cannot_be_used_is_named_with_the_remedy() {
    let files = Files::new();
    files.issue("b", |_| {});
    files.write("text.pem", "hello", 0o600);
    files.write("corrupt.pem", "-----BEGIN CERTIFICATE-----\nhello\n", 0o600);
    let invalid = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    files.write("invalid.pem", invalid, 0o600);
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    files.write("encrypted.key", encrypted, 0o600);
    for (parameters, message) in [
        ("cert=/dev/zero", "cannot read '/dev/zero': it is not a regular file; give"),
        ("cert=@text.pem", "'@text.pem' holds no certificate in PEM format"),
        ("cert=@corrupt.pem", "'@corrupt.pem' is not a valid PEM file: "),
        ("cert=@a.pem", "'@a.pem' holds no private key in PEM format"),
        (
            "cert=@a.pem&key=@encrypted.key",
            "'@encrypted.key' holds no private key in PEM format; its key is encrypted: decrypt it with 'openssl pkey",
        ),
        (
            "cert=@a.pem&key=@b.key",
            "the private key in '@b.key' does not belong to the first certificate in '@a.pem'; give the key",
        ),
        ("cert=@invalid.pem&key=@a.key", "the certificate in '@invalid.pem' is invalid: "),
        (
            "cert=@a.pem&key=@a.key&client-ca=@invalid.pem",
            "a CA in '@invalid.pem' is invalid: it cannot be parsed",
        ),
        (
            "cert=@a.pem&key=@a.key&client-ca=@a.pem&crl=@a.pem",
            "'@a.pem' holds no revocation list in PEM format",
        ),
    ] {
        files.assert_refused(parameters, message);
    }
}

#[test]
fn a_missing_file_is_named_with_the_content_that_it_needs() {
    let files = Files::new();
    for (parameters, message) in [
        (
            "",
            "tls://127.0.0.1:0 has no certificate: add cert=FILE&key=FILE, or set 'tls-cert' and 'tls-key', or try it with 'tls-self-signed'",
        ),
        (
            "cert=@none.pem",
            "cannot read '@none.pem': no such file or directory; give the path of a PEM file with the certificate of the server, its chain and its private key",
        ),
        (
            "cert=@none.pem&key=@a.key",
            "cannot read '@none.pem': no such file or directory; give the path of a PEM file with the certificate of the server and its chain",
        ),
        (
            "cert=@a.pem&key=@none.key",
            "cannot read '@none.key': no such file or directory; give the path of a PEM file with the private key",
        ),
        (
            "cert=@a.pem&key=@a.key&client-ca=@none.pem",
            "cannot read '@none.pem': no such file or directory; give the path of a PEM file with the CAs",
        ),
    ] {
        files.assert_refused(parameters, message);
    }
}

#[test]
fn a_file_of_another_kind_is_named_with_the_remedy() {
    let files = Files::new();
    files.write("version1.pem", VERSION_1, 0o600);
    files.write("der", "0", 0o600);
    for (parameters, message) in [
        (
            "cert=@a.pem",
            "'@a.pem' holds no private key in PEM format, only a certificate; give the file of its private key",
        ),
        (
            "cert=@a.key&key=@a.pem",
            "'@a.key' holds no certificate in PEM format, only a private key; give the file of its certificate",
        ),
        (
            "cert=@der",
            "'@der' holds no certificate in PEM format; it seems to be DER: convert it with 'openssl x509",
        ),
        (
            "cert=@a.pem&key=@der",
            "'@der' holds no private key in PEM format; it seems to be DER: convert it with 'openssl pkey",
        ),
        (
            "cert=@a.pem&key=@a.key&client-ca=@a.pem&crl=@der",
            "'@der' holds no revocation list in PEM format; it seems to be DER: convert it with 'openssl crl",
        ),
        (
            "cert=@version1.pem&key=@a.key",
            "the certificate in '@version1.pem' is invalid: its X.509 version is not 3; issue it with extensions",
        ),
    ] {
        files.assert_refused(parameters, message);
    }
}

#[test]
fn a_certificate_that_clients_will_not_accept_is_reported_and_served() {
    let files = Files::new();
    files.issue("old", |params| params.not_after = date_time_ymd(2020, 1, 1));
    files.issue("new", |params| params.not_before = date_time_ymd(4000, 1, 1));
    files.issue("nameless", |params| params.subject_alt_names.clear());
    let uri = SanType::URI("spiffe://example.org/web".try_into().unwrap());
    files.issue("uri", |params| params.subject_alt_names = vec![uri]);
    let address = SanType::IpAddress(Ipv4Addr::LOCALHOST.into());
    files.issue("address", |params| params.subject_alt_names = vec![address]);
    let key = files.read("a.key");
    files.write("public.key", &key, 0o644);
    let load = |parameters| warnings(&files.load(parameters).unwrap());
    assert_eq!(load("cert=@a.pem&key=@a.key"), [""; 0]);
    assert_eq!(load("cert=@address.pem&key=@address.key"), [""; 0]);
    for (parameters, message) in [
        (
            "cert=@old.pem&key=@old.key",
            "'@old.pem': the certificate of CN=old expired on 2020-01-01 00:00:00 UTC; renew it",
        ),
        (
            "cert=@new.pem&key=@new.key",
            "'@new.pem': the certificate of CN=new is not valid before 4000-01-01 00:00:00 UTC; check",
        ),
        (
            "cert=@nameless.pem&key=@nameless.key",
            "'@nameless.pem': the certificate of CN=nameless has no DNS name and no address (subjectAltName), so",
        ),
        ("cert=@uri.pem&key=@uri.key", "'@uri.pem': the certificate of CN=uri has no DNS name"),
        (
            "cert=@a.pem&key=@public.key",
            "'@public.key': every user can read the private key; run chmod o-r",
        ),
    ] {
        let warnings = load(parameters);
        let message = format!("--listen: {}", files.expand(message));
        assert!(
            warnings.len() == 1 && warnings[0].starts_with(&message),
            "{warnings:?}\n{message}"
        );
    }
}

#[test]
fn a_listener_knows_when_the_first_of_its_certificates_expires() {
    let files = Files::new();
    files.issue("late", |params| params.not_after = date_time_ymd(2200, 1, 1));
    files.issue("early", |params| params.not_after = date_time_ymd(2100, 1, 1));
    let expiry = |settings: Settings| {
        let (config, _) = settings.resolve();
        let expiry = config.listeners[0].options.tls_expiry()?;
        Some(expiry.duration_since(UNIX_EPOCH).unwrap().as_secs())
    };
    let both = "cert=@late.pem&key=@late.key&cert=@early.pem&key=@early.key";
    // 2200-01-01 and 2100-01-01, each at midnight.
    for (parameters, expected) in
        [("cert=@late.pem&key=@late.key", 7_258_118_400), (both, 4_102_444_800)]
    {
        assert_eq!(expiry(files.load(parameters).unwrap()), Some(expected));
    }
    assert_eq!(expiry(load(&["--listen", "tcp://h:1"]).unwrap()), None);
}

/// A list of revoked certificates grows with the CA, unlike a certificate.
#[test]
fn a_revocation_list_may_be_larger_than_a_certificate() {
    let files = Files::new();
    let large = " ".repeat(2 * 1024 * 1024);
    files.write("large.pem", &large, 0o600);
    let list = "'@large.pem' holds no revocation list in PEM format";
    files.assert_refused("cert=@a.pem&key=@a.key&client-ca=@a.pem&crl=@large.pem", list);
    let certificate = "cannot read '@large.pem': it is larger than 1 MiB; give";
    files.assert_refused("cert=@large.pem", certificate);
    let file = fs::File::create(files.0.path().join("huge.pem")).unwrap();
    file.set_len(limits::REVOCATION_FILE + 1).unwrap();
    let list = "cannot read '@huge.pem': it is larger than 32 MiB; give";
    files.assert_refused("cert=@a.pem&key=@a.key&client-ca=@a.pem&crl=@huge.pem", list);
}

#[test]
fn an_invalid_revocation_list_is_named_and_not_the_ca() {
    let files = Files::new();
    let invalid = "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n";
    files.write("invalid.crl", invalid, 0o600);
    let message = "a revocation list in '@invalid.crl' is invalid: ";
    files.assert_refused("cert=@a.pem&key=@a.key&client-ca=@a.pem&crl=@invalid.crl", message);
}

#[test]
fn a_certificate_and_its_key_may_be_in_one_file() {
    let files = Files::new();
    let both = [files.read("a.key"), files.read("a.pem")].concat();
    files.write("both.pem", &both, 0o600);
    assert!(files.load("cert=@both.pem").is_ok());
    assert!(files.load("cert=@both.pem&key=@both.pem").is_ok());
    let path = files.0.path().join("both.pem");
    let settings = load(&["--listen", "tls://h", "--tls-cert", path.to_str().unwrap()]).unwrap();
    assert!(settings.resolve().0.listeners[0].options.tls.is_some());
}

#[test]
fn the_certificate_of_the_settings_is_for_listeners_without_their_own() {
    let files = Files::new();
    files.issue("old", |params| params.not_after = date_time_ymd(2020, 1, 1));
    let [cert, key] = ["old.pem", "old.key"].map(|name| files.0.path().join(name));
    let own = format!("tls://h:1?{}", files.expand("cert=@a.pem&key=@a.key"));
    let all = [
        "--listen",
        "tls://h:2",
        "--listen",
        &own,
        "--listen",
        "tls://h:3",
        "--listen",
        "tcp://h:4",
    ];
    let flags = ["--tls-cert", cert.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
    let settings = load(&[&all[..], &flags].concat()).unwrap();
    let (config, _) = settings.resolve();
    let tls: Vec<_> =
        config.listeners.iter().map(|listener| listener.options.tls.as_ref()).collect();
    assert!(tls[0].is_some() && tls[0] == tls[2] && tls[0] != tls[1] && tls[3].is_none());
    let warnings = warnings(&settings);
    let warning = format!("--tls-cert: {}: the certificate of CN=old expired on", shown(&cert));
    assert!(warnings.len() == 1 && warnings[0].starts_with(&warning), "once: {warnings:?}");
}

#[test]
fn a_reload_recognises_unchanged_files() {
    let files = Files::new();
    files.issue("b", |_| {});
    let load = |parameters| {
        let (config, _) = files.load(parameters).unwrap().resolve();
        config.listeners[0].options.tls.clone().unwrap()
    };
    let parameters = "cert=@a.pem&key=@a.key&client-ca=@b.pem";
    let first = load(parameters);
    assert!(first == load(parameters));
    assert!(first != load("cert=@a.pem&key=@a.key&client-ca=@b.pem&client-cert=optional"));
    files.issue("b", |_| {});
    assert!(first != load(parameters), "the CA has changed");
    let second = load(parameters);
    files.issue("a", |_| {});
    assert!(second != load(parameters), "the certificate has changed");
}

#[test]
fn a_self_signed_certificate_is_made_once() {
    let load = || load(&["--listen", "tls://h:1", "--tls-self-signed"]).unwrap();
    let (one, other) = (load(), load());
    let (config, _) = one.resolve();
    let tls = config.listeners[0].options.tls.as_ref().unwrap();
    let fingerprint = one.self_signed_fingerprint(tls).unwrap();
    assert_eq!(fingerprint.len(), 64);
    assert_eq!(other.self_signed_fingerprint(tls), Some(fingerprint), "a reload keeps it");
    assert!(config.listeners == other.resolve().0.listeners);
    let files = Files::new();
    let own = files.load("cert=@a.pem&key=@a.key").unwrap();
    assert_eq!(own.self_signed_fingerprint(tls), None);
}

#[test]
fn settings_of_tls_without_a_use_are_refused() {
    for (flags, message) in [
        (
            &["--tls-self-signed"][..],
            "--tls-self-signed: 'tls-self-signed' is set, and no listener has TLS; add 'listen' with tls://HOST:PORT",
        ),
        (
            &["--tls-cert", "a.pem"],
            "--tls-cert: 'tls-cert' is set, and no listener has TLS; add 'listen' with tls://HOST:PORT",
        ),
        (
            &["--tls-key", "a.key", "--listen", "tls://h"],
            "--tls-key: 'tls-key' needs 'tls-cert', the certificate of this key",
        ),
    ] {
        assert_eq!(
            load(flags).map(|settings| settings.to_string()).unwrap_err().to_string(),
            message
        );
    }
}
