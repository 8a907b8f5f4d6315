//! Arguments about a login, and the options that they mean together.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use common::endpoint::{Endpoint, HostPort, split_zone};

use super::repetition::{BeforeAndAfter, either};
use crate::{
    login::{Mechanism, Options, is_external, name},
    tls::{TlsOptions, TrustOption},
};

/// Arguments about a login, as typed.
#[derive(Clone, Debug, Default, PartialEq, Args)]
#[command(next_help_heading = "Login")]
pub(crate) struct LoginArgs {
    /// Log in as this user, with a password that is asked for on the terminal
    #[arg(long, value_name = "NAME", value_parser = name, long_help = USER_HELP)]
    pub(super) user: Option<String>,

    /// Read the password from the first line of FILE, which must not be open to others (chmod 600)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) password_file: Option<PathBuf>,

    /// Use only this mechanism: scram-sha-256-plus, scram-sha-256, external or plain [default: the strongest that both
    /// sides have, in this order]
    ///
    /// 'external' logs in with the certificate of --tls-cert, without a password; --user is not needed then. 'plain' sends the
    /// password itself, over TLS only.
    #[arg(long, value_name = "MECHANISM")]
    pub(super) mechanism: Option<Mechanism>,

    /// Log in with the token in the first line of FILE, over WebSocket (HTTP Bearer)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) token_file: Option<PathBuf>,
}

const USER_HELP: &str = "Log in as this user, with a password that is asked for on the terminal

The password comes from --password-file, from the environment variable ECHO_PASSWORD, or else from the terminal, which does not show it. A ws:// or wss:// server receives it in the handshake (HTTP Basic), others by SASL.";

/// Contradiction between the arguments about a login.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// A login over UDP.
    #[error("'{0}' needs a connection, and UDP has none")]
    OverUdp(&'static str),
    /// An argument without another one.
    #[error("'{0}' needs '{1}'")]
    Half(&'static str, &'static str),
    /// Two arguments that exclude each other.
    #[error("'{0}' cannot be used with '{1}'")]
    Both(&'static str, &'static str),
    /// A token without a WebSocket.
    #[error(
        "'--token-file' needs a server with WebSocket: name it as ws://HOST:PORT/PATH or wss://HOST:PORT/PATH"
    )]
    TokenWithoutWebSocket,
    /// A mechanism of SASL over a WebSocket.
    #[error("'--mechanism' cannot be used over WebSocket, whose handshake carries the password")]
    MechanismOverWebSocket,
    /// A mechanism that needs TLS.
    #[error(
        "'--mechanism {0}' needs a server with TLS: name it as tls://HOST:PORT or unix:///PATH?tls=on"
    )]
    MechanismWithoutTls(Mechanism),
    /// A password or a token that anybody on the path could read.
    #[error("'{0}' needs TLS, since others can read a ws:// connection to {1}: use wss://{1}")]
    Exposed(&'static str, HostPort),
    /// A password or a token for a server that may be another one.
    #[error(
        "'{0}' sends a secret in the WebSocket handshake, and '--insecure' does not verify who gets it: use --tls-ca FILE or --tls-pin SHA256"
    )]
    Unverified(&'static str),
    /// A name that HTTP cannot carry.
    #[error("'--user' cannot have a ':' over WebSocket (HTTP Basic)")]
    Colon,
    /// A flag is given before and after the subcommand.
    #[error(transparent)]
    BeforeAndAfter(#[from] BeforeAndAfter),
}

/// What a login has to know about the server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Server<'s> {
    pub(super) endpoint: &'s Endpoint,
    pub(super) tls: Option<&'s TlsOptions>,
    pub(super) is_websocket: bool,
}

impl Server<'_> {
    fn is_tls(self) -> bool {
        self.tls.is_some()
    }

    /// Returns whether only the right server can receive a secret.
    fn is_verified(self) -> bool {
        self.tls.is_some_and(|tls| tls.trust != TrustOption::Nothing)
    }

    fn has_certificate(self) -> bool {
        self.tls.is_some_and(|tls| tls.identity.is_some())
    }
}

impl LoginArgs {
    /// Combines the arguments before a subcommand with those after it.
    pub(super) fn and(self, after: Self) -> Result<Self, Error> {
        Ok(Self {
            user: either("--user", self.user, after.user)?,
            password_file: either("--password-file", self.password_file, after.password_file)?,
            mechanism: either("--mechanism", self.mechanism, after.mechanism)?,
            token_file: either("--token-file", self.token_file, after.token_file)?,
        })
    }

    /// Returns the first of the arguments that is given.
    pub(super) fn first(&self) -> Option<&'static str> {
        let given = [
            (self.user.is_some(), "--user"),
            (self.password_file.is_some(), "--password-file"),
            (self.mechanism.is_some(), "--mechanism"),
            (self.token_file.is_some(), "--token-file"),
        ];
        given.into_iter().find_map(|(is_given, name)| is_given.then_some(name))
    }

    /// Returns the options for connections to a server; `None` without a login.
    pub(super) fn options(self, server: Server<'_>) -> Result<Option<Options>, Error> {
        let Some(first) = self.first() else { return Ok(None) };
        if matches!(server.endpoint, Endpoint::Udp(_)) {
            return Err(Error::OverUdp(first));
        }
        let options =
            if server.is_websocket { self.over_websocket(server)? } else { self.by_sasl(server)? };
        Ok(Some(options))
    }

    fn over_websocket(self, server: Server<'_>) -> Result<Options, Error> {
        let (options, flag) = match self {
            Self { mechanism: Some(_), .. } => return Err(Error::MechanismOverWebSocket),
            Self { user: Some(_), token_file: Some(_), .. } => {
                return Err(Error::Both("--user", "--token-file"));
            }
            Self { password_file: Some(_), token_file: Some(_), .. } => {
                return Err(Error::Both("--password-file", "--token-file"));
            }
            Self { user: None, password_file: Some(_), .. } => {
                return Err(Error::Half("--password-file", "--user"));
            }
            Self { user: Some(user), .. } if user.contains(':') => return Err(Error::Colon),
            Self { user: Some(user), password_file: file, .. } => {
                (Options::Password { user, file, mechanism: None }, "--user")
            }
            Self { token_file, .. } => {
                (Options::Token(token_file.unwrap_or_default()), "--token-file")
            }
        };
        match server.endpoint {
            Endpoint::Tcp(at) if !server.is_tls() && !is_loopback(&at.host) => {
                Err(Error::Exposed(flag, at.clone()))
            }
            Endpoint::Tcp(at) if !server.is_verified() && !is_loopback(&at.host) => {
                Err(Error::Unverified(flag))
            }
            _ => Ok(options),
        }
    }

    fn by_sasl(self, server: Server<'_>) -> Result<Options, Error> {
        let Self { user, password_file: file, mechanism, token_file } = self;
        if token_file.is_some() {
            return Err(Error::TokenWithoutWebSocket);
        }
        let needs_certificate = mechanism.is_some_and(is_external);
        match mechanism {
            Some(mechanism) if mechanism.needs_tls() && !server.is_tls() => {
                Err(Error::MechanismWithoutTls(mechanism))
            }
            Some(_) if needs_certificate && !server.has_certificate() => {
                Err(Error::Half("--mechanism external", "--tls-cert"))
            }
            Some(_) if needs_certificate && file.is_some() => {
                Err(Error::Both("--password-file", "--mechanism external"))
            }
            Some(_) if needs_certificate => Ok(Options::Certificate { user }),
            mechanism => match user {
                Some(user) => Ok(Options::Password { user, file, mechanism }),
                None if file.is_some() => Err(Error::Half("--password-file", "--user")),
                None => Err(Error::Half("--mechanism", "--user")),
            },
        }
    }
}

/// Returns whether a host is this machine, so that no network is on the path.
fn is_loopback(host: &str) -> bool {
    let is_local_name = host.eq_ignore_ascii_case("localhost");
    split_zone(host).map_or(is_local_name, |(address, _)| address.is_loopback())
}
