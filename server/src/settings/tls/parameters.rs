//! The TLS parameters of a listener's URL.

use std::path::PathBuf;

/// The TLS parameters of a listener, as typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::settings) struct TlsParameters {
    /// Files with certificates, each followed by its chain. The first is for clients whose name is in none of them.
    pub(super) certs: Vec<PathBuf>,
    /// Files with their private keys, in the same order. Empty: the files of the certificates hold them.
    pub(super) keys: Vec<PathBuf>,
    /// File with the CAs of clients.
    pub(super) client_ca: Option<PathBuf>,
    /// Whether a client needs a certificate. `None`: it does if there is a CA.
    pub(super) client_cert: Option<ClientCert>,
    /// Files with revocation lists.
    pub(super) crls: Vec<PathBuf>,
    pub(super) min: Version,
    /// Application protocols, the preferred one first. Empty: ALPN is not used.
    pub(super) alpn: Vec<String>,
}

/// Need for a certificate of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientCert {
    Required,
    Optional,
}

/// Lowest version of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Version {
    #[default]
    Tls12,
    Tls13,
}

/// Names of the parameters.
pub(in crate::settings) const NAMES: [&str; 7] =
    ["cert", "key", "client-ca", "client-cert", "crl", "tls-min", "alpn"];

impl TlsParameters {
    /// Returns whether a parameter of this name may be set several times.
    pub(in crate::settings) fn is_list(name: &str) -> bool {
        ["cert", "key", "crl"].contains(&name)
    }

    /// Returns whether a parameter of this name belongs to TLS.
    pub(in crate::settings) fn has(name: &str) -> bool {
        NAMES.contains(&name)
    }

    /// Sets a parameter of TLS.
    ///
    /// # Errors
    ///
    /// What was expected.
    pub(in crate::settings) fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "cert" => self.certs.push(path(value)?),
            "key" => self.keys.push(path(value)?),
            "crl" => self.crls.push(path(value)?),
            "client-ca" => self.client_ca = Some(path(value)?),
            "client-cert" => {
                self.client_cert = Some(match value {
                    "required" => ClientCert::Required,
                    "optional" => ClientCert::Optional,
                    _ => return Err("expected required or optional".to_owned()),
                });
            }
            "tls-min" => {
                self.min = match value {
                    "1.2" => Version::Tls12,
                    "1.3" => Version::Tls13,
                    _ => return Err("expected 1.2 or 1.3".to_owned()),
                }
            }
            _ => self.alpn = alpn(value)?,
        }
        Ok(())
    }

    /// Sets the application protocols, if none are set.
    pub(in crate::settings) fn default_alpn(&mut self, names: &[&str]) {
        if self.alpn.is_empty() {
            self.alpn.extend(names.iter().map(|&name| name.to_owned()));
        }
    }

    /// Returns whether clients can show a certificate.
    #[cfg(feature = "login")]
    pub(in crate::settings) fn has_client_ca(&self) -> bool {
        self.client_ca.is_some()
    }

    /// Returns whether the listener serves the certificate of the settings.
    #[cfg(feature = "tls")]
    pub(in crate::settings) fn has_no_cert(&self) -> bool {
        self.certs.is_empty()
    }

    /// Returns the contradiction in the parameters, if there is one.
    pub(in crate::settings) fn check(&self) -> Result<(), String> {
        if self.certs.is_empty() && !self.keys.is_empty() {
            return Err("'key' needs cert=FILE, the certificate of this key".to_owned());
        }
        if !self.keys.is_empty() && self.keys.len() != self.certs.len() {
            return Err(format!(
                "{} 'cert' and {} 'key': give one 'key' for each 'cert', in the same order, or none if the files \
                 of the certificates hold the keys",
                self.certs.len(),
                self.keys.len()
            ));
        }
        if self.client_ca.is_none() {
            if self.client_cert.is_some() {
                return Err("'client-cert' needs client-ca=FILE, the CAs of the clients".to_owned());
            }
            if !self.crls.is_empty() {
                return Err("'crl' needs client-ca=FILE, the CAs of the clients".to_owned());
            }
        }
        Ok(())
    }
}

fn path(value: &str) -> Result<PathBuf, String> {
    if value.is_empty() || value.contains('\0') {
        return Err("expected the path of a PEM file".to_owned());
    }
    Ok(value.into())
}

fn alpn(value: &str) -> Result<Vec<String>, String> {
    let names: Vec<String> = value.split(',').map(str::to_owned).collect();
    // A name has its length in one byte (RFC 7301).
    if names.iter().all(|name| (1..=255).contains(&name.len())) {
        Ok(names)
    } else {
        Err("expected names of protocols of at most 255 bytes, joined by commas".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_without_its_key_among_others_is_refused() {
        let mut parameters = TlsParameters::default();
        for (name, file) in [("cert", "a.pem"), ("cert", "b.pem"), ("key", "a.key")] {
            parameters.set(name, file).unwrap();
        }
        let error = parameters.check().unwrap_err();
        assert!(error.starts_with("2 'cert' and 1 'key': give one 'key' for each"), "{error}");
    }
}
