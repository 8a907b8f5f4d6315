//! The JSON objects of a WebSocket with the subprotocol of rooms.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::event::Event;
use crate::escape::Escaped;

/// An [`Event`] as an object. Bytes that are no UTF-8 are escaped.
///
/// ```
/// use common::room::{Event, JsonEvent};
/// let json = serde_json::to_string(&JsonEvent::from(Event::Joined { number: 3, name: "bob" })).unwrap();
/// assert_eq!(json, r#"{"type":"joined","seq":3,"name":"bob"}"#);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum JsonEvent<'a> {
    /// See [`Event::Message`].
    Message {
        /// Number of the event in its room.
        seq: u64,
        /// Name of the sender.
        name: Cow<'a, str>,
        /// Its text.
        text: Cow<'a, str>,
        /// Milliseconds since the Unix epoch.
        #[serde(default)]
        time: u64,
        /// It is shown from the history.
        #[serde(default, skip_serializing_if = "is_false")]
        replayed: bool,
    },
    /// See [`Event::Joined`].
    Joined {
        /// Number of the event in its room.
        seq: u64,
        /// Name of the new member.
        name: Cow<'a, str>,
    },
    /// See [`Event::Left`].
    Left {
        /// Number of the event in its room.
        seq: u64,
        /// Name of the previous member.
        name: Cow<'a, str>,
    },
    /// See [`Event::Renamed`].
    Renamed {
        /// Number of the event in its room.
        seq: u64,
        /// The previous name.
        name: Cow<'a, str>,
        /// The present name.
        to: Cow<'a, str>,
    },
    /// See [`Event::RelayGap`].
    RelayGap {
        /// Number of the event in its room.
        seq: u64,
        /// Tag of the other server.
        server: Cow<'a, str>,
        /// Number of lost messages.
        count: u64,
    },
    /// See [`Event::Welcome`].
    Welcome {
        /// The room.
        room: Cow<'a, str>,
        /// The name of the member.
        name: Cow<'a, str>,
        /// Number of the last event before the member.
        seq: u64,
        /// Number of members.
        members: usize,
        /// The server keeps a history.
        recorded: bool,
    },
    /// See [`Event::Gap`].
    Gap {
        /// Number of the first lost event.
        seq: u64,
        /// Number of lost events.
        count: u64,
    },
    /// See [`Event::Members`].
    Members {
        /// The room.
        room: Cow<'a, str>,
        /// Number of members.
        count: usize,
        /// The first names.
        names: Vec<Cow<'a, str>>,
    },
    /// See [`Event::Info`].
    Info {
        /// A sentence.
        text: Cow<'a, str>,
    },
    /// See [`Event::Error`].
    Error {
        /// A sentence.
        text: Cow<'a, str>,
    },
    /// The answer to [`JsonInput::Exit`].
    Goodbye,
}

/// What a member sends, as an object. See [`Input`](super::Input).
///
/// ```
/// use common::room::JsonInput;
/// let input: JsonInput = serde_json::from_str(r#"{"type":"message","text":"/not a command"}"#).unwrap();
/// assert_eq!(input, JsonInput::Message { text: "/not a command".into() });
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum JsonInput<'a> {
    /// A message to the room, whatever it begins with.
    Message {
        /// Its text.
        #[serde(borrow)]
        text: Cow<'a, str>,
    },
    /// Joins a room.
    Join {
        /// The room. `None`: the first room of the connection.
        #[serde(borrow, default)]
        room: Option<Cow<'a, str>>,
    },
    /// Leaves the room.
    Leave,
    /// Takes another name.
    Name {
        /// The name.
        #[serde(borrow)]
        name: Cow<'a, str>,
    },
    /// Asks for the members.
    Who,
    /// Ends the session.
    Exit,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// Returns the text, with what is no UTF-8 escaped.
fn lossless(text: &[u8]) -> Cow<'_, str> {
    str::from_utf8(text).map_or_else(|_| Escaped(text).to_string().into(), Cow::Borrowed)
}

impl<'a> From<Event<'a>> for JsonEvent<'a> {
    fn from(event: Event<'a>) -> Self {
        match event {
            Event::Message { number: seq, name, text, time, is_replayed: replayed } => {
                Self::Message { seq, name: name.into(), text: lossless(text), time, replayed }
            }
            Event::Joined { number: seq, name } => Self::Joined { seq, name: name.into() },
            Event::Left { number: seq, name } => Self::Left { seq, name: name.into() },
            Event::Renamed { number: seq, name, to } => {
                Self::Renamed { seq, name: name.into(), to: to.into() }
            }
            Event::RelayGap { number: seq, server, count } => {
                Self::RelayGap { seq, server: server.into(), count }
            }
            Event::Welcome { number: seq, room, name, members, is_recorded: recorded } => {
                Self::Welcome { room: room.into(), name: name.into(), seq, members, recorded }
            }
            Event::Gap { first: seq, count } => Self::Gap { seq, count },
            Event::Members { room, count, names } => {
                let names = names.split('\n').map(Cow::from).collect();
                Self::Members { room: room.into(), count, names }
            }
            Event::Info { text } => Self::Info { text: text.into() },
            Event::Error { text } => Self::Error { text: text.into() },
        }
    }
}
