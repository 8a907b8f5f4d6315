//! Server that the arguments name together.

use std::time::Duration;

use common::{
    endpoint::{Endpoint, HostPort},
    protocol::{DEFAULT_HOST, DEFAULT_PORT},
};

use super::{
    address::Address,
    args::ServerArgs,
    login,
    repetition::{BeforeAndAfter, either},
    tls, websocket,
};
use crate::{login::Options as LoginOptions, tls::TlsOptions, websocket::Options};

/// Limit for the connection and for each reply, unless given.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// Contradiction between the arguments that name the server.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// The server, or its port, is named twice.
    #[error("{0} cannot be used with {1}")]
    NamedTwice(Address, String),
    /// The port is named twice.
    #[error("the port '{0}' cannot be used with '--port'")]
    PortTwice(u16),
    /// `--udp` with the URL of a server that is not UDP.
    #[error("'--udp' cannot be used with {0}: omit one of them, or use udp://HOST:PORT")]
    NotUdp(Address),
    /// A flag is given before and after the subcommand.
    #[error(transparent)]
    BeforeAndAfter(#[from] BeforeAndAfter),
    /// The arguments about TLS contradict each other, or the server.
    #[error(transparent)]
    Tls(#[from] tls::Error),
    /// The arguments about a login contradict each other, or the server.
    #[error(transparent)]
    Login(#[from] login::Error),
    /// The arguments about WebSocket contradict each other, or the server.
    #[error(transparent)]
    WebSocket(#[from] websocket::Error),
}

/// Server that the arguments name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Server {
    /// Its endpoint.
    pub(crate) endpoint: Endpoint,
    /// Options of TLS, if its URL is `tls://HOST:PORT`, `wss://HOST:PORT` or `unix:///PATH?tls=on`.
    pub(crate) tls: Option<TlsOptions>,
    /// Options of a login, if somebody logs in.
    pub(crate) login: Option<LoginOptions>,
    /// Options of WebSocket, if its URL is `ws://HOST:PORT` or `wss://HOST:PORT`.
    pub(crate) websocket: Option<Options>,
}

impl ServerArgs {
    /// Combines the arguments before a subcommand with those after it.
    pub(crate) fn and(self, after: Self) -> Result<Self, Error> {
        if let (Some(one), Some(other)) = (&self.address, &after.address) {
            return Err(Error::NamedTwice(one.clone(), other.to_string()));
        }
        Ok(Self {
            address: self.address.or(after.address),
            port_after_host: self.port_after_host.or(after.port_after_host),
            host: either("--host", self.host, after.host)?,
            port: either("--port", self.port, after.port)?,
            timeout: either("--timeout", self.timeout, after.timeout)?,
            verbose: self.verbose || after.verbose,
            tls: self.tls.and(after.tls)?,
            login: self.login.and(after.login)?,
            websocket: self.websocket.and(after.websocket)?,
        })
    }

    /// Returns the limit for the connection and for each reply.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout.unwrap_or(DEFAULT_TIMEOUT)
    }

    /// Returns the first of the arguments that is given.
    pub(crate) fn first(&self) -> Option<String> {
        let flag = |is_given: bool, name: &str| is_given.then(|| format!("the argument '{name}'"));
        self.address
            .as_ref()
            .map(ToString::to_string)
            .or_else(|| flag(self.host.is_some(), "--host"))
            .or_else(|| flag(self.port.is_some(), "--port"))
            .or_else(|| flag(self.timeout.is_some(), "--timeout"))
            .or_else(|| flag(self.verbose, "--verbose"))
            .or_else(|| self.tls.first().and_then(|name| flag(true, name)))
            .or_else(|| self.login.first().and_then(|name| flag(true, name)))
            .or_else(|| self.websocket.first().and_then(|name| flag(true, name)))
    }

    /// Returns the server that the arguments name.
    ///
    /// # Errors
    ///
    /// They name several servers or ports, or use TLS or a login in a contradictory way.
    pub(crate) fn server(mut self, is_udp: bool) -> Result<Server, Error> {
        let (tls, websocket) = (std::mem::take(&mut self.tls), std::mem::take(&mut self.websocket));
        let login = std::mem::take(&mut self.login);
        let url = match &self.address {
            Some(Address::WebSocket(url)) => Some(url.clone()),
            _ => None,
        };
        let is_tls = matches!(self.address, Some(Address::Tls(_)))
            || url.as_ref().is_some_and(|url| url.is_tls);
        let endpoint = self.endpoint(is_udp)?;
        let tls = match tls.first() {
            _ if is_tls => Some(tls.options(&endpoint)?),
            Some(name) => return Err(tls::Error::NoTls(name).into()),
            None => None,
        };
        let websocket = match (url, websocket.first()) {
            (Some(url), _) => Some(url.options(websocket)),
            (None, Some(name)) => return Err(websocket::Error::NoWebSocket(name).into()),
            (None, None) => None,
        };
        let login = login.options(login::Server {
            endpoint: &endpoint,
            tls: tls.as_ref(),
            is_websocket: websocket.is_some(),
        })?;
        Ok(Server { endpoint, tls, login, websocket })
    }

    fn endpoint(self, is_udp: bool) -> Result<Endpoint, Error> {
        let port_argument = match (self.port_after_host, self.port) {
            (Some(port), Some(_)) => return Err(Error::PortTwice(port)),
            (Some(port), None) => Some((port, format!("the port '{port}'"))),
            (None, Some(port)) => Some((port, "'--port'".to_owned())),
            (None, None) => None,
        };
        let (host, port) = match (self.address, self.host, port_argument) {
            (Some(address), Some(_), _) => {
                return Err(Error::NamedTwice(address, "'--host'".to_owned()));
            }
            (
                Some(
                    address @ (Address::Url(_)
                    | Address::Tls(_)
                    | Address::WebSocket(_)
                    | Address::Host { port: Some(_), .. }),
                ),
                _,
                Some(port),
            ) => {
                return Err(Error::NamedTwice(address, port.1));
            }
            (Some(address @ (Address::Tls(_) | Address::WebSocket(_))), ..) if is_udp => {
                return Err(Error::NotUdp(address));
            }
            (Some(Address::Tls(endpoint)), ..) => return Ok(endpoint),
            (Some(Address::WebSocket(url)), ..) => return Ok(url.endpoint),
            (Some(Address::Url(url)), ..) if is_udp && !matches!(url, Endpoint::Udp(_)) => {
                return Err(Error::NotUdp(Address::Url(url)));
            }
            (Some(Address::Url(url)), ..) => return Ok(url),
            (Some(Address::Host { host, port }), _, other) => {
                (host, port.or(other.map(|(port, _)| port)))
            }
            (None, host, port) => {
                let host = host.unwrap_or_else(|| DEFAULT_HOST.to_owned());
                // Brackets, as in a URL, are not a part of the address.
                let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
                (bare.unwrap_or(&host).to_owned(), port.map(|(port, _)| port))
            }
        };
        let server = HostPort { host, port: port.unwrap_or(DEFAULT_PORT) };
        Ok(if is_udp { Endpoint::Udp(server) } else { Endpoint::Tcp(server) })
    }
}
