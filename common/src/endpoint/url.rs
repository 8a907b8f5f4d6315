//! The parser of URLs. It splits the query into names and values; the server's listeners define their meaning.

use std::{
    borrow::Cow,
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    str::FromStr,
};

use fluent_uri::{
    Uri,
    component::{Authority, Host},
    pct_enc::{
        EStr,
        encoder::{Path, Query, RegName},
    },
};
use thiserror::Error;

use super::{
    endpoint::{Endpoint, HostPort, SOCKET_PATH},
    host::{HostError, parse_host},
    scheme::Scheme,
};
use crate::escape::Escaped;

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
    /// What connections to it speak.
    pub scheme: Scheme,
    /// Path and query of a WebSocket, as a request has them. Otherwise empty.
    pub target: String,
    /// Names and values of the query, in their order. A name without `=` has an empty value.
    pub query: Vec<(String, String)>,
}

/// How a host is written in a URL, for messages.
pub const HOST_FORM: &str = "in a URL, an IPv6 HOST is in brackets, as in [::1] or [fe80::1%eth0]";

/// Error in a URL, with a message for its author.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UrlError {
    /// The text is no URL, or its scheme is unknown.
    #[error("it is not a URL of a known scheme; {HOST_FORM}")]
    Form,
    /// `tcp://:7`
    #[error(
        "the host is missing; 0.0.0.0 is every IPv4 address of this machine, [::] every address"
    )]
    NoHost,
    /// `tcp://[fe80::1]:7`
    #[error("invalid host '{shown}': {1}", shown = Escaped(.0.as_bytes()))]
    Host(String, HostError),
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
    /// `unix:/run/`
    #[error("'{0}' names a directory; the path of a socket names a file in it")]
    Directory(String),
    /// `unix:/a b`
    #[error("'{}' cannot be in a URL; write it as {}", shown(*.0), encoded(*.0))]
    Unencoded(char),
    /// `tcp://host?name=a b`
    #[error("'{}': '{}' cannot be in a URL; write it as {}", Escaped(parameter.as_bytes()), shown(*char), encoded(*char))]
    UnencodedIn {
        /// The parameter as typed.
        parameter: String,
        /// The character.
        char: char,
    },
    /// `unix:/a%00b`
    #[error("the path of a socket cannot contain a NUL byte (%00)")]
    NulInPath,
    /// `unix:@a%00b`
    #[error("the name of an abstract socket cannot contain a NUL byte (%00)")]
    NulInName,
    /// A path over the limit.
    #[error("the path is too long for a socket: it has {0} bytes, the maximum is {SOCKET_PATH}")]
    LongPath(usize),
    /// `unix:@NAME` with a name over the limit.
    #[error(
        "the name of the abstract socket is too long: it has {0} bytes, the maximum is {SOCKET_PATH}"
    )]
    LongName(usize),
    /// `unix:@`
    #[error("the name of the abstract socket is missing, as in unix:@echo")]
    NoName,
    /// `unix://@name`
    #[error("an abstract socket is written without slashes: unix:{0}")]
    AbstractSlashes(String),
    /// `tcp://host?name=%ff`
    #[error("'{0}' is not UTF-8")]
    Utf8(String),
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(typed: &str) -> Result<Self, UrlError> {
        let (typed, zone) = take_zone(typed);
        let typed = encode_lone_percents(typed);
        let uri = Uri::parse(&*typed).map_err(|_| syntax_error(&typed))?;
        let scheme = uri.scheme().as_str().to_ascii_lowercase();
        let scheme = Scheme::parse(&scheme).ok_or(UrlError::Form)?;
        let endpoint = match scheme {
            Scheme::Unix => unix(uri.authority(), uri.path())?,
            Scheme::Udp => Endpoint::Udp(host_port(uri.authority(), scheme, zone)?),
            _ => Endpoint::Tcp(host_port(uri.authority(), scheme, zone)?),
        };
        if uri.fragment().is_some() {
            return Err(UrlError::Form);
        }
        let mut url = Self { endpoint, scheme, target: String::new(), query: Vec::new() };
        if scheme.is_websocket() {
            url.target = target(uri.path(), uri.query());
            return Ok(url);
        }
        let has_path = scheme != Scheme::Unix && !matches!(uri.path().as_str(), "" | "/");
        if has_path {
            return Err(UrlError::Path(uri.path().as_str().to_owned()));
        }
        url.query = uri.query().map_or(Ok(Vec::new()), parameters)?;
        Ok(url)
    }
}

/// Returns the error in a text that is no URL. The path of a socket, unlike a host, may contain any character, encoded.
fn syntax_error(typed: &str) -> UrlError {
    let is_allowed =
        |char: char| char.is_ascii_alphanumeric() || "-._~:/?#@!$&'()*+,;=%".contains(char);
    let (address, query) = typed.split_once('?').unwrap_or((typed, ""));
    let unencoded = |parameter: &str| parameter.chars().find(|&char| !is_allowed(char));
    let mut parameters = query.split('&');
    // The form of an address says nothing about a parameter.
    if Uri::parse(address).is_ok()
        && let Some(parameter) = parameters.find(|parameter| unencoded(parameter).is_some())
        && let Some(char) = unencoded(parameter)
    {
        return UrlError::UnencodedIn { parameter: parameter.to_owned(), char };
    }
    let socket = typed.split_once(':').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("unix"));
    let Some((_, socket)) = socket else { return UrlError::Form };
    match socket.chars().find(|&char| !is_allowed(char)) {
        Some('\0') if socket.starts_with('@') => UrlError::NulInName,
        Some('\0') => UrlError::NulInPath,
        Some(char) => UrlError::Unencoded(char),
        None => UrlError::Form,
    }
}

fn shown(char: char) -> String {
    Escaped(char.to_string().as_bytes()).to_string()
}

/// Returns the percent-encoding of a character.
fn encoded(char: char) -> String {
    let bytes = char.to_string().into_bytes().into_iter();
    bytes.map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat()
}

/// Encodes each `%` of the query that is not followed by two hexadecimal digits: it stands for itself, as in `drop=1%`.
fn encode_lone_percents(typed: Cow<'_, str>) -> Cow<'_, str> {
    let Some((start, query)) = typed.split_once('?').filter(|(_, query)| query.contains('%'))
    else {
        return typed;
    };
    let mut parts = query.split('%');
    let mut encoded = format!("{start}?{}", parts.next().unwrap_or_default());
    for part in parts {
        let is_encoding = part.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
        encoded.push_str(if is_encoding { "%" } else { "%25" });
        encoded.push_str(part);
    }
    encoded.into()
}

/// Splits a URL into one without a zone, and the zone, which RFC 3986 does not have.
fn take_zone(typed: &str) -> (Cow<'_, str>, Option<String>) {
    let split = || {
        let (scheme, rest) = typed.split_once("://[")?;
        let (address, rest) = rest.split_once(']')?;
        let (address, zone) = address.split_once('%')?;
        Some((format!("{scheme}://[{address}]{rest}"), zone))
    };
    let Some((url, zone)) = split() else { return (typed.into(), None) };
    // With an encoded percent sign, as in RFC 6874, the name is encoded too. The interface with the number 25 is %25.
    let encoded = zone.strip_prefix("25").and_then(EStr::<RegName>::new);
    let encoded = encoded.filter(|zone| !zone.is_empty());
    let decoded = encoded.and_then(|zone| zone.decode().to_string().ok().map(Cow::into_owned));
    (url.into(), Some(decoded.unwrap_or_else(|| zone.to_owned())))
}

fn host_port(
    authority: Option<Authority<'_>>,
    scheme: Scheme,
    zone: Option<String>,
) -> Result<HostPort, UrlError> {
    let authority = authority.filter(|at| !at.has_userinfo()).ok_or(UrlError::Form)?;
    let host = match (authority.host_parsed(), zone) {
        (Host::Ipv6(address), Some(zone)) => format!("{address}%{zone}"),
        (Host::Ipv4(address), None) => address.to_string(),
        (Host::Ipv6(address), None) => address.to_string(),
        (Host::RegName(name), None) => text(name.decode().to_string(), name.as_str())?,
        _ => return Err(UrlError::Form),
    };
    let host = parse_host(&host).map_err(|error| match error {
        HostError::Missing => UrlError::NoHost,
        error => UrlError::Host(host, error),
    })?;
    let port = match authority.port().map(EStr::as_str) {
        None | Some("") => scheme.default_port(),
        Some(port) => port.parse().map_err(|_| UrlError::Port(port.to_owned()))?,
    };
    Ok(HostPort { host, port })
}

/// Returns the target of a request (RFC 6455, section 3).
fn target(path: &EStr<Path>, query: Option<&EStr<Query>>) -> String {
    let path = if path.is_empty() { "/" } else { path.as_str() };
    query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"))
}

fn unix(authority: Option<Authority<'_>>, path: &EStr<Path>) -> Result<Endpoint, UrlError> {
    match authority.map(|at| at.as_str()) {
        None | Some("") => {}
        Some(name) if name.starts_with('@') => {
            return Err(UrlError::AbstractSlashes(format!("{name}{path}")));
        }
        Some(directory) => return Err(UrlError::Slashes(format!("{directory}{path}"))),
    }
    let bytes = path.decode().to_bytes();
    let name = bytes.strip_prefix(b"@");
    match name.unwrap_or(&bytes) {
        nul if nul.contains(&0) && name.is_some() => return Err(UrlError::NulInName),
        nul if nul.contains(&0) => return Err(UrlError::NulInPath),
        b"" if name.is_some() => return Err(UrlError::NoName),
        b"" | b"/" => return Err(UrlError::NoPath),
        long if long.len() > SOCKET_PATH && name.is_some() => {
            return Err(UrlError::LongName(long.len()));
        }
        long if long.len() > SOCKET_PATH => return Err(UrlError::LongPath(long.len())),
        _ => {}
    }
    if let Some(name) = name {
        return Ok(Endpoint::Abstract(OsStr::from_bytes(name).to_owned()));
    }
    if matches!(bytes.rsplit(|&byte| byte == b'/').next(), Some(b"" | b"." | b"..")) {
        return Err(UrlError::Directory(path.as_str().to_owned()));
    }
    Ok(Endpoint::Unix(OsString::from_vec(bytes.into_owned()).into()))
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
mod tests;
