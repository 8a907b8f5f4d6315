//! Address of a listener or a server, as a URL (RFC 3986).
//!
//! Parses the query into names and values. The server's listeners define their meaning; no name is resolved
//! here.

use std::{
    ffi::OsString, fmt, net::SocketAddr, os::unix::ffi::OsStringExt as _, path::PathBuf,
    str::FromStr,
};

use fluent_uri::{
    Uri,
    component::{Authority, Host},
    pct_enc::{EStr, encoder::Path, encoder::Query},
};
use thiserror::Error;

use crate::protocol::DEFAULT_PORT;

/// Address to listen on or to connect to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `tcp://HOST:PORT`
    Tcp(HostPort),
    /// `udp://HOST:PORT`
    Udp(HostPort),
    /// `unix:///PATH`, a stream socket in the file system.
    Unix(PathBuf),
}

/// Host and port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// Name or address; an IPv6 address has no brackets.
    pub host: String,
    /// Port; for a listener, zero means any free port.
    pub port: u16,
}

/// Endpoint and query of a URL.
///
/// ```
/// use common::endpoint::{Endpoint, HostPort, Url};
///
/// let url: Url = "tcp://[::1]:7?v6only=yes".parse()?;
/// assert_eq!(url.endpoint, Endpoint::Tcp(HostPort { host: "::1".into(), port: 7 }));
/// assert_eq!(url.query, [("v6only".to_owned(), "yes".to_owned())]);
/// assert_eq!(url.endpoint.to_string(), "tcp://[::1]:7");
/// # Ok::<(), common::endpoint::UrlError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Address.
    pub endpoint: Endpoint,
    /// Names and values of the query, in their order. A name without `=` has an empty value.
    pub query: Vec<(String, String)>,
}

/// Error in a URL, with a message for its author.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UrlError {
    /// The text is no URL, or its scheme is unknown.
    #[error("expected tcp://HOST:PORT, udp://HOST:PORT or unix:///PATH")]
    Form,
    /// `tcp://:7`
    #[error(
        "the host is missing; 0.0.0.0 is every IPv4 address of this machine, [::] every address"
    )]
    NoHost,
    /// `tcp://host:99999`
    #[error("invalid port '{0}': expected a number from 0 to 65535")]
    Port(String),
    /// `tcp://host:7/path`
    #[error("unexpected '{0}' after the port")]
    Path(String),
    /// `unix://run/echo.sock`
    #[error("the path needs three slashes before it: unix:///{0}")]
    Slashes(String),
    /// `unix://`
    #[error("the path of the socket is missing, as in unix:///run/echo.sock")]
    NoPath,
    /// `tcp://host?name=%ff`
    #[error("'{0}' is not UTF-8")]
    Utf8(String),
}

impl From<SocketAddr> for HostPort {
    fn from(address: SocketAddr) -> Self {
        Self { host: address.ip().to_string(), port: address.port() }
    }
}

impl fmt::Display for HostPort {
    /// Writes `HOST:PORT`, with brackets around an IPv6 address to separate it from the port.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Endpoint {
    /// Writes the URL, with an unencoded path.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(at) => write!(f, "tcp://{at}"),
            Self::Udp(at) => write!(f, "udp://{at}"),
            Self::Unix(path) if path.is_absolute() => write!(f, "unix://{}", path.display()),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(typed: &str) -> Result<Self, UrlError> {
        let uri = Uri::parse(typed).map_err(|_| UrlError::Form)?;
        let endpoint = match &uri.scheme().as_str().to_ascii_lowercase()[..] {
            "tcp" => Endpoint::Tcp(host_port(uri.authority(), uri.path())?),
            "udp" => Endpoint::Udp(host_port(uri.authority(), uri.path())?),
            "unix" => Endpoint::Unix(path(uri.authority(), uri.path())?),
            _ => return Err(UrlError::Form),
        };
        if uri.fragment().is_some() {
            return Err(UrlError::Form);
        }
        Ok(Self { endpoint, query: uri.query().map_or(Ok(Vec::new()), parameters)? })
    }
}

fn host_port(authority: Option<Authority<'_>>, path: &EStr<Path>) -> Result<HostPort, UrlError> {
    let authority = authority.filter(|at| !at.has_userinfo()).ok_or(UrlError::Form)?;
    let host = match authority.host_parsed() {
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
        Host::RegName(name) if name.is_empty() => return Err(UrlError::NoHost),
        Host::RegName(name) => text(name.decode().to_string(), name.as_str())?,
        Host::IpvFuture { .. } => return Err(UrlError::Form),
    };
    let port = match authority.port().map(EStr::as_str) {
        None | Some("") => DEFAULT_PORT,
        Some(port) => port.parse().map_err(|_| UrlError::Port(port.to_owned()))?,
    };
    match path.as_str() {
        "" | "/" => Ok(HostPort { host, port }),
        more => Err(UrlError::Path(more.to_owned())),
    }
}

fn path(authority: Option<Authority<'_>>, path: &EStr<Path>) -> Result<PathBuf, UrlError> {
    match authority {
        Some(at) if !at.as_str().is_empty() => {
            Err(UrlError::Slashes(format!("{}{path}", at.as_str())))
        }
        _ if path.is_empty() || path.as_str() == "/" => Err(UrlError::NoPath),
        _ => Ok(OsString::from_vec(path.decode().to_bytes().into_owned()).into()),
    }
}

fn parameters(query: &EStr<Query>) -> Result<Vec<(String, String)>, UrlError> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, EStr::EMPTY));
            let name = text(name.decode().to_string(), part.as_str())?;
            Ok((name, text(value.decode().to_string(), part.as_str())?))
        })
        .collect()
}

fn text<T: Into<String>, E>(decoded: Result<T, E>, typed: &str) -> Result<String, UrlError> {
    decoded.map(Into::into).map_err(|_| UrlError::Utf8(typed.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> Result<Endpoint, UrlError> {
        url.parse().map(|url: Url| url.endpoint)
    }

    fn at(host: &str, port: u16) -> HostPort {
        HostPort { host: host.to_owned(), port }
    }

    #[test]
    fn parses_and_prints_every_kind_of_endpoint() {
        for (url, endpoint) in [
            ("tcp://127.0.0.1:65432", Endpoint::Tcp(at("127.0.0.1", 65432))),
            ("TCP://echo.example.com:7/", Endpoint::Tcp(at("echo.example.com", 7))),
            ("tcp://[::1]", Endpoint::Tcp(at("::1", DEFAULT_PORT))),
            ("udp://0.0.0.0:0", Endpoint::Udp(at("0.0.0.0", 0))),
            ("unix:///run/echo.sock", Endpoint::Unix("/run/echo.sock".into())),
            ("unix:///tmp/a%20b", Endpoint::Unix("/tmp/a b".into())),
            ("unix:echo.sock", Endpoint::Unix("echo.sock".into())),
        ] {
            assert_eq!(parsed(url).as_ref(), Ok(&endpoint), "{url}");
        }
        for url in ["tcp://[::1]:7", "udp://localhost:7", "unix:///run/echo.sock", "unix:a/b"] {
            assert_eq!(parsed(url).unwrap().to_string(), url);
        }
    }

    #[test]
    fn names_the_error_in_a_url() {
        for (url, error) in [
            ("", UrlError::Form),
            ("localhost:7", UrlError::Form),
            ("127.0.0.1:7", UrlError::Form),
            ("http://localhost", UrlError::Form),
            ("tcp:localhost:7", UrlError::Form),
            ("tcp://me@localhost", UrlError::Form),
            ("tcp://localhost#x", UrlError::Form),
            ("tcp://a b:7", UrlError::Form),
            ("tcp://::1:7", UrlError::Form),
            ("tcp://:7", UrlError::NoHost),
            ("tcp://localhost:65536", UrlError::Port("65536".to_owned())),
            ("tcp://localhost:7/echo", UrlError::Path("/echo".to_owned())),
            ("unix://run/echo.sock", UrlError::Slashes("run/echo.sock".to_owned())),
            ("unix://", UrlError::NoPath),
            ("unix:///", UrlError::NoPath),
            ("tcp://localhost?a=%ff", UrlError::Utf8("a=%ff".to_owned())),
        ] {
            assert_eq!(parsed(url), Err(error), "{url}");
        }
    }

    #[test]
    fn parses_a_query_into_names_and_values_in_order() {
        let url: Url = "tcp://localhost?b=1&a=%32&flag&c=d=e&".parse().unwrap();
        let query: Vec<_> = url.query.iter().map(|(name, value)| (&name[..], &value[..])).collect();
        assert_eq!(query, [("b", "1"), ("a", "2"), ("flag", ""), ("c", "d=e")]);
    }
}
