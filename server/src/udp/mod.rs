//! UDP echo (RFC 862): datagrams that are answered without connections, in batches.
//!
//! ```text
//! bind ──> listener: one socket for each worker, and the policy for all of them
//!             ▼
//!          messages to the workers: a socket for each, and the notice that its listener closes
//!             ▼
//!          socket set: the sockets of one worker, the dispatch of their events, and the batch that they use in turn
//!             ▼
//!          echo socket: one socket's turn ──> policy: answer or refuse ──> rate limit
//!             │           └────> faulty turn: the same for a listener with faults, whose answers wait for their time
//!             ▼
//!          socket: fills a batch, and sends its answers
//!             │           └────> receive offload, segmentation: when the system joins datagrams, and splits answers
//!             │           └────> headers: what the system calls need for each message
//!             ▼
//!          batch: received datagrams and their answers, each with its route: source, destination and hop limit
//! ```
//!
//! Owns everything about datagrams. Must not know connections, nor when a socket has its turn: the worker
//! decides that.
//!
//! Read [`policy`] first: it has the reasons for which a datagram is not answered.

mod batch;
mod echo_socket;
mod faulty_turn;
mod listener;
mod policy;
mod rate_limit;
mod route;
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
