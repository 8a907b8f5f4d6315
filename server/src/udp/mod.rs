//! UDP echo (RFC 862): datagrams that are answered one by one, without connections.
//!
//! ```text
//! bind ──> listener: one socket for each worker, and the policy for all of them
//!             ▼
//!          messages to the workers: a socket for each, and the notice that its listener closes
//!             ▼
//!          socket set: the sockets of one worker, and the dispatch of their events
//!             ▼
//!          echo socket: one socket's turn ──> policy: answer or refuse ──> rate limit
//!             │           └────> faulty turn: the same for a listener with faults, whose answers wait for their time
//!             ▼
//!          socket: a datagram with its source, its destination and its hop limit
//! ```
//!
//! Owns everything about datagrams. Must not know connections, nor when a socket has its turn: the worker
//! decides that.
//!
//! Read [`policy`] first: it has the reasons for which a datagram is not answered.

mod echo_socket;
mod faulty_turn;
mod listener;
mod policy;
mod rate_limit;
mod socket;
mod socket_set;
#[cfg(test)]
mod tests;

pub(crate) use self::{
    echo_socket::UdpEchoSocket,
    listener::UdpListener,
    policy::UdpPolicy,
    socket::{DatagramSocket, UdpSocket},
    socket_set::{LAST_TOKEN, UdpSocketSet},
};
