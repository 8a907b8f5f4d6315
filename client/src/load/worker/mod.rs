//! Worker process of a load: an event loop with all its connections or UDP sockets.
//!
//! Owns the sending, checking and timing of messages in one process. Must not know the other processes, nor
//! what the statistics add up to: it receives its work and reports over [`ipc`](crate::load::ipc).
//!
//! Read [`entry`] first, then [`event_loop`], and [`connection`] for what a connection does. Imports point
//! from the event loop over `connection`, `observe`, `room` and `udp` to `io`, `diagnose` and `payload`.

mod commands;
pub(crate) mod connection;
pub(crate) mod diagnose;
pub(crate) mod entry;
pub(crate) mod event_loop;
pub(crate) mod io;
mod observe;
pub(crate) mod payload;
pub(crate) mod room;
#[cfg(test)]
mod testing;
mod timer;
mod timing;
pub(crate) mod udp;
