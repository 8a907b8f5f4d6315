//! Address of a server, as it is typed: a URL, or a host with or without a port, as `nc` and `telnet` take it.

use std::{fmt, net::Ipv6Addr};

use common::endpoint::{Endpoint, HOST_FORM, Url, UrlError};

use super::websocket::WebSocketUrl;

/// Address of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// URL, which names the transport.
    Url(Endpoint),
    /// `tls://HOST:PORT` or `unix:///PATH?tls=on`
    Tls(Endpoint),
    /// `ws://HOST:PORT/PATH` or `wss://HOST:PORT/PATH`
    WebSocket(WebSocketUrl),
    /// Host; the port may be in another argument.
    Host {
        /// Name or address; an IPv6 address has no brackets.
        host: String,
        /// Port, if it is typed.
        port: Option<u16>,
    },
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(endpoint) => write!(f, "the URL '{endpoint}'"),
            Self::Tls(endpoint) => {
                write!(f, "the URL '{}'", endpoint.tls_url().unwrap_or_default())
            }
            Self::WebSocket(url) => write!(f, "the URL '{url}'"),
            Self::Host { host, port: None } => write!(f, "the host '{host}'"),
            Self::Host { host, port: Some(port) } if host.contains(':') => {
                write!(f, "the address '[{host}]:{port}'")
            }
            Self::Host { host, port: Some(port) } => write!(f, "the address '{host}:{port}'"),
        }
    }
}

/// Parses the address of a server; refuses what only a server can use. For clap's `value_parser`.
///
/// # Errors
///
/// A sentence that says what was expected.
pub(super) fn address(typed: &str) -> Result<Address, String> {
    if !is_bare(typed) {
        return parse(typed);
    }
    if typed.bytes().all(|byte| byte.is_ascii_digit()) && !typed.is_empty() {
        return Err(format!("the host is missing: use 127.0.0.1:{typed}, or --port {typed}"));
    }
    let address = typed.split('%').next().unwrap_or_default();
    let is_ipv6 = address.parse::<Ipv6Addr>().is_ok();
    let url = if is_ipv6 { format!("tcp://[{typed}]") } else { format!("tcp://{typed}") };
    let has_port = !is_ipv6 && typed.rsplit(']').next().is_some_and(|end| end.contains(':'));
    match parse(&url)? {
        Address::Url(Endpoint::Tcp(at)) => {
            Ok(Address::Host { host: at.host, port: has_port.then_some(at.port) })
        }
        other => Ok(other),
    }
}

/// Returns `true` for an address without a scheme.
fn is_bare(typed: &str) -> bool {
    let scheme = typed.split(':').next().unwrap_or_default().to_ascii_lowercase();
    let has_scheme =
        typed.contains(':') && ["tcp", "tls", "udp", "unix", "ws", "wss"].contains(&&scheme[..]);
    !has_scheme && !typed.contains("://")
}

/// The forms of an address, for messages.
const FORMS: &str = "HOST, HOST:PORT, tcp://HOST:PORT, tls://HOST:PORT, ws://HOST:PORT/PATH, wss://HOST:PORT/PATH, udp://HOST:PORT, unix:///PATH or unix:@NAME";

/// Parses a URL.
fn parse(typed: &str) -> Result<Address, String> {
    let url: Url = typed.parse().map_err(|error| match error {
        UrlError::Form => format!("expected {FORMS}; {HOST_FORM}"),
        UrlError::NoHost => "the host is missing".to_owned(),
        error => error.to_string(),
    })?;
    if url.scheme.is_http() {
        let websocket = typed.replacen("http", "ws", 1);
        return Err(format!(
            "this client does not send HTTP requests; for a WebSocket use {websocket}"
        ));
    }
    let is_tls = has_tls(&url)?;
    match &url.endpoint {
        Endpoint::Tcp(host) | Endpoint::Udp(host) if host.port == 0 => {
            Err("port 0 lets a server choose a free port; give the port that it chose".into())
        }
        Endpoint::Tcp(_) | Endpoint::Udp(_) if has_empty_port(typed) => {
            Err("the port is missing after the ':'".into())
        }
        _ if url.scheme.is_websocket() => Ok(Address::WebSocket(WebSocketUrl::new(url))),
        _ if is_tls => Ok(Address::Tls(url.endpoint)),
        _ => Ok(Address::Url(url.endpoint)),
    }
}

/// Returns whether the ':' before a port is the last character before a path, or of all.
fn has_empty_port(typed: &str) -> bool {
    let rest = typed.split_once("://").map_or(typed, |(_, rest)| rest);
    rest.split(['/', '?']).next().is_some_and(|authority| authority.ends_with(':'))
}

/// Returns whether a URL is with TLS: by its scheme or, for a Unix socket, by its only parameter.
fn has_tls(url: &Url) -> Result<bool, String> {
    let is_unix = matches!(url.endpoint, Endpoint::Unix(_) | Endpoint::Abstract(_));
    match &url.query[..] {
        [] => Ok(url.scheme.is_tls()),
        [(name, value)] if is_unix && name == "tls" => match &value[..] {
            "on" => Ok(true),
            "off" => Ok(false),
            _ => Err(format!("'tls={value}': expected on or off")),
        },
        parameters if is_unix => {
            let other = parameters.iter().find(|(name, _)| name != "tls");
            Err(match other {
                Some((name, _)) => format!(
                    "the address of a server has no parameter but tls=on, and '{name}' is another"
                ),
                None => "the parameter 'tls' is given twice".to_owned(),
            })
        }
        [(name, _), ..] if name == "tls" => {
            Err("'tls' applies to Unix sockets only; over TCP write tls://HOST:PORT".to_owned())
        }
        [(name, _), ..] => {
            Err(format!("the address of a server has no parameters, and '{name}' is one"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::endpoint::HostPort;

    fn host(host: &str, port: Option<u16>) -> Address {
        Address::Host { host: host.to_owned(), port }
    }

    #[test]
    fn parses_urls() {
        for url in
            ["tcp://[::1]:7", "udp://a:7", "unix:///run/echo.sock", "unix:7000", "unix:@echo"]
        {
            let Ok(Address::Url(endpoint)) = address(url) else { panic!("{url}") };
            assert_eq!(endpoint.to_string(), url);
        }
    }

    #[test]
    fn a_tls_url_is_not_a_tcp_url() {
        let server = Endpoint::Tcp(HostPort { host: "::1".to_owned(), port: 7 });
        assert_eq!(address("tls://[::1]:7"), Ok(Address::Tls(server.clone())));
        assert_eq!(address("tcp://[::1]:7"), Ok(Address::Url(server)));
        let server = Endpoint::Abstract("a".into());
        assert_eq!(address("unix:@a?tls=on"), Ok(Address::Tls(server.clone())));
        assert_eq!(address("unix:@a?tls=off"), Ok(Address::Url(server)));
    }

    #[test]
    fn parses_hosts_with_and_without_a_port() {
        for (typed, expected) in [
            ("localhost", host("localhost", None)),
            ("localhost:7000", host("localhost", Some(7000))),
            ("127.0.0.1", host("127.0.0.1", None)),
            ("127.0.0.1:7000", host("127.0.0.1", Some(7000))),
            ("::1", host("::1", None)),
            ("[::1]", host("::1", None)),
            ("2001:db8::", host("2001:db8::", None)),
            ("fe80::1%lo", host("fe80::1%lo", None)),
            ("[fe80::1%lo]:7", host("fe80::1%lo", Some(7))),
            ("[::1]:7000", host("::1", Some(7000))),
            ("2001:db8::7:7000", host("2001:db8::7:7000", None)),
            ("my_host-1.example.com.:7", host("my_host-1.example.com.", Some(7))),
        ] {
            assert_eq!(address(typed), Ok(expected), "{typed}");
        }
    }

    #[test]
    fn says_what_is_wrong_with_an_address() {
        let form = "expected HOST, HOST:PORT, tcp://HOST:PORT, tls://HOST:PORT, ws://HOST:PORT/PATH, wss://HOST:PORT/PATH, udp://HOST:PORT, unix:///PATH or unix:@NAME;";
        for (typed, reason) in [
            ("tcp://localhost:7?a=1&protocol=raw", "has no parameters, and 'a' is one"),
            ("localhost:7?a", "has no parameters, and 'a' is one"),
            ("unix:///run/echo.sock?mode", "has no parameter but tls=on, and 'mode' is another"),
            ("unix:@echo?tls=on&mode=600", "has no parameter but tls=on, and 'mode' is another"),
            ("unix:@echo?tls=on&tls=on", "the parameter 'tls' is given twice"),
            ("unix:@echo?tls=yes", "'tls=yes': expected on or off"),
            ("tcp://localhost?tls=on", "over TCP write tls://HOST:PORT"),
            ("udp://localhost:0", "port 0"),
            ("localhost:0", "port 0"),
            ("localhost:70000", "invalid port '70000'"),
            ("localhost:echo", form),
            ("localhost:", "the port is missing"),
            ("tcp://localhost:", "the port is missing"),
            (":7000", "the host is missing"),
            ("7000", "use 127.0.0.1:7000, or --port 7000"),
            ("localhost/echo", "unexpected '/echo'"),
            ("http://localhost", "for a WebSocket use ws://localhost"),
            ("https://a:7/b", "unexpected '/b'"),
            ("ws://localhost:/a:b", "the port is missing"),
            ("ws:localhost:7", form),
            ("ws://localhost:0", "port 0"),
            ("ws://localhost#a", form),
            ("tcp:localhost:7", form),
            ("tcp:7000", form),
            ("tls:localhost:7", form),
            ("tls://localhost:0", "port 0"),
            ("me@localhost", form),
            ("a b", form),
            ("1:2:3", form),
        ] {
            let error = address(typed).unwrap_err();
            assert!(error.contains(reason), "{typed}: {error}");
        }
    }
}
