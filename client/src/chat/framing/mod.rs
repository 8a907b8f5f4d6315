//! The three framings of a room: from bytes to events, and from what a user types to bytes.
//!
//! Owns every form of the protocol. Must not know connections, nor what events mean together. Each parser has a limit on
//! what a server may send without an end.
//!
//! Read [`parser`] first.

pub(super) mod encode;
pub(super) mod error;
mod json;
pub(super) mod kind;
mod length;
mod lines;
pub(super) mod parser;
mod text;

#[cfg(test)]
mod tests;
