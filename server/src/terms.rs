//! What whoever comes to a listener can count on. A connection keeps to the terms that it came under.

use std::{
    net::IpAddr,
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use common::protocol::Protocol;
use crossbeam::utils::CachePadded;

use crate::{
    config::{Listener, Proxy},
    peer::Peer,
};

/// The terms of one listener.
#[derive(Debug)]
pub(crate) struct Terms {
    pub(crate) protocol: Protocol,
    pub(crate) proxy: Proxy,
    /// Looked at after each turn: not beside what every accept and close writes to, which is the count of
    /// those who hold these terms.
    pub(crate) timeouts: CachePadded<Timeouts>,
    /// How many connections it may have at once, if that is limited.
    pub(crate) most: Option<usize>,
    /// How many it has: one count, however often its terms change.
    pub(crate) open: Arc<CachePadded<AtomicUsize>>,
}

/// The times that a connection may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timeouts {
    pub(crate) idle: Option<Duration>,
    pub(crate) write: Option<Duration>,
}

impl Terms {
    pub(crate) fn new(listener: &Listener) -> Self {
        Self {
            protocol: listener.protocol,
            proxy: listener.proxy,
            timeouts: Timeouts { idle: listener.idle_timeout, write: listener.write_timeout }
                .into(),
            most: listener.max_connections,
            open: Arc::default(),
        }
    }

    /// The address that a new connection counts as one from, if it has one. One through a proxy has
    /// none before the proxy has named it.
    pub(crate) fn source_of(&self, peer: &Peer) -> Option<IpAddr> {
        match self.proxy {
            Proxy::Off => peer.ip(),
            Proxy::Required => None,
        }
    }

    /// Other terms for those who come to the same listener.
    pub(crate) fn renewed(&self, listener: &Listener) -> Self {
        Self { open: Arc::clone(&self.open), ..Self::new(listener) }
    }
}

#[cfg(test)]
impl Terms {
    /// The usual terms for whoever speaks this protocol.
    pub(crate) fn of(protocol: Protocol) -> Self {
        Self::new(&Listener { protocol, ..Listener::tcp("127.0.0.1", 0) })
    }

    /// The same, for whoever comes through a proxy.
    pub(crate) fn behind_proxy(self) -> Self {
        Self { proxy: Proxy::Required, ..self }
    }

    /// The same, with these time limits.
    pub(crate) fn with(self, idle: Option<Duration>, write: Option<Duration>) -> Self {
        Self { timeouts: Timeouts { idle, write }.into(), ..self }
    }
}
