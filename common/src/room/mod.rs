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
mod limits;
mod name;
#[cfg(test)]
mod tests;

#[cfg(feature = "room-json")]
pub use self::json::{JsonEvent, JsonInput};
pub use self::{
    event::Event,
    frame::{Frame, Kind},
    input::{Command, CommandError, Input},
    limits::{ANNOUNCED_MEMBERS, DEFAULT_ROOM, JSON_SUBPROTOCOL, LISTED_MEMBERS, MAX_TEXT},
    name::{MAX_NAME, MAX_ROOM, is_guest_name, is_room_name},
};
