//! The model: the bytes that a peer must receive for the bytes that it sent.
//!
//! `echo.rs` lists every possible outcome. HTTP and WebSocket have too many: their models say which pieces follow each other,
//! from whole requests and whole messages, and `piece.rs` compares.

mod body;
mod echo;
mod expected;
mod http;
#[expect(clippy::module_inception, reason = "the folder's main file has the folder's name")]
mod model;
mod piece;
mod websocket;

pub(super) use self::{
    echo::Echo,
    expected::{Expected, State},
    http::{Surroundings, expect},
    model::Model,
};
