//! The host of an endpoint: a name, an IPv4 address, or an IPv6 address with or without a zone.
//!
//! A zone names the network interface of a link-local address (RFC 4007): `fe80::1%eth0`. In a URL it is written as in
//! RFC 9844, `[fe80::1%eth0]`, or as in RFC 6874, `[fe80::1%25eth0]`.

use std::net::{IpAddr, Ipv6Addr};

use thiserror::Error;

use crate::escape::Escaped;

/// Maximum length of a host name in bytes (RFC 1035, section 2.3.4), with a dot at its end.
const MAX_NAME: usize = 254;

/// Maximum length of the name of an interface in bytes: `IFNAMSIZ` without the NUL at its end.
const MAX_INTERFACE: usize = 15;

/// Reason why a text cannot be a host.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HostError {
    /// Nothing, or brackets around nothing.
    #[error("the host is missing")]
    Missing,
    /// `127.0.0.1:7`
    #[error("it has a port: give '{0}' as the host, and {1} as the port")]
    Port(String, u16),
    /// `[::1`, `::1::`, `a b`
    #[error("it is neither a host name nor an address")]
    Form,
    /// A name over the limit.
    #[error("it has {0} bytes; a host name has at most {MAX_NAME}")]
    TooLong(usize),
    /// `fe80::1`
    #[error(
        "a link-local address needs the name of its network interface, as in {0}%eth0; 'ip link' lists them"
    )]
    NoZone(Ipv6Addr),
    /// `::1%lo`
    #[error(
        "'%{}' names a network interface, which only a link-local address has (fe80::/10)",
        Escaped(.0.as_bytes())
    )]
    Zone(String),
    /// `fe80::1%`, `fe80::1%a/b`
    #[error("'{}' is not the name of a network interface", Escaped(.0.as_bytes()))]
    Interface(String),
}

/// Checks a host that was typed, and returns it without brackets.
///
/// # Errors
///
/// If no system resolves it, whatever names it knows.
///
/// ```
/// use common::endpoint::{HostError, parse_host};
///
/// assert_eq!(parse_host("[::1]").as_deref(), Ok("::1"));
/// assert_eq!(parse_host("fe80::1%eth0").as_deref(), Ok("fe80::1%eth0"));
/// assert_eq!(parse_host("127.0.0.1:7"), Err(HostError::Port("127.0.0.1".to_owned(), 7)));
/// ```
pub fn parse_host(typed: &str) -> Result<String, HostError> {
    if let Some(rest) = typed.strip_prefix('[') {
        return match rest.rsplit_once(']') {
            Some(("", "")) => Err(HostError::Missing),
            Some((address, "")) => parse_ipv6(address),
            Some((address, port)) => Err(has_port(parse_ipv6(address)?, port.strip_prefix(':'))),
            None => Err(HostError::Form),
        };
    }
    if typed.is_empty() {
        return Err(HostError::Missing);
    }
    match typed.split_once(':') {
        None => parse_name(typed),
        // A single colon does not occur in an IPv6 address.
        Some((host, port)) if !port.contains(':') => Err(has_port(parse_name(host)?, Some(port))),
        Some(_) => parse_ipv6(typed),
    }
}

/// Returns the address if the host is one, and its zone.
///
/// ```
/// let (address, zone) = common::endpoint::split_zone("fe80::1%eth0").unwrap();
/// assert_eq!((address.to_string().as_str(), zone), ("fe80::1", Some("eth0")));
/// assert_eq!(common::endpoint::split_zone("localhost"), None);
/// ```
#[must_use]
pub fn split_zone(host: &str) -> Option<(IpAddr, Option<&str>)> {
    match host.split_once('%') {
        None => Some((host.parse().ok()?, None)),
        Some((address, zone)) => Some((address.parse::<Ipv6Addr>().ok()?.into(), Some(zone))),
    }
}

fn has_port(host: String, port: Option<&str>) -> HostError {
    match port.and_then(|port| port.parse().ok()) {
        Some(port) => HostError::Port(host, port),
        None => HostError::Form,
    }
}

fn parse_name(name: &str) -> Result<String, HostError> {
    // The resolver decides which names are valid. No resolver accepts a name with one of these characters.
    let is_invalid =
        |char: char| char.is_whitespace() || char.is_control() || "/\\@?#[]%\"'<>".contains(char);
    if name.is_empty() {
        Err(HostError::Missing)
    } else if name.contains(is_invalid) || is_wrong_ipv4(name) {
        Err(HostError::Form)
    } else if name.len() > MAX_NAME {
        Err(HostError::TooLong(name.len()))
    } else {
        Ok(name.to_owned())
    }
}

/// Returns whether this is an IPv4 address with a number over 255, such as `256.0.0.1`. The resolver
/// decides about other forms, such as `127.1`.
fn is_wrong_ipv4(name: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<_> = name.split('.').collect();
    parts.len() == 4
        && parts.iter().all(|part| is_number(part))
        && parts.iter().any(|part| part.parse().is_ok_and(|number: u64| number > 255))
}

fn parse_ipv6(typed: &str) -> Result<String, HostError> {
    let (address, zone) = match typed.split_once('%') {
        None => (typed, None),
        Some((address, zone)) => (address, Some(zone)),
    };
    let address: Ipv6Addr = address.parse().map_err(|_| HostError::Form)?;
    match zone {
        None if address.is_unicast_link_local() => Err(HostError::NoZone(address)),
        None => Ok(address.to_string()),
        Some(zone) if !address.is_unicast_link_local() => Err(HostError::Zone(zone.to_owned())),
        Some(zone) if is_interface(zone) => Ok(format!("{address}%{zone}")),
        Some(zone) => Err(HostError::Interface(zone.to_owned())),
    }
}

/// Returns whether an interface can have this name, or this number.
fn is_interface(name: &str) -> bool {
    (1..=MAX_INTERFACE).contains(&name.len())
        && !name.contains(|char: char| {
            char.is_whitespace() || char.is_control() || "/:%[]".contains(char)
        })
        && ![".", "..", "0"].contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_names_and_addresses() {
        for (typed, host) in [
            ("localhost", "localhost"),
            ("echo.example.com.", "echo.example.com."),
            ("a_b-c.1", "a_b-c.1"),
            ("bücher.example", "bücher.example"),
            ("127.0.0.1", "127.0.0.1"),
            ("127.1", "127.1"),
            ("256.0.0.1.example.com", "256.0.0.1.example.com"),
            ("0:0:0:0:0:0:0:1", "::1"),
            ("[::]", "::"),
            ("fe80::1%lo", "fe80::1%lo"),
            ("[fe80::1%2]", "fe80::1%2"),
            ("fe80::1%eth0.100@if2", "fe80::1%eth0.100@if2"),
        ] {
            assert_eq!(parse_host(typed).as_deref(), Ok(host), "{typed}");
        }
    }

    #[test]
    fn names_the_error_in_a_host() {
        use HostError::{Form, Interface, Missing, NoZone, Port, TooLong, Zone};
        for (typed, error) in [
            ("", Missing),
            ("[]", Missing),
            (":7", Missing),
            ("127.0.0.1:7000", Port("127.0.0.1".into(), 7000)),
            ("localhost:7", Port("localhost".into(), 7)),
            ("[::1]:7", Port("::1".into(), 7)),
            ("localhost:http", Form),
            ("tcp://localhost", Form),
            ("a b", Form),
            ("a\0b", Form),
            ("a/b", Form),
            ("256.0.0.1", Form),
            ("localhost%lo", Form),
            ("[::1", Form),
            ("[localhost]", Form),
            ("[127.0.0.1]", Form),
            ("::1::", Form),
            ("fe80::1", NoZone("fe80::1".parse().unwrap())),
            ("::1%lo", Zone("lo".into())),
            ("fe80::1%", Interface(String::new())),
            ("fe80::1%a/b", Interface("a/b".into())),
            ("fe80::1%0", Interface("0".into())),
            ("fe80::1%sixteen-bytes-xx", Interface("sixteen-bytes-xx".into())),
        ] {
            assert_eq!(parse_host(typed), Err(error), "{typed}");
        }
        assert_eq!(parse_host(&"x".repeat(255)), Err(TooLong(255)));
    }
}
