//! Arguments about TLS, and the options that they mean together.

use std::path::PathBuf;

use clap::{Args, ValueHint, builder::NonEmptyStringValueParser};
use common::endpoint::{Endpoint, split_zone};

use super::repetition::{BeforeAndAfter, either};
use crate::tls::{Fingerprint, TlsOptions, TrustOption};

/// Arguments about TLS, as typed.
#[derive(Clone, Debug, Default, PartialEq, Args)]
#[command(next_help_heading = "TLS, for tls://, wss:// and unix:///PATH?tls=on")]
pub(crate) struct TlsArgs {
    /// Trust the CAs in this PEM file, and no others [default: those of the system]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) tls_ca: Option<PathBuf>,

    /// Present the certificate in this PEM file, with its chain, to a server that requires one
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) tls_cert: Option<PathBuf>,

    /// Private key of --tls-cert, as a PEM file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) tls_key: Option<PathBuf>,

    /// Expect this name in the certificate, and ask the server for it [default: the host; for a Unix socket,
    /// localhost]
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(super) tls_name: Option<String>,

    /// Accept only the certificate with this fingerprint, from any issuer
    ///
    /// 64 hexadecimal digits, with or without colons, as 'openssl x509 -noout -fingerprint -sha256' prints them. Neither
    /// the name nor the time of the certificate is checked.
    #[arg(long, value_name = "SHA256")]
    pub(super) tls_pin: Option<Fingerprint>,

    /// Offer these application protocols (ALPN), the preferred one first
    ///
    /// --verbose shows which one the server selects.
    #[arg(long, value_name = "PROTOCOL[,PROTOCOL]", value_delimiter = ',', value_parser = protocol)]
    pub(super) tls_alpn: Vec<String>,

    /// Append the session secrets of TLS to FILE, in the format of SSLKEYLOGFILE, with a warning
    ///
    /// Anyone who can read FILE can decrypt a capture of these connections, as Wireshark does. A new FILE can be read by
    /// this user only. The environment variable SSLKEYLOGFILE has no effect.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) tls_key_log: Option<PathBuf>,

    /// Accept any certificate, with a warning: an attacker between client and server can read and change the bytes
    #[arg(long)]
    pub(super) insecure: bool,
}

/// Contradiction between the arguments about TLS.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// An argument about TLS with a server without it.
    #[error(
        "'{0}' needs a server with TLS: name it as tls://HOST:PORT, wss://HOST:PORT or unix:///PATH?tls=on"
    )]
    NoTls(&'static str),
    /// Two ways to trust a server.
    #[error("'{0}' cannot be used with '{1}'")]
    TwoTrusts(&'static str, &'static str),
    /// A certificate without its key, or the other way round.
    #[error("'{0}' needs '{1}'")]
    Half(&'static str, &'static str),
    /// A flag is given before and after the subcommand.
    #[error(transparent)]
    BeforeAndAfter(#[from] BeforeAndAfter),
}

impl TlsArgs {
    /// Combines the arguments before a subcommand with those after it.
    pub(super) fn and(self, after: Self) -> Result<Self, Error> {
        Ok(Self {
            tls_ca: either("--tls-ca", self.tls_ca, after.tls_ca)?,
            tls_cert: either("--tls-cert", self.tls_cert, after.tls_cert)?,
            tls_key: either("--tls-key", self.tls_key, after.tls_key)?,
            tls_name: either("--tls-name", self.tls_name, after.tls_name)?,
            tls_pin: either("--tls-pin", self.tls_pin, after.tls_pin)?,
            tls_alpn: match (self.tls_alpn, after.tls_alpn) {
                (one, other) if !one.is_empty() && !other.is_empty() => {
                    return Err(BeforeAndAfter("--tls-alpn").into());
                }
                (one, other) => [one, other].concat(),
            },
            tls_key_log: either("--tls-key-log", self.tls_key_log, after.tls_key_log)?,
            insecure: self.insecure || after.insecure,
        })
    }

    /// Returns the first of the arguments that is given.
    pub(super) fn first(&self) -> Option<&'static str> {
        let given = [
            (self.tls_ca.is_some(), "--tls-ca"),
            (self.tls_cert.is_some(), "--tls-cert"),
            (self.tls_key.is_some(), "--tls-key"),
            (self.tls_name.is_some(), "--tls-name"),
            (self.tls_pin.is_some(), "--tls-pin"),
            (!self.tls_alpn.is_empty(), "--tls-alpn"),
            (self.tls_key_log.is_some(), "--tls-key-log"),
            (self.insecure, "--insecure"),
        ];
        given.into_iter().find_map(|(is_given, name)| is_given.then_some(name))
    }

    /// Returns the options for connections to a server.
    pub(super) fn options(self, server: &Endpoint) -> Result<TlsOptions, Error> {
        let identity = match (self.tls_cert, self.tls_key) {
            (Some(certificate), Some(key)) => Some((certificate.into(), key.into())),
            (Some(_), None) => return Err(Error::Half("--tls-cert", "--tls-key")),
            (None, Some(_)) => return Err(Error::Half("--tls-key", "--tls-cert")),
            (None, None) => None,
        };
        let trust = match (self.tls_ca, self.tls_pin, self.insecure) {
            (Some(_), Some(_), _) => return Err(Error::TwoTrusts("--tls-ca", "--tls-pin")),
            (Some(_), _, true) => return Err(Error::TwoTrusts("--tls-ca", "--insecure")),
            (_, Some(_), true) => return Err(Error::TwoTrusts("--tls-pin", "--insecure")),
            (Some(file), None, false) => TrustOption::Ca(file.into()),
            (None, Some(pin), false) => TrustOption::Pin(pin),
            (None, None, true) => TrustOption::Nothing,
            (None, None, false) => TrustOption::System,
        };
        Ok(TlsOptions {
            name: self.tls_name.unwrap_or_else(|| default_name(server)),
            trust,
            identity,
            alpn: self.tls_alpn,
            key_log: self.tls_key_log.map(Into::into),
            is_resuming: true,
        })
    }
}

/// Returns the name that the certificate of a server has to have, unless another is given.
fn default_name(server: &Endpoint) -> String {
    match server {
        // A certificate has no zone: it is an interface of this machine.
        Endpoint::Tcp(at) | Endpoint::Udp(at) => {
            split_zone(&at.host).map_or_else(|| at.host.clone(), |(address, _)| address.to_string())
        }
        Endpoint::Unix(_) | Endpoint::Abstract(_) => "localhost".to_owned(),
    }
}

/// Checks the name of an application protocol, which has its length in one byte (RFC 7301).
fn protocol(typed: &str) -> Result<String, &'static str> {
    if (1..=255).contains(&typed.len()) {
        Ok(typed.to_owned())
    } else {
        Err("expected names of protocols of 1 to 255 bytes, joined by commas")
    }
}
