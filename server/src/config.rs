//! What a server is told, validated: nothing here can contradict itself.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    thread::available_parallelism,
    time::Duration,
};

use common::{
    endpoint::{Endpoint, HostPort},
    protocol::{DEFAULT_HOST, DEFAULT_PORT, Protocol},
};

use crate::{limits, spin::Spin};

/// What a [`Server`](crate::Server) is told.
///
/// ```
/// use server::{Config, Listener};
///
/// let mut config = Config::default();
/// config.listeners = vec![Listener::tcp("127.0.0.1", 0)]; // any free port
/// config.log_messages = false;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Where it listens. Default: `tcp://127.0.0.1:65432`.
    pub listeners: Vec<Listener>,
    /// Threads that serve connections, any number each. Default: one a core.
    pub workers: NonZeroUsize,
    /// How many connections are served at once; over it, a peer is told so and closed on.
    /// Default: as many as the process's soft limit on descriptors leaves room for.
    pub max_connections: Option<usize>,
    /// How many of them may come from one source: an IPv4 address, or an IPv6 network of 64 bits.
    /// Default: any number.
    pub max_connections_per_ip: Option<usize>,
    /// Whether another server may listen on the same address meanwhile (`SO_REUSEPORT`, `socket(7)`),
    /// if it says the same: one that takes over before this one has drained. Default: no.
    pub reuse_port: bool,
    /// How long a server that was asked to leave waits for its peers. Default: 5 s.
    pub drain_timeout: Duration,
    /// Whether every message is logged, as received and as echoed. Default: yes.
    pub log_messages: bool,
    /// How a worker waits for the next bytes. Default: [`Spin::Auto`].
    pub spin: Spin,
}

/// A place to listen on, and the terms on which whoever comes there is served.
///
/// ```
/// use common::{endpoint::Endpoint, protocol::Protocol};
/// use server::Listener;
///
/// let mut listener = Listener::new(Endpoint::Unix("/run/echo.sock".into()));
/// listener.protocol = Protocol::Raw;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listener {
    /// Where; port 0 takes any free one.
    pub endpoint: Endpoint,
    /// Whether an IPv6 address takes IPv6 only (`IPV6_V6ONLY`, RFC 3493, 5.3): `[::]` takes IPv4 as well
    /// otherwise. Default: no.
    pub v6only: bool,
    /// The permissions of a Unix socket, as for `chmod(2)`: who may connect is who may write. Default:
    /// 600, its owner.
    pub mode: u32,
    /// Default: [`Protocol::Text`].
    pub protocol: Protocol,
    /// Whether a proxy is in front that says for whom it connects. Default: [`Proxy::Off`].
    pub proxy: Proxy,
    /// How many connections it has at once; over it, a peer is told so and closed on. Default: as many
    /// as the server has.
    pub max_connections: Option<usize>,
    /// How long a connection may be silent. Default: for ever.
    pub idle_timeout: Option<Duration>,
    /// How long a peer may take nothing of what is owed to it. Default: 30 s.
    pub write_timeout: Option<Duration>,
    /// How many datagrams a second one source is answered over UDP: an IPv4 address, or an IPv6 network
    /// of 64 bits. Default: 10,000; `None`: any number.
    pub rate: Option<NonZeroU32>,
}

/// Whether connections come through a proxy that says for whom, by a PROXY header of version 1 or 2
/// (HAProxy's `proxy-protocol.txt`).
///
/// There is no third way, by which a header may come or not: whoever connected without a proxy could say
/// then that it is anybody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Proxy {
    /// They do not. A header would be echoed like any bytes.
    #[default]
    Off,
    /// They do, and whoever sends no header is closed on. The log names the source that the header
    /// names, and the limit for one source counts it. Whoever can connect can name any source: only the
    /// proxy must be able to.
    Required,
}

impl Listener {
    /// On the usual terms.
    #[must_use]
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            v6only: false,
            mode: limits::SOCKET_MODE,
            protocol: Protocol::default(),
            proxy: Proxy::default(),
            max_connections: None,
            idle_timeout: None,
            write_timeout: Some(limits::WRITE_TIMEOUT),
            rate: Some(limits::DATAGRAM_RATE),
        }
    }

    /// Whether both are the same to whoever binds them.
    pub(crate) fn is_same_place(&self, other: &Self) -> bool {
        self.endpoint == other.endpoint && self.v6only == other.v6only
    }

    /// On the usual terms, for TCP; port 0 takes any free one.
    #[must_use]
    pub fn tcp(host: &str, port: u16) -> Self {
        Self::new(Endpoint::Tcp(HostPort { host: host.to_owned(), port }))
    }
}

impl Default for Config {
    fn default() -> Self {
        let workers = available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self {
            listeners: vec![Listener::tcp(DEFAULT_HOST, DEFAULT_PORT)],
            workers,
            max_connections: None,
            max_connections_per_ip: None,
            reuse_port: false,
            drain_timeout: limits::DRAIN_TIMEOUT,
            log_messages: true,
            spin: Spin::default(),
        }
    }
}

impl Config {
    /// The names of what cannot change while a server runs.
    pub const FIXED: [&str; 3] = ["workers", "spin", "reuse-port"];

    /// Those of [`FIXED`](Self::FIXED) that differ.
    pub(crate) fn fixed_differences(&self, other: &Self) -> impl Iterator<Item = &'static str> {
        let differ = [
            self.workers != other.workers,
            self.spin != other.spin,
            self.reuse_port != other.reuse_port,
        ];
        Self::FIXED.into_iter().zip(differ).filter_map(|(name, differs)| differs.then_some(name))
    }
}
