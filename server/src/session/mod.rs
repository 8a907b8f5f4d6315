//! The session: the protocol of one connection, without I/O and without a clock.
//!
//! Owns the meaning of bytes: it receives them in order and decides how many to echo, which reply to send,
//! and whether the session ends. Must not know sockets or time, so every rule of a protocol has a plain unit
//! test.
//!
//! Read [`outcome`] first, then `text.rs`: it decides what an `exit` is.

mod length;
mod outcome;
#[expect(clippy::module_inception, reason = "the folder's main file has the folder's name")]
mod session;
#[cfg(test)]
mod tests;
mod text;

pub(crate) use self::{
    outcome::{End, Reason},
    session::Session,
};
