//! A listener that is open, as a reload compares it with a new configuration.

use std::sync::{Arc, atomic::Ordering::SeqCst};

use common::endpoint::Endpoint;

use crate::{
    admission::ConnectionPolicy,
    config::Listener,
    listener::{BoundListener, SocketFileId},
    udp::UdpPolicy,
};

/// A listener that is open.
#[derive(Debug)]
pub(super) struct OpenListener {
    pub(super) listener: Listener,
    /// The endpoint with its actual port.
    pub(super) endpoint: Endpoint,
    /// The address as the log names it.
    pub(super) address: String,
    pub(super) policy: Policy,
    /// The file of a Unix socket that is not inherited.
    pub(super) file: Option<SocketFileId>,
    /// The socket is inherited: it cannot be changed or bound again.
    pub(super) is_inherited: bool,
}

/// The policy of a listener, which also identifies it.
#[derive(Debug)]
pub(super) enum Policy {
    /// Known to the acceptor.
    Stream(Arc<ConnectionPolicy>),
    /// Known to the workers.
    Udp(Arc<UdpPolicy>),
}

impl OpenListener {
    pub(super) fn new(listener: &Listener, bound: &BoundListener) -> Self {
        let policy = match bound {
            BoundListener::Stream(stream) => Policy::Stream(Arc::clone(&stream.policy)),
            BoundListener::Udp(udp) => Policy::Udp(Arc::clone(&udp.policy)),
        };
        Self {
            listener: listener.clone(),
            endpoint: bound.endpoint().clone(),
            address: bound.address(),
            policy,
            file: bound.socket_file().cloned(),
            is_inherited: false,
        }
    }

    /// Returns whether clients can reach the listener: its registration has not failed, and the file of its
    /// Unix socket exists.
    pub(super) fn is_reachable(&self) -> bool {
        let has_failed = match &self.policy {
            Policy::Stream(policy) => &policy.has_failed,
            Policy::Udp(policy) => &policy.has_failed,
        };
        !has_failed.load(SeqCst) && self.file.as_ref().is_none_or(SocketFileId::exists)
    }

    /// Returns whether this listener's socket serves the configured listener, whatever its policy.
    pub(super) fn serves(&self, listener: &Listener) -> bool {
        if !self.is_reachable() {
            false
        } else if self.is_inherited {
            self.listener.endpoint == listener.endpoint
        } else {
            self.listener.is_same_place(listener)
        }
    }

    /// Returns whether both may conflict on the port.
    pub(super) fn shares_port(&self, listener: &Listener) -> bool {
        match (&self.endpoint, &listener.endpoint) {
            (Endpoint::Tcp(open), Endpoint::Tcp(wanted))
            | (Endpoint::Udp(open), Endpoint::Udp(wanted)) => open.port == wanted.port,
            _ => false,
        }
    }
}
