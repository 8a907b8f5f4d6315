//! The address of an admin listener.

use std::fmt;

use common::endpoint::{Endpoint, HOST_FORM, HostPort, Scheme, Url, UrlError};

/// Address of an admin listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Target(pub(super) Endpoint);

/// The port that the documentation of the setting `admin` suggests.
const DEFAULT_PORT: u16 = 9465;

impl Default for Target {
    fn default() -> Self {
        Self(Endpoint::Tcp(HostPort { host: "127.0.0.1".to_owned(), port: DEFAULT_PORT }))
    }
}

impl Target {
    /// Parses a URL as the setting `admin` has it. Its parameters are for the server. A clap `value_parser`.
    pub(in crate::cli) fn parse(typed: &str) -> Result<Self, String> {
        let url: Url = typed.parse().map_err(|error| match error {
            UrlError::Form => {
                format!("expected http://HOST:PORT, unix:///PATH or unix:@NAME; {HOST_FORM}")
            }
            error => error.to_string(),
        })?;
        match (url.scheme, url.endpoint) {
            (Scheme::Http, Endpoint::Tcp(HostPort { port: 0, .. })) => {
                Err("no server can be reached at port 0; the log of the server names the port that it has"
                    .to_owned())
            }
            (Scheme::Http, Endpoint::Tcp(at)) => Ok(Self(Endpoint::Tcp(reachable(at)))),
            (Scheme::Unix, endpoint) => Ok(Self(endpoint)),
            (Scheme::Https, _) => {
                Err("an admin listener has no TLS; write http://HOST:PORT".to_owned())
            }
            _ => Err("an admin listener is http://HOST:PORT, unix:///PATH or unix:@NAME".to_owned()),
        }
    }

    /// Returns the value of the header `Host`. A zone is not for the server (RFC 6874, section 4).
    pub(super) fn host(&self) -> String {
        match &self.0 {
            Endpoint::Tcp(HostPort { host, port }) => {
                let host = host.split_once('%').map_or(&host[..], |(address, _)| address);
                HostPort { host: host.to_owned(), port: *port }.to_string()
            }
            _ => "localhost".to_owned(),
        }
    }
}

/// A listener on every address of the machine is reached at the loopback address.
fn reachable(at: HostPort) -> HostPort {
    let host = match &at.host[..] {
        "0.0.0.0" => "127.0.0.1".to_owned(),
        "::" => "::1".to_owned(),
        _ => at.host,
    };
    HostPort { host, port: at.port }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Endpoint::Tcp(at) => write!(f, "http://{at}"),
            socket => socket.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_a_url_of_http_or_a_unix_socket() {
        for (typed, target, host) in [
            ("http://127.0.0.1:9465", "http://127.0.0.1:9465", "127.0.0.1:9465"),
            ("http://127.0.0.1:9465/", "http://127.0.0.1:9465", "127.0.0.1:9465"),
            ("http://admin.example", "http://admin.example:80", "admin.example:80"),
            ("http://admin.example:1?host=a,b", "http://admin.example:1", "admin.example:1"),
            ("http://0.0.0.0:1", "http://127.0.0.1:1", "127.0.0.1:1"),
            ("http://[::]:1", "http://[::1]:1", "[::1]:1"),
            ("http://[fe80::1%eth0]:1", "http://[fe80::1%eth0]:1", "[fe80::1]:1"),
            ("unix:///run/admin.sock?mode=660", "unix:///run/admin.sock", "localhost"),
            ("unix:admin.sock", "unix:admin.sock", "localhost"),
            ("unix:@admin", "unix:@admin", "localhost"),
        ] {
            let parsed = Target::parse(typed).unwrap();
            assert_eq!((&parsed.to_string()[..], &parsed.host()[..]), (target, host), "{typed}");
        }
        assert_eq!(Target::parse("http://127.0.0.1:9465"), Ok(Target::default()));
    }

    #[test]
    fn another_url_is_refused_with_what_is_expected() {
        for (typed, message) in [
            ("127.0.0.1:9465", "expected http://HOST:PORT, unix:///PATH or unix:@NAME"),
            ("", "expected http://"),
            ("https://127.0.0.1:9465", "an admin listener has no TLS; write http://"),
            ("tcp://127.0.0.1:9465", "an admin listener is http://HOST:PORT"),
            ("ws://127.0.0.1:9465", "an admin listener is http://HOST:PORT"),
            ("http://127.0.0.1:0", "no server can be reached at port 0"),
            ("http://127.0.0.1:9465/status", "unexpected '/status'"),
            ("unix://run/admin.sock", "three slashes"),
        ] {
            let error = Target::parse(typed).unwrap_err();
            assert!(error.contains(message), "{typed}: {error}");
        }
    }
}
