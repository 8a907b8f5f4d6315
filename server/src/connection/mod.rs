//! One connection: its bytes from the socket to the session and back.
//!
//! Owns a peer's socket, its stage, its deadlines and its unsent bytes. Must not know polls, other
//! connections, or the meaning of the bytes.
//!
//! Read `connection.rs` first, then [`receive`]: the path of a message. `layered.rs` is the same path through a layer.
//! `simulation` runs connections under random
//! schedules from a seed.

mod buffer;
#[expect(clippy::module_inception, reason = "the folder's main file has the folder's name")]
mod connection;
mod deadline;
mod drain_budget;
mod end;
mod faults;
mod layered;
mod layers;
mod opening;
mod proxy_header;
mod receive;
mod report;
#[cfg(feature = "rooms")]
mod rooms;
mod send;
#[cfg(test)]
#[cfg(all(feature = "http", feature = "tls"))]
mod simulation;
mod stage;
mod stream;
#[cfg(test)]
mod tests;
mod turn;

pub(crate) use self::{
    connection::Connection,
    opening::Incoming,
    stream::{Socket, Stream},
    turn::{Readiness, Turn, TurnContext},
};
#[cfg(feature = "admin")]
pub(crate) use self::{
    report::{Filter, Order, Summary},
    turn::wall_clock,
};
