//! Sockets: name resolution, connections, and waiting for readiness with a deadline and Ctrl+C.
//!
//! Must not know what the bytes mean. No call in here blocks beyond its deadline.
//!
//! Read [`stream`] first, then [`target`], which makes streams.

mod connect;
pub(crate) mod error;
pub(crate) mod poll;
pub(crate) mod stream;
pub(crate) mod target;
pub(crate) mod unreachable;

pub(crate) use error::Error;
