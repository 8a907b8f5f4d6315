//! HTTP/1.1 (RFC 9112): requests are echoed, and may open a WebSocket, without I/O and without reading a clock.
//!
//! The admin listener uses the heads and the responses as well.
//!
//! Owns the heads and bodies of requests, the rules that refuse ambiguous ones, the responses, and the pages for a browser.
//! Must not know sockets, nor the frames of a WebSocket.
//!
//! Read `handler.rs` first: the life of a connection. `head.rs` decides which requests are valid.

mod answer;
mod body;
mod connection_info;
mod handler;
mod head;
#[cfg(feature = "login")]
mod login;
mod page;
mod reflection;
mod response;
mod target;
#[cfg(test)]
mod tests;
mod upgrade;

pub(crate) use self::handler::HttpHandler;
#[cfg(feature = "admin")]
pub(crate) use self::{
    connection_info::ConnectionInfo,
    head::{Framing, Head, check_start, find_end},
    response::{Refusal, Response, Status, refused},
    upgrade::check_own_host,
};
