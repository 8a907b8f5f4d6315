//! Faults of a byte stream: what a connection reads and writes instead of its socket.
//!
//! ```text
//! socket ──> inbound: holds what was received until it is due ──> connection
//! socket <── damage <── gate: how much may be sent now ──────────< connection
//!            end: after so many bytes, the connection ends, or the rest is discarded
//! ```
//!
//! Owns the bytes that are held, and the places in both directions. Must not know what the bytes mean. It has no clock and
//! no socket: each call is given both.
//!
//! Read `wire.rs` first.

mod end;
mod gate;
mod inbound;
mod pacer;
#[cfg(test)]
mod tests;
#[expect(clippy::module_inception, reason = "the folder's main file has the folder's name")]
mod wire;

pub(crate) use self::{
    end::WireEnd,
    inbound::Received,
    wire::{FaultyStream, Wire},
};
