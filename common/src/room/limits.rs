//! The limits of rooms, and names that server and client share.

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
