//! What a member of a room receives, in a form that all framings have in common.

use std::fmt::{self, Write as _};

use common::{count::Count, escape::Escaped};
use serde::Serialize;

/// What a member of a room receives. The texts are those of others: they are escaped where they are shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub(super) enum Event {
    /// A message of a member.
    Message {
        /// Number of the event in its room.
        #[serde(rename = "seq", skip_serializing_if = "Option::is_none")]
        number: Option<u64>,
        /// Name of the sender.
        name: String,
        /// Its text.
        text: String,
        /// Milliseconds since the Unix epoch.
        #[serde(skip_serializing_if = "Option::is_none")]
        time: Option<u64>,
        /// It was sent before this member has joined.
        #[serde(rename = "replayed", skip_serializing_if = "std::ops::Not::not")]
        is_replayed: bool,
    },
    /// Somebody has joined.
    Joined {
        /// Number of the event in its room.
        #[serde(rename = "seq", skip_serializing_if = "Option::is_none")]
        number: Option<u64>,
        /// Name of the new member.
        name: String,
    },
    /// Somebody has left.
    Left {
        /// Number of the event in its room.
        #[serde(rename = "seq", skip_serializing_if = "Option::is_none")]
        number: Option<u64>,
        /// Name of the previous member.
        name: String,
    },
    /// A member has another name.
    Renamed {
        /// Number of the event in its room.
        #[serde(rename = "seq", skip_serializing_if = "Option::is_none")]
        number: Option<u64>,
        /// The previous name.
        name: String,
        /// The present name.
        to: String,
    },
    /// Messages of another server were lost.
    RelayGap {
        /// Number of the event in its room.
        #[serde(rename = "seq", skip_serializing_if = "Option::is_none")]
        number: Option<u64>,
        /// Tag of the other server.
        server: String,
        /// Number of lost messages.
        count: u64,
    },
    /// The member is in a room.
    Welcome {
        /// The room.
        room: String,
        /// Name of this member.
        name: String,
        /// Number of the last event before the member.
        #[serde(rename = "seq", skip_serializing_if = "Option::is_none")]
        number: Option<u64>,
        /// Number of members, if the framing has it.
        #[serde(skip_serializing_if = "Option::is_none")]
        members: Option<u64>,
        /// The server keeps a history. In the other framings a notice tells it.
        #[serde(rename = "recorded", skip_serializing_if = "std::ops::Not::not")]
        is_recorded: bool,
    },
    /// Lines begin with their number from now on.
    Numbered {
        /// Number of the last event.
        #[serde(rename = "seq")]
        last: u64,
    },
    /// This member was too slow, and events were dropped.
    Gap {
        /// Number of the first lost event.
        #[serde(rename = "seq", skip_serializing_if = "Option::is_none")]
        first: Option<u64>,
        /// Number of lost events.
        count: u64,
    },
    /// The members of the room.
    Members {
        /// The room.
        room: String,
        /// Number of members.
        count: u64,
        /// Names of the first ones.
        names: Vec<String>,
    },
    /// An answer of the server.
    Info {
        /// A sentence.
        text: String,
    },
    /// A refusal of the server.
    Error {
        /// A sentence.
        text: String,
    },
    /// The answer to an exit: nothing follows.
    Goodbye,
}

impl Event {
    /// Returns its number in the room.
    pub(super) fn number(&self) -> Option<u64> {
        match *self {
            Self::Message { number, .. }
            | Self::Joined { number, .. }
            | Self::Left { number, .. }
            | Self::Renamed { number, .. }
            | Self::RelayGap { number, .. } => number,
            _ => None,
        }
    }

    /// Returns the present name of this member, if this is the answer to a new one. It has no event of its own.
    pub(super) fn new_name(&self) -> Option<&str> {
        let Self::Info { text } = self else { return None };
        text.strip_prefix("You are now ")
    }

    /// Returns `true` if this is the answer to a leave. It has no event of its own.
    pub(super) fn has_left(&self) -> bool {
        matches!(self, Self::Info { text } if text.starts_with("You have left "))
    }

    /// Returns the JSON object of the event, in one line that is safe for a terminal.
    pub(super) fn json(&self) -> String {
        let json = serde_json::to_string(self).unwrap_or_default();
        // JSON has no other way to write a character but its code units.
        let mut line = String::with_capacity(json.len());
        for char in json.chars() {
            if is_printable(char) {
                line.push(char);
            } else {
                let mut units = [0; 2];
                for unit in char.encode_utf16(&mut units) {
                    // Writing to a string does not fail.
                    _ = write!(line, "\\u{unit:04x}");
                }
            }
        }
        line
    }
}

fn is_printable(char: char) -> bool {
    matches!(char, ' '..='~')
        || Escaped(char.encode_utf8(&mut [0; 4]).as_bytes()).to_string() == char.to_string()
}

impl fmt::Display for Event {
    /// Writes the event as a line of the text framing without numbers, safe for a terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message { name, text, .. } => write!(f, "{}: {}", safe(name), safe(text)),
            Self::Error { text } => write!(f, "! {}", safe(text)),
            Self::Goodbye => f.write_str(common::protocol::GOODBYE),
            notice => write!(f, "* {}", Notice(notice)),
        }
    }
}

/// The sentence about an event that is no message, safe for a terminal.
pub(super) struct Notice<'a>(pub(super) &'a Event);

impl fmt::Display for Notice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Event::Joined { name, .. } => write!(f, "{} joined", safe(name)),
            Event::Left { name, .. } => write!(f, "{} left", safe(name)),
            Event::Renamed { name, to, .. } => write!(f, "{} is now {}", safe(name), safe(to)),
            Event::RelayGap { server, count, .. } => {
                write!(f, "{} of server {} {} lost", messages(*count), safe(server), were(*count))
            }
            Event::Welcome { room, name, members, .. } => {
                write!(f, "You are {} in {}", safe(name), safe(room))?;
                match members.map(|members| members.saturating_sub(1)) {
                    None => Ok(()),
                    Some(0) => f.write_str(", with nobody else"),
                    Some(1) => f.write_str(", with 1 other"),
                    Some(others) => write!(f, ", with {others} others"),
                }
            }
            Event::Numbered { last } => {
                write!(f, "Sequence numbers are on; the last one is {last}")
            }
            Event::Gap { first, count } => {
                write!(f, "{} {} lost", messages(*count), were(*count))?;
                if let Some(first) = first {
                    write!(f, " ({first}-{})", first.saturating_add(count.saturating_sub(1)))?;
                }
                f.write_str(": this connection is too slow")
            }
            Event::Members { room, count, names } => {
                write!(f, "In {} ({count}): {}", safe(room), safe(&names.join(", ")))?;
                match count.saturating_sub(names.len() as u64) {
                    0 => Ok(()),
                    more => write!(f, ", and {more} more"),
                }
            }
            Event::Info { text } | Event::Error { text } | Event::Message { text, .. } => {
                safe(text).fmt(f)
            }
            Event::Goodbye => f.write_str(common::protocol::GOODBYE),
        }
    }
}

/// Returns a text of others in a form that is safe for a terminal.
fn safe(text: &str) -> Escaped<'_> {
    Escaped(text.as_bytes())
}

fn messages(count: u64) -> Count {
    Count(count, "message")
}

fn were(count: u64) -> &'static str {
    if count == 1 { "was" } else { "were" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_and_an_object_of_a_hostile_event_are_printable() {
        let event = Event::Message {
            number: Some(4),
            name: "\u{202e}bob\x1b[2J".to_owned(),
            text: "a\x1b]0;t\x07\u{9b}\u{e0041}\u{e9}\n".to_owned(),
            time: None,
            is_replayed: false,
        };
        assert_eq!(
            event.to_string(),
            "\\u{202e}bob\\x1b[2J: a\\x1b]0;t\\x07\\u{9b}\\u{e0041}\u{e9}\\n"
        );
        let json = event.json();
        assert!(json.chars().all(is_printable), "{json}");
        let object: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(object["text"], "a\x1b]0;t\x07\u{9b}\u{e0041}\u{e9}\n");
        assert_eq!((object["type"].as_str(), object["seq"].as_u64()), (Some("message"), Some(4)));
    }
}
