//! Connections and UDP sockets of a load that expects faults: they note what arrives, and judge nothing.
//!
//! Owns the observation of each: which bytes of the echo arrived in which order, which of them differ, how the connection ended, and
//! when. It goes on after a fault that leaves the stream readable. Must not know the faults of the server, nor the event loop. It has
//! channels of its own, so that the path of a message of an ordinary load pays nothing.
//!
//! Read [`connection`] first, then `transcript.rs`, which is without I/O.

mod connection;
mod datagrams;
mod frames;
mod outgoing;
mod records;
mod seen;
mod tap;
mod transcript;
mod wire;

pub(super) use connection::ObservedConnection;
pub(super) use datagrams::ObservedSocket;
