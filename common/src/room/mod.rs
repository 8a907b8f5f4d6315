//! Rooms: what members send and receive, in each of the forms that server and client share.
//!
//! An [`Event`] is what a member receives. It has three forms: a line of text, the payload of a frame ([`Frame`]), and,
//! with the feature `room-json`, a JSON object. What a member sends is a message or a command ([`Input`]). Read
//! [`Event`] first.

mod event;
mod frame;
mod input;
#[cfg(feature = "room-json")]
mod json;
mod name;
#[cfg(test)]
mod tests;

#[cfg(feature = "room-json")]
pub use self::json::{JsonEvent, JsonInput};
pub use self::{
    event::Event,
    frame::{Frame, Kind},
    input::{Command, CommandError, Input},
    name::{MAX_NAME, MAX_ROOM, is_guest_name, is_room_name},
};

/// Maximum length of a message to a room, in bytes.
pub const MAX_TEXT: usize = 8192;

/// Room that a connection joins unless it or its listener chooses another.
pub const DEFAULT_ROOM: &str = "lobby";

/// Most members of a room in which joins, leaves and new names are announced. In a larger room every join would be a
/// message to each of its members.
pub const ANNOUNCED_MEMBERS: usize = 256;

/// Most names in the answer to `/who`.
pub const LISTED_MEMBERS: usize = 100;

/// Subprotocol of a WebSocket whose messages are JSON objects.
pub const JSON_SUBPROTOCOL: &str = "rooms.v1.json";
