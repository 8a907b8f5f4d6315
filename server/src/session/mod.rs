//! The session: the protocol of one connection, without I/O and without a clock.
//!
//! Owns the meaning of bytes: it receives them in order and decides how many to echo, which reply to send,
//! and whether the session continues, ends or becomes another. Must not know sockets or time, so every rule of a
//! protocol has a plain unit test.
//!
//! Read [`step`] first, then `text.rs`: it decides what an `exit` is.

mod attributes;
mod handled;
mod length;
#[cfg(feature = "receipt")]
mod receipt;
#[cfg(feature = "rooms")]
mod room;
#[expect(clippy::module_inception, reason = "the folder's main file has the folder's name")]
mod session;
mod step;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod text;

#[cfg(feature = "receipt")]
pub(crate) use self::receipt::ReceiptSession;
#[cfg(feature = "rooms")]
pub(crate) use self::room::RoomSession;
#[cfg(all(feature = "http", feature = "rooms"))]
pub(crate) use self::room::{Conversation, Ending, Flow};
#[cfg(feature = "login")]
pub(crate) use self::step::AfterLogin;
#[cfg(test)]
pub(crate) use self::testing::{Exchange, run_handler};
pub(crate) use self::{
    attributes::Attributes,
    session::Session,
    step::{EndCause, Next, ProtocolHandler, Reason, Reply, Step},
};
