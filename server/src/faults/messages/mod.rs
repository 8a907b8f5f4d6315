//! Faults of messages, without I/O and without a clock.
//!
//! ```text
//! messages: which messages of an echo are sent, how often, and in which order
//!    ▼
//! message: one message
//!    ▼
//! boundaries: where a message ends
//! mask: the mask of a WebSocket frame, which a server must not send
//! ```
//!
//! Owns what becomes of an echo between the session and the layer, so that TLS stays whole. Must not know sessions, layers or
//! what a message says.
//!
//! Read `messages.rs` first.

mod boundaries;
mod mask;
mod message;
#[expect(clippy::module_inception, reason = "the folder's main file has the folder's name")]
mod messages;
mod outcome;
#[cfg(test)]
mod tests;

pub(crate) use self::{
    boundaries::{EchoPlace, Format},
    messages::MessageFaults,
    outcome::Outcome,
};
