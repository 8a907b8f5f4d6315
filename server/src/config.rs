//! What a server is told, validated: nothing here can contradict itself.

use std::{num::NonZeroUsize, thread::available_parallelism, time::Duration};

use common::protocol::{DEFAULT_HOST, DEFAULT_PORT, Protocol};

use crate::{descriptors, limits, spin::Spin};

/// What a [`Server`](crate::Server) is told.
///
/// ```
/// let mut config = server::Config::default();
/// config.port = 0; // any free one
/// config.log_messages = false;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// A name or an address of this machine. Default: `127.0.0.1`.
    pub host: String,
    /// A TCP port; 0 takes any free one. Default: 65432.
    pub port: u16,
    /// Threads that serve connections, any number each. Default: one a core.
    pub workers: NonZeroUsize,
    /// Default: [`Protocol::Text`].
    pub protocol: Protocol,
    /// How many connections are served at once; over it, a peer is told so and closed on.
    /// Default: as many as the process's soft limit on descriptors leaves room for.
    pub max_connections: usize,
    /// How many of them may come from one source: an IPv4 address, or an IPv6 network of 64 bits.
    /// Default: any number.
    pub max_connections_per_ip: Option<usize>,
    /// Whether another server may listen on the same address meanwhile (`SO_REUSEPORT`, `socket(7)`),
    /// if it says the same: one that takes over before this one has drained. Default: no.
    pub reuse_port: bool,
    /// How long a connection may be silent. Default: for ever.
    pub idle_timeout: Option<Duration>,
    /// How long a peer may take nothing of what is owed to it. Default: 30 s.
    pub write_timeout: Option<Duration>,
    /// How long a server that was asked to leave waits for its peers. Default: 5 s.
    pub drain_timeout: Duration,
    /// Whether every message is logged, as received and as echoed. Default: yes.
    pub log_messages: bool,
    /// How a worker waits for the next bytes. Default: [`Spin::Auto`].
    pub spin: Spin,
}

impl Default for Config {
    fn default() -> Self {
        let workers = available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self {
            host: DEFAULT_HOST.to_owned(),
            port: DEFAULT_PORT,
            workers,
            protocol: Protocol::default(),
            max_connections: descriptors::room_for_connections(workers),
            max_connections_per_ip: None,
            reuse_port: false,
            idle_timeout: None,
            write_timeout: Some(limits::WRITE_TIMEOUT),
            drain_timeout: limits::DRAIN_TIMEOUT,
            log_messages: true,
            spin: Spin::default(),
        }
    }
}

impl Config {
    /// The same with this many workers. They need descriptors of their own, so the default of
    /// [`max_connections`](Self::max_connections) changes with them.
    #[must_use]
    pub fn with_workers(self, workers: NonZeroUsize) -> Self {
        Self { workers, max_connections: descriptors::room_for_connections(workers), ..self }
    }
}
