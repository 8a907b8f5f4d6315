//! The part of an echo server, on a WebSocket that the client opens.
//!
//! Owns how long it lasts. The [session](crate::websocket) returns the messages. Must not know frames.
//!
//! Read `run.rs`.

mod run;

pub(crate) use run::run;
