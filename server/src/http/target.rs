//! The target of a request and the host that it names (RFC 9112, section 3.2).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::response::{Refusal, Status, bad, refused};

/// A target in one of its forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target<'a> {
    /// The path without the query, or `*`.
    pub(super) path: &'a str,
    /// The host and port of the absolute form.
    pub(super) authority: Option<&'a str>,
}

/// A host without its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Host<'a> {
    Address(IpAddr),
    /// A name, which is empty if the target has no host.
    Name(&'a str),
}

impl<'a> Target<'a> {
    /// Parses the target of a request with this method. A tunnel is not for this server.
    pub(super) fn parse(method: &str, target: &'a str) -> Result<Self, Refusal> {
        if method == "CONNECT" {
            return Err(refused(
                Status::NotImplemented,
                "CONNECT asks for a tunnel, and this server is no proxy",
            ));
        }
        if target.bytes().any(|byte| !byte.is_ascii_graphic() || byte == b'#') {
            return Err(bad("the target has a character that must be percent-encoded, or a '#'"));
        }
        if target == "*" && method == "OPTIONS" {
            return Ok(Self { path: target, authority: None });
        }
        if target.starts_with('/') {
            return Ok(Self { path: without_query(target), authority: None });
        }
        let Some((scheme, rest)) = target.split_once("://") else {
            return Err(bad("the target has no valid form"));
        };
        if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
            return Err(bad("the target has no valid form"));
        }
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.is_empty() || Host::parse(authority).is_none() {
            return Err(bad("the host of the target is invalid"));
        }
        let path = if path.starts_with('/') { without_query(path) } else { "/" };
        Ok(Self { path, authority: Some(authority) })
    }
}

fn without_query(path: &str) -> &str {
    path.split('?').next().unwrap_or_default()
}

impl<'a> Host<'a> {
    /// Parses `uri-host [":" port]` (RFC 3986, sections 3.2.2 and 3.2.3). `None`: it is invalid.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (address, port) = rest.split_once(']')?;
            (Self::Address(address.parse::<Ipv6Addr>().ok()?.into()), port)
        } else {
            let (name, port) = text.split_at(text.find(':').unwrap_or(text.len()));
            let address = name.parse::<Ipv4Addr>();
            (address.map_or(Self::Name(name), |address| Self::Address(address.into())), port)
        };
        let is_port = |port: &str| {
            port.is_empty()
                || port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok()
        };
        let has_port = match port.strip_prefix(':') {
            Some(port) => is_port(port) && host != Self::Name(""),
            None => port.is_empty(),
        };
        let is_valid = match host {
            Self::Address(_) => true,
            Self::Name(name) => is_name(name),
        };
        (has_port && is_valid).then_some(host)
    }
}

/// Returns whether a name consists of the characters of a host, and of percent-encoded ones.
fn is_name(name: &str) -> bool {
    let is_encoded = |rest: &str| rest.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+;=%".contains(&byte);
    name.bytes().all(is_allowed) && name.split('%').skip(1).all(is_encoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_an_address_or_a_name_with_or_without_a_port() {
        let address = |text: &str| Some(Host::Address(text.parse().unwrap()));
        for (text, host) in [
            ("127.0.0.1", address("127.0.0.1")),
            ("127.0.0.1:65535", address("127.0.0.1")),
            ("[::1]", address("::1")),
            ("[::1]:8080", address("::1")),
            ("echo.example:80", Some(Host::Name("echo.example"))),
            ("a_b-c~%41", Some(Host::Name("a_b-c~%41"))),
            ("a:", Some(Host::Name("a"))),
            ("1.2.3", Some(Host::Name("1.2.3"))),
            ("", Some(Host::Name(""))),
        ] {
            assert_eq!(Host::parse(text), host, "{text}");
        }
        for text in [
            "a:b",
            "a:b:c",
            "a:99999999",
            "a:+1",
            ":80",
            "<x>",
            "a b",
            "a/b",
            "a@b",
            "a%4",
            "a%zz",
            "::1",
            "[::1",
            "[::1]80",
            "[a]",
            "[::1%25lo]",
            "a\\b",
            "caf\u{e9}",
            "a,b",
        ] {
            assert_eq!(Host::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_target_in_absolute_form_has_the_path_of_its_url() {
        for (target, path, authority) in [
            ("/x?y", "/x", None),
            ("http://a/x?y", "/x", Some("a")),
            ("HTTPS://a:1?y/z", "/", Some("a:1")),
            ("http://[::1]", "/", Some("[::1]")),
        ] {
            let expected = Target { path, authority };
            assert_eq!(Target::parse("GET", target), Ok(expected), "{target}");
        }
        for target in ["x", "*", "ftp://a/", "http:///x", "http://u@a/", "/x#y", "/caf\u{e9}"] {
            assert!(Target::parse("GET", target).is_err(), "{target}");
        }
    }
}
