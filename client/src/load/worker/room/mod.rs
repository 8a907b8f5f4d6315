//! Member of a room, in the place of a connection, and the check of every event that it receives.
//!
//! Some members send, and all receive. Owns what is missing, duplicate, out of order or wrong at each member, and the
//! agreement on the last event. Must not know the event loop.
//!
//! Read [`check`] first, then [`member`], and [`transfer`], which is the path of every event.

mod absent;
mod check;
mod delivery;
mod error;
mod events;
mod join;
mod member;
mod sender;
mod shared;
#[cfg(test)]
mod tests;
mod text;
mod transfer;

pub(crate) use error::Error;
pub(super) use member::Member;
pub(crate) use text::{MAX_SENDERS, MIN_TEXT};
