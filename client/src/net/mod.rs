//! Sockets: name resolution, connections, and waiting for readiness with a deadline and Ctrl+C.
//!
//! Must not know what the bytes mean. No call in here blocks beyond its deadline.
//!
//! Read [`stream`] first, then [`target`], which makes streams.

mod byte_transport;
mod connect;
pub(crate) mod error;
mod handshake;
pub(crate) mod poll;
pub(crate) mod sign;
pub(crate) mod stream;
pub(crate) mod target;
mod transport;
pub(crate) mod unreachable;

pub(crate) use error::Error;
