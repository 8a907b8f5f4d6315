//! Address of a WebSocket, the arguments about WebSocket, and the options that they mean together.

use std::fmt;

use clap::Args;
use common::{
    endpoint::{Endpoint, HostPort, Url, split_zone},
    websocket::is_token,
};

use super::repetition::BeforeAndAfter;
use crate::websocket::{Format, Options};

/// Server of a `ws://` or `wss://` URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WebSocketUrl {
    /// Its endpoint.
    pub(super) endpoint: Endpoint,
    /// The scheme is `wss`.
    pub(super) is_tls: bool,
    /// Value of `Host`.
    host: String,
    /// Path and query.
    target: String,
}

/// Arguments about WebSocket, as typed.
#[derive(Clone, Debug, Default, PartialEq, Args)]
#[command(next_help_heading = "WebSocket, for ws:// and wss://")]
pub(crate) struct WebSocketArgs {
    /// Send this Origin in the handshake, as a browser does for a page of this URL
    #[arg(long, value_name = "URL", value_parser = origin)]
    pub(super) ws_origin: Option<String>,

    /// Offer these subprotocols, the preferred one first
    ///
    /// --verbose shows which one the server selects.
    #[arg(long, value_name = "NAME[,NAME]", value_delimiter = ',', value_parser = protocol)]
    pub(super) ws_protocol: Vec<String>,
}

/// Contradiction between the arguments about WebSocket.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// An argument about WebSocket with a server without it.
    #[error(
        "'{0}' needs a server with WebSocket: name it as ws://HOST:PORT/PATH or wss://HOST:PORT/PATH"
    )]
    NoWebSocket(&'static str),
    /// A flag is given before and after the subcommand.
    #[error(transparent)]
    BeforeAndAfter(#[from] BeforeAndAfter),
}

impl WebSocketUrl {
    /// Returns the server of a URL, which is one of a WebSocket.
    pub(super) fn new(url: Url) -> Self {
        let is_tls = url.scheme.is_tls();
        let host = host(&url.endpoint, if is_tls { 443 } else { 80 });
        Self { endpoint: url.endpoint, is_tls, host, target: url.target }
    }

    /// Returns the options for connections to the server.
    pub(super) fn options(&self, args: WebSocketArgs) -> Options {
        Options {
            url: self.to_string(),
            host: self.host.clone(),
            target: self.target.clone(),
            origin: args.ws_origin,
            authorization: None,
            protocols: args.ws_protocol,
            is_protocol_required: false,
            format: Format::Lines,
        }
    }
}

impl fmt::Display for WebSocketUrl {
    /// Writes the URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "wss" } else { "ws" };
        let target = if self.target == "/" { "" } else { &self.target };
        match &self.endpoint {
            Endpoint::Tcp(at) => write!(f, "{scheme}://{at}{target}"),
            other => write!(f, "{other}"),
        }
    }
}

/// Returns the value of `Host`: without the port of the scheme, and without the zone, which is an interface of this
/// machine.
fn host(endpoint: &Endpoint, default_port: u16) -> String {
    let Endpoint::Tcp(at) = endpoint else { return "localhost".to_owned() };
    let host = split_zone(&at.host).map_or_else(|| at.host.clone(), |(ip, _)| ip.to_string());
    let text = HostPort { host, port: at.port }.to_string();
    match text.strip_suffix(&format!(":{default_port}")) {
        Some(host) if at.port == default_port => host.to_owned(),
        _ => text,
    }
}

impl WebSocketArgs {
    /// Combines the arguments before a subcommand with those after it.
    pub(super) fn and(self, after: Self) -> Result<Self, Error> {
        if self.ws_origin.is_some() && after.ws_origin.is_some() {
            return Err(BeforeAndAfter("--ws-origin").into());
        }
        if !self.ws_protocol.is_empty() && !after.ws_protocol.is_empty() {
            return Err(BeforeAndAfter("--ws-protocol").into());
        }
        Ok(Self {
            ws_origin: self.ws_origin.or(after.ws_origin),
            ws_protocol: [self.ws_protocol, after.ws_protocol].concat(),
        })
    }

    /// Returns the first of the arguments that is given.
    pub(super) fn first(&self) -> Option<&'static str> {
        let origin = self.ws_origin.is_some().then_some("--ws-origin");
        origin.or_else(|| (!self.ws_protocol.is_empty()).then_some("--ws-protocol"))
    }
}

/// Checks an origin (RFC 6454, section 6.2), which goes into a header field.
fn origin(typed: &str) -> Result<String, &'static str> {
    let is_origin = typed.split_once("://").is_some_and(|(scheme, host)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
            && !host.is_empty()
            && host.bytes().all(|byte| byte.is_ascii_graphic() && !b"/?#@,".contains(&byte))
    });
    if is_origin || typed == "null" {
        Ok(typed.to_owned())
    } else {
        Err(
            "expected the URL of a page without its path, such as https://echo.example.com, or null",
        )
    }
}

/// Checks the name of a subprotocol, which is a token (RFC 9110, section 5.6.2).
fn protocol(typed: &str) -> Result<String, &'static str> {
    if is_token(typed) {
        Ok(typed.to_owned())
    } else {
        Err(
            "expected names of subprotocols of letters, digits and !#$%&'*+-.^_`|~, joined by commas",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_has_no_default_port_and_no_zone() {
        for (url, host, shown) in [
            ("ws://localhost", "localhost", "ws://localhost:80"),
            ("ws://localhost:8080/a?b", "localhost:8080", "ws://localhost:8080/a?b"),
            ("wss://[::1]/", "[::1]", "wss://[::1]:443"),
            ("wss://[::1]:80", "[::1]:80", "wss://[::1]:80"),
            ("ws://[fe80::1%lo]:7", "[fe80::1]:7", "ws://[fe80::1%lo]:7"),
        ] {
            let server = WebSocketUrl::new(url.parse().unwrap());
            assert_eq!((server.host.as_str(), server.to_string().as_str()), (host, shown));
        }
    }

    #[test]
    fn no_argument_can_add_a_header_field() {
        assert!(origin("https://a.example\r\nX: y").is_err());
        assert!(origin("https://a.example X").is_err());
        assert!(protocol("a\r\nX").is_err() && protocol("a b").is_err());
        assert_eq!(protocol("graphql-ws").as_deref(), Ok("graphql-ws"));
    }

    #[test]
    fn an_origin_has_a_scheme_and_a_host_and_no_path() {
        for valid in ["null", "https://a.example", "http://[::1]:8080", "chrome-extension://abcdef"]
        {
            assert_eq!(origin(valid).as_deref(), Ok(valid));
        }
        for wrong in [
            "",
            "a.example",
            "://a.example",
            "1http://a",
            "http://",
            "http://a/path",
            "http://a/",
            "http://a?b",
            "http://a#b",
            "http://user@a",
            "http://a,http://b",
        ] {
            assert!(origin(wrong).is_err(), "{wrong:?}");
        }
    }
}
