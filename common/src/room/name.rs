//! The names of rooms and of guests.

/// Maximum length of the name of a room, in bytes.
pub const MAX_ROOM: usize = 64;

/// Maximum length of the name of a guest, in bytes.
pub const MAX_NAME: usize = 32;

/// Returns whether a room may have this name: letters and digits of ASCII, and `.`, `_` and `-` after the first.
///
/// ```
/// use common::room::is_room_name;
/// assert!(is_room_name("team-1"));
/// assert!(!is_room_name("-"));
/// ```
#[must_use]
pub fn is_room_name(text: &str) -> bool {
    is_name(text, MAX_ROOM)
}

/// Returns whether a guest may have this name. It has the letters of a room's name: other scripts have letters that look the
/// same, and the characters `@` and `~` mark users and the guests of other servers.
///
/// ```
/// use common::room::is_guest_name;
/// assert!(is_guest_name("bob"));
/// assert!(!is_guest_name("@bob"));
/// ```
#[must_use]
pub fn is_guest_name(text: &str) -> bool {
    is_name(text, MAX_NAME)
}

fn is_name(text: &str, max: usize) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    text.len() <= max
        && text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
        && text.bytes().all(is_allowed)
}
