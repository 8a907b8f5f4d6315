//! The parameters of rooms in a listener's URL.

#[cfg(feature = "rooms")]
use common::{protocol::Protocol, room::is_room_name};

#[cfg(feature = "rooms")]
use super::http::size;
#[cfg(feature = "rooms")]
use crate::config::{Room, Slow, limits};

/// The parameters of rooms of a listener, as typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::settings) struct RoomParameters {
    /// The protocol of the listener is rooms.
    is_room: bool,
    /// The first parameter that needs rooms.
    needs_room: Option<String>,
    #[cfg(feature = "rooms")]
    room: Room,
    /// Whether clients may choose their room, if it is set.
    #[cfg(feature = "rooms")]
    join: Option<bool>,
    #[cfg(feature = "rooms")]
    framing: Option<Protocol>,
}

const NAMES: [&str; 6] = ["room", "join", "framing", "history", "slow", "member-buffer"];

impl RoomParameters {
    /// Returns whether a parameter belongs to rooms.
    pub(super) fn has(name: &str, value: &str) -> bool {
        NAMES.contains(&name) || (name == "protocol" && value == "room")
    }

    /// Returns whether the clients are members of rooms.
    pub(in crate::settings) fn is_room(&self) -> bool {
        self.is_room
    }

    /// Sets a parameter.
    ///
    /// # Errors
    ///
    /// What was expected.
    #[cfg(feature = "rooms")]
    pub(super) fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        if name == "protocol" {
            self.is_room = true;
            return Ok(());
        }
        self.needs_room.get_or_insert_with(|| name.to_owned());
        match (name, value) {
            ("room", room) if is_room_name(room) => {
                value.clone_into(&mut self.room.first);
                self.join.get_or_insert(false);
            }
            ("room", _) => {
                return Err("expected 1 to 64 letters, digits, '.', '_' or '-', and a letter or a digit first"
                    .to_owned());
            }
            ("join", "on") => self.join = Some(true),
            ("join", "off") => self.join = Some(false),
            ("join", _) => return Err("expected on or off".to_owned()),
            ("framing", "text") => self.framing = Some(Protocol::Text),
            ("framing", "length") => self.framing = Some(Protocol::Length),
            ("framing", _) => return Err("expected text or length".to_owned()),
            ("history", number) => self.room.history = history(number)?,
            ("slow", "drop-oldest") => self.room.slow = Slow::DropOldest,
            ("slow", "drop-newest") => self.room.slow = Slow::DropNewest,
            ("slow", "close") => self.room.slow = Slow::Close,
            ("slow", _) => return Err("expected drop-oldest, drop-newest or close".to_owned()),
            _ => self.room.member_buffer = member_buffer(value)?,
        }
        Ok(())
    }

    /// Sets a parameter.
    ///
    /// # Errors
    ///
    /// Always: this program has no rooms.
    #[cfg(not(feature = "rooms"))]
    pub(super) fn set(&mut self, _name: &str, _value: &str) -> Result<(), String> {
        Err("this program is built without rooms (cargo feature 'rooms')".to_owned())
    }

    /// Checks the parameters together.
    ///
    /// # Errors
    ///
    /// Why they contradict each other.
    pub(super) fn check(&self, is_http: bool) -> Result<(), String> {
        if let Some(name) = self.needs_room.as_ref().filter(|_| !self.is_room) {
            return Err(format!("'{name}' needs protocol=room"));
        }
        #[cfg(feature = "rooms")]
        if is_http && self.framing.is_some() {
            return Err("'framing': over HTTP the messages are those of a WebSocket".to_owned());
        }
        #[cfg(not(feature = "rooms"))]
        let _ = is_http;
        Ok(())
    }

    /// Returns the configuration and the framing, if the clients are members of rooms.
    #[cfg(feature = "rooms")]
    pub(super) fn config(&self) -> Option<(Room, Protocol)> {
        let mut room = self.room.clone();
        room.may_choose = self.join.unwrap_or(true);
        self.is_room.then_some((room, self.framing.unwrap_or_default()))
    }
}

#[cfg(feature = "rooms")]
fn history(value: &str) -> Result<usize, String> {
    let number = value.parse().ok().filter(|number| *number <= limits::ROOM_HISTORY);
    number
        .ok_or_else(|| format!("expected a number of messages from 0 to {}", limits::ROOM_HISTORY))
}

#[cfg(feature = "rooms")]
fn member_buffer(value: &str) -> Result<usize, String> {
    let bytes = usize::try_from(size(value)?).unwrap_or(usize::MAX);
    if bytes < limits::MEMBER_BUFFER_MIN {
        return Err("expected at least 64kB".to_owned());
    }
    Ok(bytes)
}

#[cfg(all(test, feature = "rooms"))]
mod tests {
    use crate::{
        config::{ListenerOptions, Room, Slow},
        settings::listener::ListenerUrl,
    };
    use common::protocol::Protocol;

    fn options(typed: &str) -> ListenerOptions {
        let url = typed.parse::<ListenerUrl>().unwrap_or_else(|error| panic!("{typed}: {error}"));
        url.listener(&ListenerOptions::default()).options
    }

    #[test]
    fn the_parameters_of_rooms_set_their_options() {
        let default = options("tcp://h?protocol=room");
        assert_eq!(default.room.as_deref(), Some(&Room::default()));
        assert_eq!(default.protocol, Protocol::Text);
        let all = options(
            "tcp://h?room=team&framing=length&history=10&slow=close&member-buffer=1MB&protocol=room",
        );
        let room = all.room.as_deref().unwrap();
        assert_eq!(all.protocol, Protocol::Length);
        assert_eq!((&room.first[..], room.may_choose, room.history), ("team", false, 10));
        assert_eq!((room.slow, room.member_buffer), (Slow::Close, 1 << 20));
        assert!(options("tcp://h?protocol=room&room=a&join=on").room.unwrap().may_choose);
        assert!(!options("tcp://h?protocol=room&join=off").room.unwrap().may_choose);
        assert!(options("tcp://h").room.is_none());
    }

    #[test]
    fn a_parameter_of_rooms_that_is_wrong_says_what_is_right() {
        let wrong = [
            ("tcp://h?room=a", "'room' needs protocol=room"),
            ("tcp://h?protocol=room&room=@a", "letters, digits"),
            ("tcp://h?protocol=room&history=1001", "from 0 to 1000"),
            ("tcp://h?protocol=room&slow=drop", "drop-oldest, drop-newest or close"),
            ("tcp://h?protocol=room&member-buffer=1kB", "at least 64kB"),
            ("tcp://h?protocol=room&framing=raw", "text or length"),
            ("tcp://h?protocol=room&join=yes", "on or off"),
            ("http://h?protocol=room&framing=length", "those of a WebSocket"),
            ("http://h?protocol=raw", "is HTTP"),
            ("udp://h?protocol=room", "no connections"),
        ];
        for (typed, message) in wrong {
            let error = typed.parse::<ListenerUrl>().unwrap_err();
            assert!(error.contains(message), "{typed}: {error}");
        }
    }
}
