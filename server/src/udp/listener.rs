//! A UDP listener: one socket for each worker, at one address.

use std::sync::Arc;

use common::endpoint::Endpoint;

use super::{policy::UdpPolicy, socket::DatagramSocket};

/// Sockets at one address, over which the kernel distributes the senders (`SO_REUSEPORT`, `socket(7)`).
#[derive(Debug)]
pub(crate) struct UdpListener {
    /// The endpoint with its actual port.
    pub(crate) endpoint: Endpoint,
    pub(crate) policy: Arc<UdpPolicy>,
    /// One for each worker.
    pub(crate) sockets: Vec<Box<dyn DatagramSocket>>,
}
