//! The HTTP parameters of a listener's URL.

use std::time::Duration;

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
                self.origins = list(value, is_origin, "origins such as https://example.com, or *")?;
            }
            "hosts" => self.hosts = list(value, is_host, "names of the server, without ports")?,
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

fn list(value: &str, is_valid: fn(&str) -> bool, what: &str) -> Result<Vec<String>, String> {
    let all: Vec<String> = value.split(',').map(str::to_owned).collect();
    if all.iter().all(|one| is_valid(one)) {
        Ok(all)
    } else {
        Err(format!("expected {what}, joined by commas"))
    }
}

/// An origin has a scheme and a host, and nothing behind its port (RFC 6454, section 6.2).
fn is_origin(text: &str) -> bool {
    let is_url = |(scheme, host): (&str, &str)| {
        is_token(scheme) && !host.is_empty() && !host.contains(['/', '?', '#', ' '])
    };
    text == "*" || text == "null" || text.split_once("://").is_some_and(is_url)
}

fn is_host(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

/// Parses a size in bytes, with a unit of powers of 1,024: `4096`, `64kB`, `1MB`, `1GB`.
fn size(text: &str) -> Result<u64, String> {
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
