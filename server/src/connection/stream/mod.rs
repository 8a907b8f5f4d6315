//! The byte stream under a connection.
//!
//! Owns the trait, the socket that implements it, and the figures that the kernel has about a connection of TCP. Must not
//! know what the bytes mean.
//!
//! Read `stream.rs` first.

mod socket;
#[expect(clippy::module_inception, reason = "the folder's main file has the folder's name")]
mod stream;
mod tcp_info;

pub(crate) use self::{socket::Socket, stream::Stream};
