//! The policy of a listener. A connection keeps the policy under which it was accepted.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize},
    },
    time::Instant,
};

use crossbeam::utils::CachePadded;

use super::peer::Peer;
#[cfg(feature = "tls")]
use crate::tls::NewTls;
use crate::{
    config::{Listener, ListenerOptions, Proxy},
    faults::ListenerFaults,
    layer::{Layer, NewLayer},
    metrics::ListenerMetrics,
};

/// The options of one listener and the number of its connections.
#[derive(Debug)]
pub(crate) struct ConnectionPolicy {
    /// Padded: read after each turn, while every accept and close writes to the reference count of this
    /// policy.
    pub(crate) options: CachePadded<ListenerOptions>,
    /// Creates the layer of each connection. `None`: they are plain.
    layer: Option<Arc<dyn NewLayer>>,
    /// The listener, as it is configured.
    pub(crate) name: String,
    /// Open connections of the listener; the same counter after a change of the options.
    pub(crate) open: Arc<CachePadded<AtomicUsize>>,
    /// The counters of the listener.
    pub(crate) counters: Arc<ListenerMetrics>,
    /// The faults of the listener; the same after a change of the options, which may change them.
    pub(crate) faults: Arc<ListenerFaults>,
    /// The acceptor could not register the listener.
    pub(crate) has_failed: AtomicBool,
}

impl ConnectionPolicy {
    pub(crate) fn new(listener: &Listener, counters: Arc<ListenerMetrics>) -> Self {
        #[cfg(feature = "tls")]
        let layer = listener.options.tls.as_ref().map(|tls| {
            let new: Arc<dyn NewLayer> = Arc::new(NewTls(Arc::clone(tls.config())));
            new
        });
        #[cfg(not(feature = "tls"))]
        let layer = None;
        Self {
            options: CachePadded::new(listener.options.clone()),
            layer,
            name: listener.options.address(&listener.endpoint),
            open: Arc::default(),
            counters,
            faults: Arc::new(ListenerFaults::new(listener.options.faults.as_ref(), Instant::now())),
            has_failed: AtomicBool::new(false),
        }
    }

    /// Returns the address that counts for a new connection. A connection through a proxy has none until
    /// the PROXY header names it.
    pub(crate) fn source_of(&self, peer: &Peer) -> Option<IpAddr> {
        match self.options.proxy {
            Proxy::Off => peer.ip(),
            Proxy::Required => None,
        }
    }

    /// Returns whether connections have a layer.
    pub(crate) fn has_layer(&self) -> bool {
        self.layer.is_some()
    }

    /// Returns the layer of a new connection, if it has one.
    pub(crate) fn new_layer(&self) -> Option<Box<dyn Layer>> {
        self.layer.as_ref().map(|layer| layer.new_layer())
    }

    /// Returns the policy of the same listener with other options.
    pub(crate) fn changed_to(&self, listener: &Listener, counters: Arc<ListenerMetrics>) -> Self {
        let faults = Arc::clone(&self.faults);
        Self { open: Arc::clone(&self.open), faults, ..Self::new(listener, counters) }
    }
}

#[cfg(test)]
impl ConnectionPolicy {
    /// Returns the default policy with this protocol.
    pub(crate) fn for_protocol(protocol: common::protocol::Protocol) -> Self {
        let mut listener = Listener::tcp("127.0.0.1", 0);
        listener.options.protocol = protocol;
        Self::alone(&listener)
    }

    /// Returns the policy of a listener whose counters are in no registry, for one worker.
    pub(crate) fn alone(listener: &Listener) -> Self {
        Self::new(listener, Arc::new(ListenerMetrics::new(String::new(), "text", 1)))
    }

    /// Returns the same policy with the PROXY protocol required.
    pub(crate) fn with_proxy(mut self) -> Self {
        self.options.proxy = Proxy::Required;
        self
    }

    /// Returns the same policy with this layer.
    pub(crate) fn with_layer(mut self, layer: impl NewLayer + 'static) -> Self {
        self.layer = Some(Arc::new(layer));
        self
    }

    /// Returns the same policy with these timeouts.
    pub(crate) fn with_timeouts(
        mut self,
        idle: Option<std::time::Duration>,
        write: Option<std::time::Duration>,
    ) -> Self {
        (self.options.idle_timeout, self.options.write_timeout) = (idle, write);
        self
    }
}
