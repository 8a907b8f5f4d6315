//! Basis of a channel: the trait that the event loop drives, the context that channels share, the
//! schedule of an open loop, and the socket calls.
//!
//! Must not know the kinds of channels, nor the event loop.
//!
//! Read [`channel`] first.

pub(crate) mod channel;
pub(crate) mod context;
mod message_check;
pub(crate) mod opening;
pub(crate) mod schedule;
pub(crate) mod socket;
pub(crate) mod websocket_wire;
pub(crate) mod wire;
