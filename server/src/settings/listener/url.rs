//! The URL of a listener: its endpoint, and options that override those of the server.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    str::FromStr,
    sync::Arc,
};

use clap::ValueEnum as _;
use common::{
    cli::{TimeLimit, at_least_one, time_limit},
    endpoint::{Endpoint, HOST_FORM, Scheme, Url, UrlError, split_zone},
    protocol::Protocol,
};

use super::{
    faults,
    http::HttpParameters,
    login::LoginParameters,
    receipt::{self, NOT_RAW},
    room::RoomParameters,
};
use crate::config::{
    FaultParameters, Faults, Listener, ListenerOptions, Proxy, limits::DATAGRAM_RATE_MAX,
};
use crate::settings::tls::TlsParameters;

/// A listener as typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::settings) struct ListenerUrl {
    endpoint: Endpoint,
    parameters: Vec<Parameter>,
    /// `None`: its connections have no TLS.
    pub(in crate::settings) tls: Option<TlsParameters>,
    /// `None`: its connections speak the protocol of the listener.
    pub(in crate::settings) http: Option<HttpParameters>,
    pub(in crate::settings) login: LoginParameters,
    pub(in crate::settings) room: RoomParameters,
    fault_parameters: FaultParameters,
    /// The checked faults.
    faults: Option<Arc<Faults>>,
}

/// A parameter after the `?`: one listener option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parameter {
    Protocol(Protocol),
    Proxy(Proxy),
    V6only(bool),
    Mode(u32),
    MaxConnections(NonZeroUsize),
    IdleTimeout(TimeLimit),
    WriteTimeout(TimeLimit),
    ProxyTimeout(TimeLimit),
    HandshakeTimeout(TimeLimit),
    Rate(Option<NonZeroU32>),
    Receipt(bool),
}

/// Names of the parameters.
const PARAMETERS: &str = "protocol, proxy, v6only, mode, max-connections, idle-timeout, write-timeout, proxy-timeout, rate, receipt, tls, cert, key, client-ca, client-cert, crl, tls-min, alpn, handshake-timeout, login, mechanisms, http, origins, hosts, subprotocols, max-message, deflate, head-timeout, ping-interval, room, join, framing, history, slow and member-buffer";

/// The forms of a listener, for messages.
const FORMS: &str = "tcp://HOST:PORT, tls://HOST:PORT, udp://HOST:PORT, http://HOST:PORT, https://HOST:PORT, unix:///PATH or unix:@NAME";

impl ListenerUrl {
    /// Creates a listener without options of its own.
    pub(in crate::settings) fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            parameters: Vec::new(),
            tls: None,
            http: None,
            login: LoginParameters::default(),
            room: RoomParameters::default(),
            fault_parameters: FaultParameters::default(),
            faults: None,
        }
    }

    /// Returns whether it has TLS with the certificate of the settings.
    #[cfg(feature = "tls")]
    pub(in crate::settings) fn has_no_cert(&self) -> bool {
        self.tls.as_ref().is_some_and(TlsParameters::has_no_cert)
    }

    /// Returns the address of a listener with TLS as the log names it; port 0 is any free port.
    #[cfg(feature = "tls")]
    pub(in crate::settings) fn tls_address(&self) -> String {
        ListenerOptions::address_with(&self.endpoint, true, self.http.is_some())
    }

    /// Returns whether each connection ends with a receipt.
    pub(in crate::settings) fn has_receipt(&self) -> bool {
        self.parameters.contains(&Parameter::Receipt(true))
    }

    /// Returns the listener. `base` has the options that the URL does not set.
    pub(in crate::settings) fn listener(&self, base: &ListenerOptions) -> Listener {
        let mut listener = Listener::new(self.endpoint.clone());
        if let Endpoint::Udp(_) = self.endpoint {
            // Options of connections do not apply.
            listener.options.protocol = Protocol::Raw;
        } else {
            listener.options = base.clone();
        }
        for parameter in &self.parameters {
            parameter.apply_to(&mut listener.options);
        }
        listener.options.faults.clone_from(&self.faults);
        #[cfg(feature = "http")]
        {
            listener.options.http = self.http.as_ref().map(|http| http.config().into());
        }
        #[cfg(feature = "rooms")]
        if let Some((room, framing)) = self.room.config() {
            listener.options.protocol = framing;
            listener.options.room = Some(room.into());
        }
        #[cfg(feature = "login")]
        {
            listener.options.login = self.login.config().map(Into::into);
        }
        listener
    }
}

impl ListenerUrl {
    /// Sets a parameter.
    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match (&mut self.tls, &mut self.http) {
            _ if name == "tls" || name == "http" => Ok(()),
            _ if LoginParameters::has(name) => match self.endpoint {
                Endpoint::Udp(_) => Err("UDP has no connections that could log in".to_owned()),
                _ => self.login.set(name, value),
            },
            _ if RoomParameters::has(name, value) => match self.endpoint {
                Endpoint::Udp(_) => Err("UDP has no connections that could be members".to_owned()),
                _ => self.room.set(name, value),
            },
            _ if FaultParameters::has(name) => self.fault_parameters.set(name, value),
            (Some(tls), _) if TlsParameters::has(name) => tls.set(name, value),
            (None, _) if TlsParameters::has(name) => {
                Err("it applies to tls://HOST:PORT, https://HOST:PORT and unix:///PATH?tls=on only"
                    .to_owned())
            }
            (_, Some(http)) if HttpParameters::has(name) => http.set(name, value),
            (_, None) if HttpParameters::has(name) => Err(
                "it applies to http://HOST:PORT, https://HOST:PORT and unix:///PATH?http=on only"
                    .to_owned(),
            ),
            (_, Some(_)) if name == "protocol" => {
                Err("the protocol of this listener is HTTP, or room".to_owned())
            }
            _ => {
                let parameter = Parameter::parse(&self.endpoint, name, value)?;
                self.parameters.push(parameter);
                Ok(())
            }
        }
    }

    /// Checks the parameters together.
    fn check(mut self) -> Result<Self, String> {
        self.tls.as_ref().map_or(Ok(()), TlsParameters::check)?;
        if let (Some(tls), Some(_)) = (&mut self.tls, &self.http) {
            tls.default_alpn(&["http/1.1", "http/1.0"]);
        }
        let has = |wanted: fn(&Parameter) -> bool| self.parameters.iter().any(wanted);
        if has(|parameter| matches!(parameter, Parameter::ProxyTimeout(_)))
            && !has(|parameter| matches!(parameter, Parameter::Proxy(Proxy::Required)))
        {
            return Err("'proxy-timeout' needs proxy=required".to_owned());
        }
        if has(|parameter| matches!(parameter, Parameter::HandshakeTimeout(_)))
            && self.tls.is_none()
            && !self.login.is_required()
        {
            return Err("'handshake-timeout' needs TLS or login=required".to_owned());
        }
        self.room.check(self.http.is_some())?;
        if self.has_receipt() {
            receipt::check(self.room.is_room())?;
            if has(|parameter| matches!(parameter, Parameter::Protocol(Protocol::Raw))) {
                return Err(NOT_RAW.to_owned());
            }
        }
        #[cfg(feature = "login")]
        self.login.check(self.tls.as_ref(), self.http.is_some())?;
        let has = [self.tls.is_some(), self.http.is_some(), self.room.is_room()];
        self.faults = faults::faults(&self.fault_parameters, &self.endpoint, has, &self.login)?;
        Ok(self)
    }
}

impl Parameter {
    /// Parses a parameter of a listener at `endpoint`, which decides the valid parameters.
    fn parse(endpoint: &Endpoint, name: &str, value: &str) -> Result<Self, String> {
        match (name, endpoint) {
            ("protocol", Endpoint::Udp(_)) if protocol(value)? != Protocol::Raw => {
                Err("UDP is always raw: every datagram is returned unchanged".to_owned())
            }
            ("max-connections" | "idle-timeout" | "write-timeout", Endpoint::Udp(_)) => {
                Err("UDP has no connections; its limit is rate".to_owned())
            }
            ("proxy" | "proxy-timeout", Endpoint::Udp(_)) => {
                Err("it applies to TCP and Unix sockets only".to_owned())
            }
            ("rate", Endpoint::Udp(_)) => rate(value).map(Self::Rate),
            ("rate", _) => Err("it applies to UDP only".to_owned()),
            ("receipt", _) => receipt::parse(endpoint, value).map(Self::Receipt),
            ("protocol", _) => protocol(value).map(Self::Protocol),
            ("proxy", _) => proxy(value).map(Self::Proxy),
            ("v6only", Endpoint::Tcp(at) | Endpoint::Udp(at)) if is_ipv6(&at.host) => {
                switch(value).map(Self::V6only)
            }
            ("v6only", _) => Err("it applies to IPv6 addresses only, such as [::]".to_owned()),
            ("mode", Endpoint::Unix(_)) => mode(value).map(Self::Mode),
            ("mode", Endpoint::Abstract(_)) => {
                Err("an abstract socket has no permissions: every process can connect".to_owned())
            }
            ("mode", _) => Err("it applies to Unix sockets only".to_owned()),
            ("max-connections", _) => at_least_one(value).map(Self::MaxConnections),
            ("idle-timeout", _) => time_limit(value).map(Self::IdleTimeout),
            ("write-timeout", _) => time_limit(value).map(Self::WriteTimeout),
            ("proxy-timeout", _) => time_limit(value).map(Self::ProxyTimeout),
            ("handshake-timeout", _) => time_limit(value).map(Self::HandshakeTimeout),
            _ => Err(format!(
                "unknown parameter; the parameters are {PARAMETERS}; those of faults are {}",
                FaultParameters::names()
            )),
        }
    }

    fn apply_to(self, options: &mut ListenerOptions) {
        match self {
            Self::Protocol(protocol) => options.protocol = protocol,
            Self::Proxy(proxy) => options.proxy = proxy,
            Self::V6only(v6only) => options.v6only = v6only,
            Self::Mode(mode) => options.mode = mode,
            Self::MaxConnections(max) => options.max_connections = Some(max.get()),
            Self::IdleTimeout(TimeLimit(limit)) => options.idle_timeout = limit,
            Self::WriteTimeout(TimeLimit(limit)) => options.write_timeout = limit,
            Self::ProxyTimeout(TimeLimit(limit)) => options.proxy_timeout = limit,
            Self::HandshakeTimeout(TimeLimit(limit)) => options.handshake_timeout = limit,
            Self::Rate(rate) => options.rate = rate,
            #[cfg(feature = "receipt")]
            Self::Receipt(is_on) => options.client_receipt = is_on,
            #[cfg(not(feature = "receipt"))]
            Self::Receipt(_) => {}
        }
    }
}

impl FromStr for ListenerUrl {
    type Err = String;

    fn from_str(typed: &str) -> Result<Self, String> {
        let Url { endpoint, scheme, query, .. } = typed.parse().map_err(explain)?;
        check_scheme(scheme)?;
        let tls = has_layer("tls", &endpoint, scheme, &query)?;
        let http = has_layer("http", &endpoint, scheme, &query)?;
        let mut url = Self::new(endpoint);
        url.tls = tls.then(TlsParameters::default);
        url.http = http.then(HttpParameters::default);
        for (index, (name, value)) in query.iter().enumerate() {
            let is_list = TlsParameters::is_list(name);
            if !is_list && query[..index].iter().any(|(earlier, _)| earlier == name) {
                return Err(format!("'{name}' is set twice"));
            }
            url.set(name, value).map_err(|error| format!("'{name}={value}': {error}"))?;
        }
        url.check()
    }
}

fn explain(error: UrlError) -> String {
    match error {
        UrlError::Form => format!("expected {FORMS}; {HOST_FORM}"),
        error => error.to_string(),
    }
}

fn check_scheme(scheme: Scheme) -> Result<(), String> {
    if scheme.is_websocket() {
        let listener = if scheme.is_tls() { "https" } else { "http" };
        return Err(format!("a listener for WebSocket is {listener}://HOST:PORT"));
    }
    if scheme.is_http() && cfg!(not(feature = "http")) {
        return Err("this program is built without HTTP (cargo feature 'http')".to_owned());
    }
    Ok(())
}

/// Returns whether a listener has TLS or HTTP, by its scheme or by the parameter of this name.
fn has_layer(
    layer: &str,
    endpoint: &Endpoint,
    scheme: Scheme,
    query: &[(String, String)],
) -> Result<bool, String> {
    let is_scheme = if layer == "tls" { scheme.is_tls() } else { scheme.is_http() };
    let Some((_, value)) = query.iter().find(|(name, _)| name == layer) else {
        return Ok(is_scheme);
    };
    match (endpoint, &value[..]) {
        (Endpoint::Unix(_) | Endpoint::Abstract(_), "on") => Ok(true),
        (Endpoint::Unix(_) | Endpoint::Abstract(_), "off") => Ok(false),
        (Endpoint::Unix(_) | Endpoint::Abstract(_), _) => {
            Err(format!("'{layer}={value}': expected on or off"))
        }
        _ => {
            let with_both =
                layer == "tls" && scheme.is_http() || layer == "http" && scheme.is_tls();
            let scheme = if with_both { "https" } else { layer };
            Err(format!(
                "'{layer}={value}': it applies to Unix sockets only; over TCP write {scheme}://HOST:PORT"
            ))
        }
    }
}

/// Returns whether a host is an IPv6 address of its own: an IPv4 address that is mapped to IPv6 is none.
fn is_ipv6(host: &str) -> bool {
    split_zone(host).is_some_and(|(address, _)| address.to_canonical().is_ipv6())
}

fn protocol(value: &str) -> Result<Protocol, String> {
    Protocol::from_str(value, false).map_err(|_| "expected text, raw, length or room".to_owned())
}

fn proxy(value: &str) -> Result<Proxy, String> {
    match value {
        "off" => Ok(Proxy::Off),
        "required" => Ok(Proxy::Required),
        _ => Err("expected off or required".to_owned()),
    }
}

fn rate(value: &str) -> Result<Option<NonZeroU32>, String> {
    match value {
        "off" => Ok(None),
        number => match number.parse() {
            Ok(rate) if rate <= DATAGRAM_RATE_MAX => Ok(Some(rate)),
            _ => Err(format!(
                "expected a number of datagrams per second and address, at least 1, or off; the maximum is \
                 {DATAGRAM_RATE_MAX}"
            )),
        },
    }
}

fn switch(value: &str) -> Result<bool, String> {
    match value {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("expected yes or no".to_owned()),
    }
}

pub(super) fn mode(value: &str) -> Result<u32, String> {
    let octal = u32::from_str_radix(value, 8).ok().filter(|mode| *mode <= 0o777);
    octal.ok_or_else(|| "expected permissions as for chmod, such as 600 or 660".to_owned())
}

#[cfg(test)]
mod tests;
