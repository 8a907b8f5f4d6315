//! The configuration of one listener.

use std::{
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, SystemTime},
};

use common::{
    endpoint::{Endpoint, HostPort},
    protocol::Protocol,
};

#[cfg(feature = "http")]
use super::http::Http;
#[cfg(feature = "login")]
use super::login::Login;
#[cfg(feature = "rooms")]
use super::room::Room;
#[cfg(feature = "tls")]
use super::tls::Tls;
use crate::config::{faults::Faults, limits};

/// An endpoint to listen on, and the options for its clients.
///
/// ```
/// use common::{endpoint::Endpoint, protocol::Protocol};
/// use server::Listener;
///
/// let mut listener = Listener::new(Endpoint::Unix("/run/echo.sock".into()));
/// listener.options.protocol = Protocol::Raw;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Endpoint to listen on. Port 0 takes any free port.
    pub endpoint: Endpoint,
    /// Options of this listener.
    pub options: ListenerOptions,
}

/// Options of a listener. Its connections keep the options under which they were accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListenerOptions {
    /// Restriction of an IPv6 address to IPv6 (`IPV6_V6ONLY`, RFC 3493, section 5.3). Without it `[::]` accepts
    /// IPv4 as well. Default: no.
    pub v6only: bool,
    /// Permissions of a Unix socket, as for `chmod(2)`; a client needs write permission to connect. Default:
    /// 600, its owner.
    pub mode: u32,
    /// Default: [`Protocol::Text`].
    pub protocol: Protocol,
    /// Use of the PROXY protocol. Default: [`Proxy::Off`].
    pub proxy: Proxy,
    /// Limit on open connections of this listener. A client over the limit receives one line and is closed.
    /// Default: the limit of the server.
    pub max_connections: Option<usize>,
    /// Limit on the time without received bytes. Default: unlimited.
    pub idle_timeout: Option<Duration>,
    /// Limit on the time in which nothing can be written to a peer that has bytes to receive. Default: 30 s.
    pub write_timeout: Option<Duration>,
    /// Limit on the time until a PROXY header is complete, if [`proxy`](Self::proxy) requires one. Without it the
    /// idle timeout applies. Default: 5 s.
    pub proxy_timeout: Option<Duration>,
    /// TLS for every connection, after the PROXY header if there is one. Default: none.
    #[cfg(feature = "tls")]
    pub tls: Option<Tls>,
    /// Limit on the time from the accept until the TLS handshake and a login are complete, including a PROXY header before
    /// them. Without it the idle timeout applies. Default: 10 s.
    pub handshake_timeout: Option<Duration>,
    /// HTTP and WebSocket in place of [`protocol`](Self::protocol). Default: none.
    #[cfg(feature = "http")]
    pub http: Option<Arc<Http>>,
    /// Rooms in place of the echo. Over TCP and Unix sockets, [`protocol`](Self::protocol) says whether a message is a line or a
    /// frame; over HTTP, each WebSocket is a member. Default: none.
    #[cfg(feature = "rooms")]
    pub room: Option<Arc<Room>>,
    /// A client receipt at the end of each connection that closes gracefully: what the server has received and sent, with digests
    /// ([`common::receipt::Receipt`]). The protocol [`Raw`](Protocol::Raw), rooms and UDP have no place for one, and send none.
    /// Default: no.
    #[cfg(feature = "receipt")]
    pub client_receipt: bool,
    /// Login before anything is echoed. A listener without TLS offers it only by a mechanism that does not show the password.
    /// Default: none.
    #[cfg(feature = "login")]
    pub login: Option<Arc<Login>>,
    /// Faults that are injected on purpose, for tests of clients and proxies. Default: none.
    pub faults: Option<Arc<Faults>>,
    /// Limit on the datagrams per second that are answered to one source over UDP: an IPv4 address, or an
    /// IPv6 network of 64 bits. Default: 10,000; `None`: unlimited. The highest limit is 10,000,000.
    pub rate: Option<NonZeroU32>,
}

/// Use of the PROXY protocol: a proxy in front of the server names the client in a header of version 1 or 2
/// (HAProxy's `proxy-protocol.txt`).
///
/// There is no optional header: a client that connects without a proxy could then claim any address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Proxy {
    /// Connections come from clients. A PROXY header is echoed like any bytes.
    #[default]
    Off,
    /// Connections come from a proxy, and one without a valid header is closed. The log names the source in
    /// the header, and the limit per source counts it. Any client that can connect can claim any source, so only
    /// the proxy may be able to connect.
    Required,
}

impl Listener {
    /// Creates a listener with the default options.
    #[must_use]
    pub fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, options: ListenerOptions::default() }
    }

    /// Creates a TCP listener with the default options. Port 0 takes any free port.
    #[must_use]
    pub fn tcp(host: &str, port: u16) -> Self {
        Self::new(Endpoint::Tcp(HostPort { host: host.to_owned(), port }))
    }
}

impl ListenerOptions {
    /// Returns an address of this listener as the log names it: for plain TCP without the scheme.
    pub(crate) fn address(&self, endpoint: &Endpoint) -> String {
        Self::address_with(endpoint, self.is_tls(), self.is_http())
    }

    /// Returns an address with these layers as the log names it: for plain TCP without the scheme.
    pub(crate) fn address_with(endpoint: &Endpoint, is_tls: bool, is_http: bool) -> String {
        if let Endpoint::Tcp(at) = endpoint {
            let scheme = match (is_tls, is_http) {
                (false, false) => "",
                (true, false) => "tls://",
                (false, true) => "http://",
                (true, true) => "https://",
            };
            return format!("{scheme}{at}");
        }
        let parameters = match (is_tls, is_http) {
            (false, false) => "",
            (true, false) => "?tls=on",
            (false, true) => "?http=on",
            (true, true) => "?tls=on&http=on",
        };
        format!("{endpoint}{parameters}")
    }

    /// Returns the name of the protocol of its connections: `http`, `room`, or that of [`protocol`](Self::protocol).
    pub(crate) fn protocol_name(&self) -> &'static str {
        match self.protocol {
            _ if self.is_http() => "http",
            #[cfg(feature = "rooms")]
            _ if self.room.is_some() => "room",
            Protocol::Text => "text",
            Protocol::Raw => "raw",
            Protocol::Length => "length",
        }
    }

    /// Returns whether connections have TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.tls.is_some();
        #[cfg(not(feature = "tls"))]
        false
    }

    /// Returns the time at which the first certificate of its TLS expires, if it is known.
    #[must_use]
    pub fn tls_expiry(&self) -> Option<SystemTime> {
        #[cfg(feature = "tls")]
        return self.tls.as_ref().and_then(Tls::expiry);
        #[cfg(not(feature = "tls"))]
        None
    }

    /// Returns whether connections speak HTTP.
    #[must_use]
    pub fn is_http(&self) -> bool {
        #[cfg(feature = "http")]
        return self.http.is_some();
        #[cfg(not(feature = "http"))]
        false
    }

    /// Returns whether connections begin with a login.
    pub(crate) fn has_login(&self) -> bool {
        #[cfg(feature = "login")]
        return self.login.is_some();
        #[cfg(not(feature = "login"))]
        false
    }
}

impl Default for ListenerOptions {
    fn default() -> Self {
        Self {
            v6only: false,
            mode: limits::SOCKET_MODE,
            protocol: Protocol::default(),
            proxy: Proxy::default(),
            max_connections: None,
            idle_timeout: None,
            write_timeout: Some(limits::WRITE_TIMEOUT),
            proxy_timeout: Some(limits::PROXY_TIMEOUT),
            #[cfg(feature = "tls")]
            tls: None,
            handshake_timeout: Some(limits::TLS_HANDSHAKE_TIMEOUT),
            #[cfg(feature = "http")]
            http: None,
            #[cfg(feature = "rooms")]
            room: None,
            #[cfg(feature = "receipt")]
            client_receipt: false,
            #[cfg(feature = "login")]
            login: None,
            faults: None,
            rate: Some(limits::DATAGRAM_RATE),
        }
    }
}
