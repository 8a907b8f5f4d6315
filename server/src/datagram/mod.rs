//! UDP echo (RFC 862): datagrams that are answered one by one, for peers that nobody is connected to.
//!
//! ```text
//! bind ──> listener: one socket for each worker, and the rules for all of them
//!             ▼
//!          mailboxes: how a socket gets to its worker, and word that its listener is withdrawn
//!             ▼
//!          responders: the sockets of one worker, and where their events go
//!             ▼
//!          responder: one socket's turn ──> rules: who is answered ──> rate: how often
//!             ▼
//!          socket: a datagram with where it came from, where it was sent to, and how far it has been
//! ```
//!
//! It knows nothing of connections, and polls only by name: when a socket has its turn is the worker's
//! to say.

mod mailboxes;
mod rate;
mod responder;
mod responders;
mod rules;
mod socket;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use common::endpoint::Endpoint;

pub(crate) use self::{
    mailboxes::Mailboxes,
    responders::Responders,
    rules::{Refusal, Rules},
    socket::{DatagramSocket, UdpSocket},
};

/// A place that datagrams are received at: sockets at one address, among which the kernel spreads those
/// who send (`SO_REUSEPORT`, `socket(7)`).
#[derive(Debug)]
pub(crate) struct DatagramListener {
    /// Where; the port is the one that it has.
    pub(crate) endpoint: Endpoint,
    pub(crate) rules: Arc<Rules>,
    /// One for each worker.
    pub(crate) sockets: Vec<Box<dyn DatagramSocket>>,
}
