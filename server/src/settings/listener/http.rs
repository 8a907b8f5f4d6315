//! The HTTP parameters of a listener's URL.

use std::{net::Ipv6Addr, time::Duration};

use common::{
    cli::{TimeLimit, positive_duration, time_limit},
    websocket::is_token,
};

#[cfg(feature = "http")]
use crate::config::Http;
use crate::config::limits;

/// The HTTP parameters of a listener, as typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::settings) struct HttpParameters {
    origins: Vec<String>,
    hosts: Vec<String>,
    subprotocols: Vec<String>,
    max_message: Option<u64>,
    deflate: bool,
    head_timeout: Option<Duration>,
    ping_interval: Option<TimeLimit>,
}

const NAMES: [&str; 7] =
    ["origins", "hosts", "subprotocols", "max-message", "deflate", "head-timeout", "ping-interval"];

impl HttpParameters {
    /// Returns whether a parameter of this name belongs to HTTP.
    pub(super) fn has(name: &str) -> bool {
        NAMES.contains(&name)
    }

    /// Sets a parameter of HTTP.
    ///
    /// # Errors
    ///
    /// What was expected.
    pub(super) fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "origins" => {
                let origins = value.split(',').map(origin).collect::<Option<_>>();
                self.origins = origins.ok_or_else(|| {
                    "expected origins such as https://example.com or https://example.com:8443, null, or *, \
                     joined by commas"
                        .to_owned()
                })?;
            }
            "hosts" => self.hosts = hosts(value)?,
            "subprotocols" => self.subprotocols = list(value, is_token, "names of subprotocols")?,
            "max-message" => self.max_message = Some(size(value)?),
            "deflate" => {
                self.deflate = match value {
                    "on" => true,
                    "off" => false,
                    _ => return Err("expected on or off".to_owned()),
                }
            }
            "head-timeout" => self.head_timeout = Some(positive_duration(value)?),
            _ => self.ping_interval = Some(time_limit(value)?),
        }
        Ok(())
    }

    /// Returns the configuration.
    #[cfg(feature = "http")]
    pub(super) fn config(&self) -> Http {
        let mut http = Http::default();
        http.origins.clone_from(&self.origins);
        http.hosts.clone_from(&self.hosts);
        http.subprotocols.clone_from(&self.subprotocols);
        http.deflate = self.deflate;
        http.max_message = self.max_message.unwrap_or(http.max_message);
        http.head_timeout = self.head_timeout.unwrap_or(http.head_timeout);
        if let Some(TimeLimit(interval)) = self.ping_interval {
            http.ping_interval = interval;
        }
        http
    }
}

/// Parses names of the server, joined by commas.
pub(super) fn hosts(value: &str) -> Result<Vec<String>, String> {
    list(value, is_host, "names of the server, without ports")
}

fn list(value: &str, is_valid: fn(&str) -> bool, what: &str) -> Result<Vec<String>, String> {
    let all: Vec<String> = value.split(',').map(str::to_owned).collect();
    if all.iter().all(|one| is_valid(one)) {
        Ok(all)
    } else {
        Err(format!("expected {what}, joined by commas"))
    }
}

/// Returns an origin in the form in which browsers send it (RFC 6454, section 6.2): in lower case, and without the default
/// port of its scheme. `None`: it is no origin.
fn origin(text: &str) -> Option<String> {
    if text == "*" || text == "null" {
        return Some(text.to_owned());
    }
    let lower = text.to_ascii_lowercase();
    let (scheme, authority) = lower.split_once("://")?;
    let ipv6 = authority.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (host, port) = if let Some((address, port)) = ipv6 {
        (format!("[{}]", address.parse::<Ipv6Addr>().ok()?), port)
    } else {
        let (host, port) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
        (host.to_owned(), port)
    };
    let is_valid = is_token(scheme) && (ipv6.is_some() || is_host(&host));
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => None,
        None => return None,
        Some(digits) => {
            let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
            Some(digits.parse::<u16>().ok().filter(|_| is_number)?)
        }
    };
    let default = match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    };
    let port = port.filter(|port| Some(*port) != default).map(|port| format!(":{port}"));
    is_valid.then(|| format!("{scheme}://{host}{}", port.unwrap_or_default()))
}

fn is_host(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

/// Parses a size in bytes, with a unit of powers of 1,024: `4096`, `64kB`, `1MB`, `1GB`.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "" => Some(1),
        "kB" => Some(1 << 10),
        "MB" => Some(1 << 20),
        "GB" => Some(1 << 30),
        _ => None,
    };
    let bytes = number.parse().ok().zip(factor);
    let bytes = bytes.and_then(|(number, factor): (u64, u64)| number.checked_mul(factor));
    let allowed = bytes.filter(|bytes| (1..=limits::MESSAGE_MAX).contains(bytes));
    allowed.ok_or_else(|| {
        "expected a size from 1 to 4095MB, with the unit kB, MB, GB or none".to_owned()
    })
}

#[cfg(all(test, feature = "http"))]
mod tests {
    use super::*;

    fn set(name: &str, value: &str) -> Result<Http, String> {
        let mut http = HttpParameters::default();
        http.set(name, value).map(|()| http.config())
    }

    #[test]
    fn each_parameter_sets_its_option() {
        assert_eq!(HttpParameters::default().config(), Http::default());
        let list = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        assert_eq!(
            set("origins", "https://a,http://b:8,*").unwrap().origins,
            list(&["https://a", "http://b:8", "*"])
        );
        let typed =
            "HTTPS://Example.COM:443,http://[::0:1]:80,http://a:443,null,chrome-extension://abc";
        assert_eq!(
            set("origins", typed).unwrap().origins,
            list(&[
                "https://example.com",
                "http://[::1]",
                "http://a:443",
                "null",
                "chrome-extension://abc"
            ])
        );
        assert_eq!(set("hosts", "a.example,b").unwrap().hosts, list(&["a.example", "b"]));
        assert_eq!(set("subprotocols", "chat").unwrap().subprotocols, list(&["chat"]));
        for (value, bytes) in [("1", 1), ("64kB", 65_536), ("2MB", 2 << 20), ("3GB", 3 << 30)] {
            assert_eq!(set("max-message", value).unwrap().max_message, bytes);
        }
        assert!(set("deflate", "on").unwrap().deflate);
        assert_eq!(set("head-timeout", "1s").unwrap().head_timeout, Duration::from_secs(1));
        assert_eq!(set("ping-interval", "off").unwrap().ping_interval, None);
    }

    #[test]
    fn an_invalid_parameter_is_refused() {
        for (name, value) in [
            ("origins", "example.com"),
            ("origins", "https://a/"),
            ("origins", "https://a,"),
            ("origins", "https://a:b"),
            ("origins", "https://a:99999"),
            ("origins", "https://a:+1"),
            ("origins", "https://[::1"),
            ("origins", "https://a?b"),
            ("hosts", "a:80"),
            ("hosts", ""),
            ("subprotocols", "a b"),
            ("max-message", "0"),
            ("max-message", "4GB"),
            ("max-message", "1KB"),
            ("max-message", "99999999999GB"),
            ("deflate", "yes"),
            ("head-timeout", "off"),
            ("ping-interval", "5"),
        ] {
            assert!(set(name, value).is_err(), "{name}={value}");
        }
    }
}
