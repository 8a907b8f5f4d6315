//! The payload of a frame of the `length` protocol from a room.

use super::event::Event;

/// Length of the fields before the name.
const HEADER: usize = 10;

/// The kind of a frame: its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// See [`Event::Welcome`]: the name of the member; the text is the room.
    Welcome = b'w',
    /// See [`Event::Message`]: the name of the sender; the text.
    Message = b'm',
    /// A message from the history.
    Replayed = b'h',
    /// See [`Event::Joined`]: the name.
    Joined = b'j',
    /// See [`Event::Left`]: the name.
    Left = b'l',
    /// See [`Event::Renamed`]: the previous name; the text is the present one.
    Renamed = b'r',
    /// See [`Event::RelayGap`]: the name is the server; the text is the count in decimal.
    RelayGap = b'x',
    /// See [`Event::Gap`]: the number of the first lost event; the text is the count in decimal.
    Gap = b'g',
    /// See [`Event::Members`]: the name is the room; the text has the count in decimal and then the names, one in a line.
    Members = b'n',
    /// See [`Event::Info`]: the text.
    Info = b'i',
    /// See [`Event::Error`]: the text.
    Error = b'e',
}

/// The payload of a frame.
///
/// ```
/// use common::room::{Event, Frame, Kind};
/// let mut payload = Vec::new();
/// Frame::of(&Event::Joined { number: 3, name: "bob" }, |frame| frame.encode(&mut payload));
/// assert_eq!(payload, b"j\0\0\0\0\0\0\0\x03\x03bob");
/// assert_eq!(Frame::parse(&payload).map(|frame| frame.kind), Some(Kind::Joined));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What it says.
    pub kind: Kind,
    /// Number of the event in its room, or 0.
    pub number: u64,
    /// A name, at most 255 bytes.
    pub name: &'a str,
    /// The rest of the payload.
    pub text: &'a [u8],
}

impl Kind {
    /// Returns the kind with this first byte.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            b'w' => Self::Welcome,
            b'm' => Self::Message,
            b'h' => Self::Replayed,
            b'j' => Self::Joined,
            b'l' => Self::Left,
            b'r' => Self::Renamed,
            b'x' => Self::RelayGap,
            b'g' => Self::Gap,
            b'n' => Self::Members,
            b'i' => Self::Info,
            b'e' => Self::Error,
            _ => return None,
        })
    }
}

impl<'a> Frame<'a> {
    /// Calls `use_frame` with the frame of an event.
    pub fn of<T>(event: &Event<'a>, use_frame: impl FnOnce(Frame<'_>) -> T) -> T {
        let frame = |kind, number, name, text| Frame { kind, number, name, text };
        match *event {
            Event::Message { number, name, text, is_replayed, .. } => {
                let kind = if is_replayed { Kind::Replayed } else { Kind::Message };
                use_frame(frame(kind, number, name, text))
            }
            Event::Joined { number, name } => use_frame(frame(Kind::Joined, number, name, b"")),
            Event::Left { number, name } => use_frame(frame(Kind::Left, number, name, b"")),
            Event::Renamed { number, name, to } => {
                use_frame(frame(Kind::Renamed, number, name, to.as_bytes()))
            }
            Event::RelayGap { number, server, count } => {
                use_frame(frame(Kind::RelayGap, number, server, count.to_string().as_bytes()))
            }
            Event::Welcome { number, room, name, .. } => {
                use_frame(frame(Kind::Welcome, number, name, room.as_bytes()))
            }
            Event::Gap { first, count } => {
                use_frame(frame(Kind::Gap, first, "", count.to_string().as_bytes()))
            }
            Event::Members { room, count, names } => {
                let text = format!("{count}\n{names}");
                use_frame(frame(Kind::Members, 0, room, text.as_bytes()))
            }
            Event::Info { text } => use_frame(frame(Kind::Info, 0, "", text.as_bytes())),
            Event::Error { text } => use_frame(frame(Kind::Error, 0, "", text.as_bytes())),
        }
    }

    /// Appends the payload. A name that is longer than its limit is cut.
    pub fn encode(&self, payload: &mut Vec<u8>) {
        let mut len = self.name.len().min(u8::MAX.into());
        while !self.name.is_char_boundary(len) {
            len -= 1;
        }
        payload.push(self.kind as u8);
        payload.extend_from_slice(&self.number.to_be_bytes());
        payload.push(u8::try_from(len).unwrap_or(u8::MAX));
        payload.extend_from_slice(&self.name.as_bytes()[..len]);
        payload.extend_from_slice(self.text);
    }

    /// Parses a payload. `None`: no room sends it.
    #[must_use]
    pub fn parse(payload: &'a [u8]) -> Option<Self> {
        let (header, rest) = payload.split_first_chunk::<HEADER>()?;
        let [kind, number @ .., len] = header;
        let (name, text) = rest.split_at_checked((*len).into())?;
        Some(Self {
            kind: Kind::from_byte(*kind)?,
            number: u64::from_be_bytes(*number),
            name: str::from_utf8(name).ok()?,
            text,
        })
    }
}
