//! A socket of a listener that is open, as a reload compares it with a new configuration.

use std::sync::{Arc, atomic::Ordering::SeqCst};

use common::endpoint::Endpoint;

use crate::{
    config::Listener,
    faults::OpenListenerFaults,
    listener::{Address, BoundListener, Policy, Sibling, SocketFileId},
};

/// An open socket of a listener, which has one for each of its addresses.
#[derive(Debug)]
pub(super) struct OpenListener {
    pub(super) listener: Listener,
    /// The address before it was bound. `None`: the socket is inherited, and cannot be changed or bound again.
    pub(super) requested: Option<Address>,
    /// The endpoint with its actual port.
    pub(super) endpoint: Endpoint,
    /// The address as the log names it.
    pub(super) address: String,
    pub(super) policy: Policy,
    /// The file of a Unix socket that is not inherited.
    pub(super) file: Option<SocketFileId>,
    /// The port and the policy, for other sockets of the same listener.
    pub(super) sibling: Sibling,
}

impl OpenListener {
    pub(super) fn new(
        listener: &Listener,
        requested: Option<Address>,
        bound: &BoundListener,
    ) -> Self {
        Self {
            listener: listener.clone(),
            requested,
            endpoint: bound.endpoint().clone(),
            address: bound.address(),
            policy: bound.policy(),
            file: bound.socket_file().cloned(),
            sibling: Sibling::of(bound),
        }
    }

    /// Returns the listener with its faults.
    pub(super) fn open_listener_faults(&self) -> OpenListenerFaults {
        let faults = Arc::clone(self.policy.faults());
        let (address, endpoint) = (self.address.clone(), self.endpoint.clone());
        OpenListenerFaults { address, endpoint, listener: self.listener.clone(), faults }
    }

    pub(super) fn is_inherited(&self) -> bool {
        self.requested.is_none()
    }

    /// Returns whether a thread could not register the socket with its poll.
    pub(super) fn has_failed(&self) -> bool {
        let has_failed = match &self.policy {
            Policy::Stream(policy) => &policy.has_failed,
            Policy::Udp(policy) => &policy.has_failed,
        };
        has_failed.load(SeqCst)
    }

    /// Returns whether clients can reach the listener: its registration has not failed, and the file of its
    /// Unix socket exists.
    pub(super) fn is_reachable(&self) -> bool {
        !self.has_failed() && self.file.as_ref().is_none_or(SocketFileId::exists)
    }

    /// Returns whether this is the inherited socket of the configured listener.
    pub(super) fn is_inherited_for(&self, listener: &Listener) -> bool {
        self.is_inherited() && self.listener.endpoint == listener.endpoint && self.is_reachable()
    }

    /// Returns whether this socket serves the configured listener at this address, whatever its policy.
    pub(super) fn serves(&self, listener: &Listener, address: &Address) -> bool {
        self.requested.as_ref() == Some(address)
            && self.listener.options.v6only == listener.options.v6only
            && self.is_reachable()
    }

    /// Returns whether both may conflict on the port.
    pub(super) fn shares_port(&self, listener: &Listener) -> bool {
        match (&self.endpoint, &listener.endpoint) {
            (Endpoint::Tcp(open), Endpoint::Tcp(required))
            | (Endpoint::Udp(open), Endpoint::Udp(required)) => open.port == required.port,
            (open, required) => open == required,
        }
    }
}
