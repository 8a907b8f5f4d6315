//! The URL of the admin listener.

use std::str::FromStr;

use common::endpoint::{Endpoint, HOST_FORM, Scheme, Url, UrlError, split_zone};

use super::{http::hosts, url::mode};
#[cfg(feature = "admin")]
use crate::config::Admin;

/// The admin listener as typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::settings) struct AdminUrl {
    pub(in crate::settings) endpoint: Endpoint,
    mode: Option<u32>,
    hosts: Vec<String>,
    control: Option<bool>,
}

/// The forms of the admin listener, for messages.
const FORMS: &str = "http://HOST:PORT, unix:///PATH or unix:@NAME";

impl AdminUrl {
    /// Returns the configuration, without the text of the settings.
    #[cfg(feature = "admin")]
    pub(in crate::settings) fn config(&self) -> Admin {
        let mut admin = Admin::new(self.endpoint.clone());
        admin.mode = self.mode.unwrap_or(admin.mode);
        admin.hosts.clone_from(&self.hosts);
        admin.control = self.control;
        admin
    }

    /// Returns whether other machines can connect, as far as the URL tells. A name other than `localhost` may have any
    /// address.
    pub(in crate::settings) fn is_reachable_from_outside(&self) -> bool {
        let Endpoint::Tcp(at) = &self.endpoint else { return false };
        match split_zone(&at.host) {
            Some((address, _)) => !address.to_canonical().is_loopback(),
            None => !at.host.eq_ignore_ascii_case("localhost"),
        }
    }

    /// Returns whether other machines may change the faults of listeners.
    pub(in crate::settings) fn is_control_on(&self) -> bool {
        self.control == Some(true)
    }

    /// Sets a parameter.
    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match (name, &self.endpoint) {
            ("hosts", _) => self.hosts.extend(hosts(value)?),
            ("control", _) => self.control = Some(control(value)?),
            ("mode", Endpoint::Unix(_)) => self.mode = Some(mode(value)?),
            ("mode", Endpoint::Abstract(_)) => {
                return Err(
                    "an abstract socket has no permissions: every process can connect".to_owned()
                );
            }
            ("mode", _) => return Err("it applies to Unix sockets only".to_owned()),
            ("tls" | "cert" | "key" | "client-ca" | "client-cert", _) => {
                return Err(NO_TLS.to_owned());
            }
            ("login" | "mechanisms", _) => {
                return Err("the admin listener has no login: limit who can connect by a loopback address, or by the mode \
                            of a Unix socket"
                    .to_owned());
            }
            _ => {
                return Err(
                    "unknown parameter; the parameters are control, hosts and mode".to_owned()
                );
            }
        }
        Ok(())
    }
}

const NO_TLS: &str = "the admin listener has no TLS: use http:// at a loopback address, unix:///PATH, or a proxy with TLS";

impl FromStr for AdminUrl {
    type Err = String;

    fn from_str(typed: &str) -> Result<Self, String> {
        if cfg!(not(feature = "admin")) {
            return Err("this program is built without the admin listener (cargo feature 'admin')"
                .to_owned());
        }
        let Url { endpoint, scheme, query, .. } = typed.parse().map_err(explain)?;
        match scheme {
            Scheme::Http | Scheme::Unix => {}
            Scheme::Https | Scheme::Tls | Scheme::Wss => return Err(NO_TLS.to_owned()),
            Scheme::Tcp | Scheme::Udp | Scheme::Ws => {
                return Err(format!("the admin listener speaks HTTP: expected {FORMS}"));
            }
        }
        let mut url = Self { endpoint, mode: None, hosts: Vec::new(), control: None };
        for (index, (name, value)) in query.iter().enumerate() {
            if name != "hosts" && query[..index].iter().any(|(earlier, _)| earlier == name) {
                return Err(format!("'{name}' is set twice"));
            }
            url.set(name, value).map_err(|error| format!("'{name}={value}': {error}"))?;
        }
        Ok(url)
    }
}

fn control(value: &str) -> Result<bool, String> {
    match value {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("expected on or off".to_owned()),
    }
}

fn explain(error: UrlError) -> String {
    match error {
        UrlError::Form => format!("expected {FORMS}; {HOST_FORM}"),
        error => error.to_string(),
    }
}

#[cfg(all(test, feature = "admin"))]
mod tests {
    use super::*;

    #[test]
    fn an_admin_listener_is_http_or_a_unix_socket() {
        let parsed = |typed: &str| typed.parse::<AdminUrl>().unwrap().config();
        let tcp = parsed("http://127.0.0.1:9465?hosts=a.example,b&hosts=c");
        assert_eq!(tcp.endpoint.to_string(), "tcp://127.0.0.1:9465");
        assert_eq!(tcp.hosts, ["a.example", "b", "c"]);
        assert_eq!((tcp.mode, tcp.control), (0o600, None));
        assert_eq!(parsed("http://h:1?control=on").control, Some(true));
        assert_eq!(parsed("unix:s?control=off").control, Some(false));
        let unix = parsed("unix:///run/admin.sock?mode=660");
        assert_eq!(
            (unix.endpoint.to_string(), unix.mode),
            ("unix:///run/admin.sock".into(), 0o660)
        );
        assert_eq!(parsed("unix:@admin").endpoint.to_string(), "unix:@admin");
    }

    #[test]
    fn what_the_admin_listener_does_not_have_is_refused_by_name() {
        for (typed, message) in [
            ("9465", "expected http://HOST:PORT, unix:///PATH or unix:@NAME"),
            ("tcp://127.0.0.1:1", "the admin listener speaks HTTP: expected http://HOST:PORT"),
            ("udp://127.0.0.1:1", "the admin listener speaks HTTP"),
            ("https://127.0.0.1:1", "the admin listener has no TLS"),
            ("tls://127.0.0.1:1", "the admin listener has no TLS"),
            ("unix:///s?tls=on", "'tls=on': the admin listener has no TLS"),
            ("http://h:1?login=required", "'login=required': the admin listener has no login"),
            ("http://h:1?mode=600", "it applies to Unix sockets only"),
            ("unix:@s?mode=600", "an abstract socket has no permissions"),
            ("unix:///s?mode=999", "expected permissions"),
            ("unix:///s?mode=600&mode=660", "'mode' is set twice"),
            ("http://h:1?control=yes", "'control=yes': expected on or off"),
            ("http://h:1?control=on&control=off", "'control' is set twice"),
            ("http://h:1?hosts=a:80", "expected names of the server"),
            (
                "http://h:1?host=a",
                "'host=a': unknown parameter; the parameters are control, hosts and mode",
            ),
            (
                "http://h:1?protocol=raw",
                "unknown parameter; the parameters are control, hosts and mode",
            ),
            ("http://user:password@h:1", "expected http://HOST:PORT"),
            ("http://h:1/metrics", "unexpected '/metrics' after the port"),
        ] {
            let error = typed.parse::<AdminUrl>().unwrap_err();
            assert!(error.contains(message), "{typed}: {error}");
        }
    }

    #[test]
    fn a_loopback_address_and_a_unix_socket_are_not_reachable_from_other_machines() {
        for (typed, is_reachable) in [
            ("http://127.0.0.1:1", false),
            ("http://127.9.9.9:1", false),
            ("http://[::1]:1", false),
            ("http://[::ffff:127.0.0.1]:1", false),
            ("http://LocalHost:1", false),
            ("unix:///s", false),
            ("unix:@s", false),
            ("http://0.0.0.0:1", true),
            ("http://[::]:1", true),
            ("http://192.168.1.1:1", true),
            ("http://echo.example:1", true),
        ] {
            let url = typed.parse::<AdminUrl>().unwrap();
            assert_eq!(url.is_reachable_from_outside(), is_reachable, "{typed}");
        }
    }
}
