//! The session of a member of rooms.
//!
//! Owns how a member speaks: what its input means, and the end of its session. Must not know what a room does with it.
//!
//! Read `conversation.rs` first; `handler.rs` finds messages in a stream, and a WebSocket brings its own.

mod conversation;
mod handler;
mod units;

#[cfg(feature = "http")]
pub(crate) use self::conversation::{Conversation, Ending, Flow};
pub(crate) use self::handler::RoomSession;
