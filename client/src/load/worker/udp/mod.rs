//! UDP socket of a load, in the place of a connection, and its datagrams.
//!
//! Owns the counting of datagrams that are lost, late, reordered, duplicated or corrupt. Must not know the
//! event loop.
//!
//! Read [`expectation`] first, then [`socket`], which is the path of every datagram, [`batch`], which sends several at a time, and
//! [`received`], which receives them.

mod batch;
mod diagnose;
mod expectation;
mod received;
mod socket;

pub(super) use socket::UdpSocket;
