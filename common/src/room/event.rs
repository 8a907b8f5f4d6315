//! What a member receives.

use std::fmt::Write as _;

use super::limits::LISTED_MEMBERS;
use crate::{count::Count, escape::Escaped};

/// What a member of a room receives.
///
/// The events of a room have one order for all of its members, and each has the next number. The others are for one member
/// and have none.
///
/// ```
/// use common::room::Event;
/// let event = Event::Message { number: 42, name: "bob", text: b"hello", time: 0, is_replayed: false };
/// let mut lines = Vec::new();
/// event.write_lines(true, &mut lines);
/// assert_eq!(lines, b"42 bob: hello\n");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A message of a member.
    Message {
        /// Number of the event in its room, from 1.
        number: u64,
        /// Name of the sender.
        name: &'a str,
        /// The bytes that it sent.
        text: &'a [u8],
        /// Milliseconds since the Unix epoch.
        time: u64,
        /// It was sent before the member has joined, and is shown from the history.
        is_replayed: bool,
    },
    /// Somebody has joined.
    Joined {
        /// Number of the event in its room.
        number: u64,
        /// Name of the new member.
        name: &'a str,
    },
    /// Somebody has left.
    Left {
        /// Number of the event in its room.
        number: u64,
        /// Name of the previous member.
        name: &'a str,
    },
    /// A member has another name.
    Renamed {
        /// Number of the event in its room.
        number: u64,
        /// The previous name.
        name: &'a str,
        /// The present name.
        to: &'a str,
    },
    /// Messages of another server were lost on their way.
    RelayGap {
        /// Number of the event in its room.
        number: u64,
        /// Tag of the other server.
        server: &'a str,
        /// Number of lost messages.
        count: u64,
    },
    /// The member is in a room.
    Welcome {
        /// Number of the last event before the member: that of the next event is one more.
        number: u64,
        /// The room.
        room: &'a str,
        /// The name of the member.
        name: &'a str,
        /// Number of names in the room, with that of this member. A user may be there several times.
        members: usize,
        /// The server keeps a history of the room.
        is_recorded: bool,
    },
    /// The member was too slow, and events were dropped.
    Gap {
        /// Number of the first lost event.
        first: u64,
        /// Number of lost events.
        count: u64,
    },
    /// The members of the room.
    Members {
        /// The room.
        room: &'a str,
        /// Number of members.
        count: usize,
        /// Names of the first ones, each with a newline after it but the last.
        names: &'a str,
    },
    /// An answer of the server.
    Info {
        /// A sentence without a full stop.
        text: &'a str,
    },
    /// A refusal.
    Error {
        /// A sentence without a full stop.
        text: &'a str,
    },
}

impl Event<'_> {
    /// Returns the number of the event in its room. `None`: it is for one member.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        match *self {
            Self::Message { is_replayed: true, .. } => None,
            Self::Message { number, .. }
            | Self::Joined { number, .. }
            | Self::Left { number, .. }
            | Self::Renamed { number, .. }
            | Self::RelayGap { number, .. } => Some(number),
            _ => None,
        }
    }

    /// Appends the event as lines of text: printable, and safe for a terminal. With `numbered`, an event of the room begins
    /// with its number.
    pub fn write_lines(&self, numbered: bool, lines: &mut Vec<u8>) {
        let mut text = String::new();
        let number = match *self {
            Self::Message { number, .. } => Some(number),
            _ => self.number(),
        };
        if let (true, Some(number)) = (numbered, number) {
            _ = write!(text, "{number} ");
        }
        self.write_text(numbered, &mut text);
        lines.extend_from_slice(text.as_bytes());
        lines.push(b'\n');
    }

    fn write_text(&self, numbered: bool, line: &mut String) {
        // Writing to a string does not fail.
        _ = match *self {
            Self::Message { name, text, .. } => {
                write!(line, "{}: {}", Escaped(name.as_bytes()), Escaped(text))
            }
            Self::Joined { name, .. } => write!(line, "* {} joined", Escaped(name.as_bytes())),
            Self::Left { name, .. } => write!(line, "* {} left", Escaped(name.as_bytes())),
            Self::Renamed { name, to, .. } => {
                let (name, to) = (Escaped(name.as_bytes()), Escaped(to.as_bytes()));
                write!(line, "* {name} is now {to}")
            }
            Self::RelayGap { server, count, .. } => {
                write!(line, "* {} of server {server} {} lost", messages(count), were(count))
            }
            Self::Welcome { room, name, members, is_recorded, .. } => {
                let others = match members.saturating_sub(1) {
                    0 => "nobody else".to_owned(),
                    1 => "1 other".to_owned(),
                    others => format!("{others} others"),
                };
                let name = Escaped(name.as_bytes());
                let notice =
                    if is_recorded { "\n* Messages in this room are recorded" } else { "" };
                write!(line, "* You are {name} in {room}, with {others}{notice}")
            }
            Self::Gap { first, count } => {
                let range = if numbered {
                    format!(" ({first}-{})", last(first, count))
                } else {
                    String::new()
                };
                write!(
                    line,
                    "* {} {} lost{range}: this connection is too slow",
                    messages(count),
                    were(count)
                )
            }
            Self::Members { room, count, names } => {
                let listed: Vec<_> = names.split('\n').take(LISTED_MEMBERS).collect();
                let more = match count.saturating_sub(listed.len()) {
                    0 => String::new(),
                    more => format!(", and {more} more"),
                };
                let names = listed.join(", ");
                write!(line, "* In {room} ({count}): {}{more}", Escaped(names.as_bytes()))
            }
            Self::Info { text } => write!(line, "* {text}"),
            Self::Error { text } => write!(line, "! {text}"),
        };
    }
}

fn messages(count: u64) -> Count {
    Count(count, "message")
}

fn were(count: u64) -> &'static str {
    if count == 1 { "was" } else { "were" }
}

fn last(first: u64, count: u64) -> u64 {
    first.saturating_add(count.saturating_sub(1))
}
