//! Chat in a room: full-screen in a terminal, lines or JSON objects in a pipe.
//!
//! Owns the framings of a room, what the user knows of it, and how that is shown. Must not know how a connection is made.
//!
//! | module | what it owns |
//! |---|---|
//! | `args`, `config` | the arguments, and what they mean together |
//! | [`event`] | what a member of a room receives |
//! | `framing` | events and inputs as bytes, in three forms |
//! | `model` | the conversation, without I/O |
//! | `connection`, `enter` | events over a connection, and the way into the room |
//! | `plain` | the mode for pipes |
//! | `screen`, `editor` | the mode for terminals, without I/O: what is drawn, and what a key does |
//! | `session` | what events and keys change, without the terminal |
//! | `signals`, `run` | signals, and the loop between keys, signals and the connection |
//!
//! Read `run.rs` first.

pub(crate) mod args;
pub(crate) mod config;
mod connection;
mod editor;
mod enter;
pub(crate) mod error;
mod event;
mod framing;
mod model;
mod plain;
mod run;
mod screen;
mod session;
mod signals;
mod start;
#[cfg(test)]
mod tests;

pub(crate) use error::Error;
pub(crate) use start::start;
