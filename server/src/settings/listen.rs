//! `--listen URL`: where to listen, and what holds for whoever comes there and for nobody else.

use std::{net::IpAddr, num::NonZeroU32, str::FromStr};

use clap::ValueEnum as _;
use common::{
    cli::{TimeLimit, at_least_one, time_limit},
    endpoint::{Endpoint, Url},
    protocol::Protocol,
};

use crate::{Listener, Proxy, config::limits::SOCKET_PATH};

/// A listener as it is typed. What it does not say is as for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listen {
    endpoint: Endpoint,
    v6only: Option<bool>,
    mode: Option<u32>,
    protocol: Option<Protocol>,
    proxy: Option<Proxy>,
    max_connections: Option<usize>,
    idle_timeout: Option<TimeLimit>,
    write_timeout: Option<TimeLimit>,
    rate: Option<RateLimit>,
}

/// So many datagrams a second, or any number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct RateLimit(Option<NonZeroU32>);

/// How a wildcard address takes another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// `0.0.0.0` takes those of IPv4.
    OfIpv4,
    /// `[::]` takes those of IPv6,
    OfIpv6,
    /// and those of IPv4 unless it is told not to.
    Ipv4OfIpv6,
}

/// What a URL may say behind its `?`.
const PARAMETERS: &str =
    "protocol, proxy, v6only, mode, max-connections, idle-timeout, write-timeout and rate";

impl Listen {
    /// As for all.
    pub(super) fn at(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            v6only: None,
            mode: None,
            protocol: None,
            proxy: None,
            max_connections: None,
            idle_timeout: None,
            write_timeout: None,
            rate: None,
        }
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match (name, &self.endpoint) {
            ("protocol", Endpoint::Udp(_)) if protocol(value)? != Protocol::Raw => {
                return Err("UDP is always raw: every datagram comes back as it is".to_owned());
            }
            ("max-connections" | "idle-timeout" | "write-timeout", Endpoint::Udp(_)) => {
                return Err("UDP has no connections; its limit is rate".to_owned());
            }
            ("rate", Endpoint::Udp(_)) => self.rate = Some(rate(value)?),
            ("rate", _) => return Err("it is for UDP".to_owned()),
            ("protocol", _) => self.protocol = Some(protocol(value)?),
            ("proxy", Endpoint::Udp(_)) => {
                return Err("it is for TCP and for Unix sockets".to_owned());
            }
            ("proxy", _) => self.proxy = Some(proxy(value)?),
            ("v6only", Endpoint::Tcp(at) | Endpoint::Udp(at)) if at.host.contains(':') => {
                self.v6only = Some(switch(value)?);
            }
            ("v6only", _) => return Err("it is for IPv6 addresses, such as [::]".to_owned()),
            ("mode", Endpoint::Unix(_)) => self.mode = Some(mode(value)?),
            ("mode", _) => return Err("it is for Unix sockets".to_owned()),
            ("max-connections", _) => self.max_connections = Some(at_least_one(value)?.get()),
            ("idle-timeout", _) => self.idle_timeout = Some(time_limit(value)?),
            ("write-timeout", _) => self.write_timeout = Some(time_limit(value)?),
            _ => return Err(format!("there is no such parameter; there are {PARAMETERS}")),
        }
        Ok(())
    }

    /// Where.
    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Whether it takes every address of its port, one of which `other` is.
    pub(super) fn takes(&self, other: &Endpoint) -> Option<Taken> {
        let ((Endpoint::Tcp(wide), Endpoint::Tcp(narrow))
        | (Endpoint::Udp(wide), Endpoint::Udp(narrow))) = (&self.endpoint, other)
        else {
            return None;
        };
        let [all, one] = [wide, narrow].map(|at| at.host.parse::<IpAddr>());
        match (all.ok()?, one.ok()?.to_canonical()) {
            (all, _) if wide.port != narrow.port || !all.is_unspecified() => None,
            (IpAddr::V4(_), IpAddr::V4(_)) => Some(Taken::OfIpv4),
            (IpAddr::V6(_), IpAddr::V6(_)) => Some(Taken::OfIpv6),
            (IpAddr::V6(_), IpAddr::V4(_)) if self.v6only != Some(true) => Some(Taken::Ipv4OfIpv6),
            _ => None,
        }
    }

    /// The most connections that it is to have at once, if it says.
    pub(super) fn max_connections(&self) -> Option<usize> {
        self.max_connections
    }

    /// The listener, where `usual` says what holds for all.
    pub(super) fn listener(self, usual: &Listener) -> Listener {
        let v6only = self.v6only.unwrap_or(usual.options.v6only);
        let rate = self.rate.map_or(usual.options.rate, |limit| limit.0);
        if let Endpoint::Udp(_) = self.endpoint {
            // Nothing that holds for connections holds here.
            let mut listener = Listener::new(self.endpoint);
            (listener.options.protocol, listener.options.v6only, listener.options.rate) =
                (Protocol::Raw, v6only, rate);
            return listener;
        }
        let mut listener = usual.clone();
        listener.endpoint = self.endpoint;
        listener.options.v6only = v6only;
        listener.options.mode = self.mode.unwrap_or(usual.options.mode);
        listener.options.protocol = self.protocol.unwrap_or(usual.options.protocol);
        listener.options.proxy = self.proxy.unwrap_or(usual.options.proxy);
        listener.options.max_connections = self.max_connections.or(usual.options.max_connections);
        listener.options.idle_timeout =
            self.idle_timeout.map_or(usual.options.idle_timeout, |limit| limit.0);
        listener.options.write_timeout =
            self.write_timeout.map_or(usual.options.write_timeout, |limit| limit.0);
        listener
    }
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(typed: &str) -> Result<Self, String> {
        let Url { endpoint, query } = typed.parse().map_err(|error| format!("{error}"))?;
        if let Endpoint::Unix(path) = &endpoint
            && path.as_os_str().len() > SOCKET_PATH
        {
            let len = path.as_os_str().len();
            return Err(format!(
                "the path is too long for a socket: it has {len} bytes, and {SOCKET_PATH} is the most"
            ));
        }
        let mut listen = Self::at(endpoint);
        for (at, (name, value)) in query.iter().enumerate() {
            if query[..at].iter().any(|(earlier, _)| earlier == name) {
                return Err(format!("'{name}' is said twice"));
            }
            listen.set(name, value).map_err(|error| format!("'{name}={value}': {error}"))?;
        }
        Ok(listen)
    }
}

fn protocol(value: &str) -> Result<Protocol, String> {
    Protocol::from_str(value, false).map_err(|_| "expected text, raw or length".to_owned())
}

fn proxy(value: &str) -> Result<Proxy, String> {
    match value {
        "off" => Ok(Proxy::Off),
        "required" => Ok(Proxy::Required),
        _ => Err("expected off or required".to_owned()),
    }
}

fn rate(value: &str) -> Result<RateLimit, String> {
    match value {
        "off" => Ok(RateLimit(None)),
        number => number.parse().map(|rate| RateLimit(Some(rate))).map_err(|_| {
            "expected how many datagrams a second one address is answered, at least 1, or off"
                .to_owned()
        }),
    }
}

fn switch(value: &str) -> Result<bool, String> {
    match value {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("expected yes or no".to_owned()),
    }
}

fn mode(value: &str) -> Result<u32, String> {
    let octal = u32::from_str_radix(value, 8).ok().filter(|mode| *mode <= 0o777);
    octal.ok_or_else(|| "expected permissions as for chmod, such as 600 or 660".to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn parsed(typed: &str) -> Listener {
        let usual = Listener::tcp("unused", 1);
        typed.parse::<Listen>().unwrap().listener(&usual)
    }

    fn mistake(typed: &str) -> String {
        typed.parse::<Listen>().unwrap_err()
    }

    #[test]
    fn what_a_url_does_not_say_is_as_for_all() {
        assert_eq!(parsed("tcp://127.0.0.1:7"), Listener::tcp("127.0.0.1", 7));
        let all = parsed(
            "tcp://[::]:7?protocol=raw&v6only=yes&max-connections=3&idle-timeout=1s&write-timeout=off",
        );
        let mut expected = Listener::tcp("::", 7);
        (expected.options.v6only, expected.options.protocol) = (true, Protocol::Raw);
        expected.options.max_connections = Some(3);
        (expected.options.idle_timeout, expected.options.write_timeout) =
            (Some(Duration::from_secs(1)), None);
        assert_eq!(all, expected);
        assert_eq!(parsed("unix:///run/echo.sock?mode=660").options.mode, 0o660);
        for (value, proxy) in [("off", Proxy::Off), ("required", Proxy::Required)] {
            assert_eq!(
                parsed(&format!("unix:///run/echo.sock?proxy={value}")).options.proxy,
                proxy
            );
        }
        assert_eq!(
            parsed("udp://127.0.0.1:7?protocol=raw&rate=9").options.rate,
            NonZeroU32::new(9)
        );
        assert_eq!(parsed("udp://[::]:7?v6only=yes&rate=off").options.rate, None);
    }

    #[test]
    fn a_path_is_no_longer_than_a_socket_may_have() {
        let url = |len: usize| format!("unix:/{}", "x".repeat(len - 1));
        parsed(&url(107));
        assert!(mistake(&url(108)).contains("it has 108 bytes, and 107 is the most"));
        // It is the bytes that count, not how they are written.
        parsed(&format!("unix:/{}", "%20".repeat(106)));
    }

    #[test]
    fn mistakes_are_named() {
        for (typed, said) in [
            ("127.0.0.1:7", "expected tcp://"),
            ("tcp://h?port=7", "'port=7': there is no such parameter; there are protocol,"),
            ("tcp://h?protocol=udp", "'protocol=udp': expected text, raw or length"),
            ("tcp://h?protocol=raw&protocol=raw", "'protocol' is said twice"),
            ("tcp://127.0.0.1?v6only=yes", "'v6only=yes': it is for IPv6"),
            ("tcp://[::]?v6only=1", "expected yes or no"),
            ("tcp://h?mode=600", "it is for Unix sockets"),
            ("tcp://h?proxy=yes", "'proxy=yes': expected off or required"),
            ("udp://h?proxy=required", "it is for TCP and for Unix sockets"),
            ("unix:///s?mode=999", "expected permissions"),
            ("unix:///s?mode=7777", "expected permissions"),
            ("unix:///s?max-connections=0", "at least 1"),
            ("unix:///s?idle-timeout=5", "expected a duration"),
            ("udp://h?protocol=text", "'protocol=text': UDP is always raw"),
            ("udp://h?protocol=udp", "expected text, raw or length"),
            ("udp://h?max-connections=5", "'max-connections=5': UDP has no connections"),
            ("udp://h?idle-timeout=5s", "UDP has no connections"),
            ("udp://h?write-timeout=off", "UDP has no connections"),
            ("udp://h?mode=600", "it is for Unix sockets"),
            ("udp://h?rate=0", "at least 1, or off"),
            ("tcp://h?rate=9", "it is for UDP"),
        ] {
            assert!(mistake(typed).contains(said), "{typed}: {}", mistake(typed));
        }
    }
}
