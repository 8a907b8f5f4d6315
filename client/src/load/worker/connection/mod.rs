//! Connection of a load: from the first connect to the last byte, or to a failure.
//!
//! Owns the states of a connection, and the check of every byte that returns. Must not know the event loop:
//! it is driven when its socket may be ready, and continues until the socket has nothing more to give or to
//! accept, because readiness is reported once (edge-triggered).
//!
//! Read [`state`] first, then [`transfer`], which is the path of every message.

mod channel;
mod close;
mod connect;
mod expectation;
mod failure;
mod settle;
mod state;
mod transfer;

pub(super) use state::Connection;
