//! TLS of all listeners, from the settings and the files that they name.

#[cfg(feature = "tls")]
use std::path::Path;

#[cfg(feature = "tls")]
use common::cli::KeyLogFile;
#[cfg(feature = "tls")]
use rustls::crypto::aws_lc_rs;

#[cfg(feature = "tls")]
use super::tls::{Certificate, DefaultCertificate, KeyLog, load};
use super::{
    diagnostic::{Diagnostic, Origin},
    values::{Switch, Values},
};
#[cfg(feature = "tls")]
use crate::config::Tls;

/// TLS of the listeners.
#[derive(Default)]
pub(super) struct Loaded {
    /// In the order of the listeners; `None` for one without TLS.
    #[cfg(feature = "tls")]
    pub(super) tls: Vec<Option<Tls>>,
    pub(super) warnings: Vec<Diagnostic>,
}

/// Loads TLS of all listeners. `origin` returns the source of a value of a setting.
///
/// # Errors
///
/// All files that cannot be used, and settings of TLS that no listener uses.
pub(super) fn load_listeners(
    values: &Values,
    origin: &dyn Fn(&str, usize) -> Origin,
) -> Result<Loaded, Vec<Diagnostic>> {
    let mut errors = Vec::new();
    let mut refuse = |name: &str, message: String| {
        errors.push(Diagnostic { origin: origin(name, 0), message });
    };
    let is_self_signed = values.tls_self_signed == Switch::On;
    if values.tls_key.is_some() && values.tls_cert.is_none() {
        refuse("tls-key", "'tls-key' needs 'tls-cert', the certificate of this key".to_owned());
    }
    if values.listen.iter().all(|url| url.tls.is_none()) {
        let unused = "no listener has TLS; add 'listen' with tls://HOST:PORT";
        if values.tls_cert.is_some() {
            refuse("tls-cert", format!("'tls-cert' is set, and {unused}"));
        } else if is_self_signed {
            refuse("tls-self-signed", format!("'tls-self-signed' is set, and {unused}"));
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    load_files(values, origin)
}

#[cfg(feature = "tls")]
fn load_files(
    values: &Values,
    origin: &dyn Fn(&str, usize) -> Origin,
) -> Result<Loaded, Vec<Diagnostic>> {
    let (mut loaded, mut errors) = (Loaded::default(), Vec::new());
    let default = match &values.tls_cert {
        Some(cert) => {
            let provider = aws_lc_rs::default_provider();
            let origin = origin("tls-cert", 0);
            let certificate = Certificate::load(&provider, cert, values.tls_key.as_deref());
            let certificate = certificate
                .map_err(|message| vec![Diagnostic { origin: origin.clone(), message }])?;
            let warnings = certificate.warnings().iter();
            let warnings = warnings
                .map(|message| Diagnostic { origin: origin.clone(), message: message.clone() });
            loaded.warnings.extend(warnings);
            DefaultCertificate::Loaded(certificate)
        }
        None if values.tls_self_signed == Switch::On => DefaultCertificate::SelfSigned,
        None => DefaultCertificate::Missing,
    };
    let key_log = match &values.tls_key_log {
        Some(path) if values.listen.iter().any(|url| url.tls.is_some()) => {
            let (key_log, warning) = open_key_log(path, origin("tls-key-log", 0))?;
            loaded.warnings.push(warning);
            Some(key_log)
        }
        _ => None,
    };
    for (index, url) in values.listen.iter().enumerate() {
        let origin = || origin("listen", index);
        let load = |tls| load(&url.tls_address(), tls, &default, key_log.as_ref());
        let tls = url.tls.as_ref().map(load);
        match tls.transpose() {
            Ok(tls) => {
                let (tls, warnings) = tls.unzip();
                let warnings = warnings.into_iter().flatten();
                let warnings = warnings.map(|message| Diagnostic { origin: origin(), message });
                loaded.warnings.extend(warnings);
                loaded.tls.push(tls);
            }
            Err(message) => errors.push(Diagnostic { origin: origin(), message }),
        }
    }
    // Listeners may share a file.
    errors.dedup();
    if errors.is_empty() { Ok(loaded) } else { Err(errors) }
}

/// Returns the file for session secrets, and a warning that it is in use.
#[cfg(feature = "tls")]
fn open_key_log(path: &Path, origin: Origin) -> Result<(KeyLog, Diagnostic), Vec<Diagnostic>> {
    let key_log = KeyLog::new(KeyLogFile::new(path.to_owned()))
        .map_err(|message| vec![Diagnostic { origin: origin.clone(), message }])?;
    let message = format!(
        "the session secrets of TLS are written to {}; everyone who can read it can decrypt the connections",
        key_log.name()
    );
    Ok((key_log, Diagnostic { origin, message }))
}

#[cfg(not(feature = "tls"))]
fn load_files(
    values: &Values,
    origin: &dyn Fn(&str, usize) -> Origin,
) -> Result<Loaded, Vec<Diagnostic>> {
    let tls = values.listen.iter().enumerate().filter(|(_, url)| url.tls.is_some());
    let message = || "this program is built without TLS (cargo feature 'tls')".to_owned();
    let errors =
        tls.map(|(index, _)| Diagnostic { origin: origin("listen", index), message: message() });
    let errors: Vec<_> = errors.collect();
    if errors.is_empty() { Ok(Loaded::default()) } else { Err(errors) }
}
