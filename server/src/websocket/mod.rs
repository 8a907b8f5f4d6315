//! WebSocket (RFC 6455): frames of a client are echoed as they arrive, without I/O and without reading a clock.
//!
//! Owns the frames, their masks, the order of fragments, UTF-8 of text, closes, pings, and compressed messages. Must not know
//! sockets, nor the HTTP request that opens a WebSocket.
//!
//! Read `frame.rs` first: the header of a frame. `handler.rs` decides what to do with each, `data.rs` echoes its payload.

mod close;
mod close_fault;
mod data;
mod deflate;
mod frame;
mod handler;
mod mask;
mod progress;
#[cfg(feature = "receipt")]
mod receipt;
#[cfg(feature = "rooms")]
mod room;
#[cfg(test)]
mod tests;

#[cfg(feature = "rooms")]
pub(crate) use self::room::RoomSocket;
pub(crate) use self::{
    deflate::{Deflate, negotiate},
    handler::WebSocket,
};
