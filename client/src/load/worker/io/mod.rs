//! Basis of a channel: the trait that the event loop drives, the context that channels share, and the
//! socket calls.
//!
//! Must not know the kinds of channels, nor the event loop.
//!
//! Read [`channel`] first.

pub(crate) mod channel;
pub(crate) mod context;
pub(crate) mod socket;
