//! Events of a room as the load reads them, in each of their forms: frames, lines, and JSON objects.
//!
//! What has no meaning for the load is skipped. Events are parsed in the buffer of the receive.

use std::borrow::Cow;

use common::{
    frame::{PREFIX_LEN, payload_len},
    room::{Frame, JsonEvent, JsonInput, Kind},
};
use memchr::{memchr, memmem};

use crate::load::worker::io::context::CHUNK;

/// Maximum length of an event with its framing: more than a text and a list of members, and less than the receive buffer.
const MAX_EVENT: usize = CHUNK / 2;

/// Form of the events, and of what a member sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A frame of the `length` protocol each.
    Frames,
    /// A line of text each.
    Lines,
    /// A line with a JSON object each; on the wire a message of a WebSocket.
    Objects,
}

/// Event with the parts that the load needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event<'a> {
    /// The member is in this room, after this event; lines do not tell its number.
    Welcome { room: &'a str, number: Option<u64> },
    /// Lines have numbers from now on, after this event.
    Numbers { last: u64 },
    /// Message.
    Message { number: u64, name: &'a [u8], text: &'a [u8] },
    /// Messages of another server were lost.
    RelayGap { number: u64, count: u64 },
    /// Event of another kind, with a number.
    Other { number: u64 },
    /// Events were lost, because the member is too slow.
    Gap { first: u64, count: u64 },
    /// The server refuses something.
    Refusal { text: &'a str },
    /// Event without a meaning for the load.
    Ignored,
}

/// The server sends what no room sends in this form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl Form {
    /// Returns the plural noun for its events.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Frames => "frames",
            Self::Lines => "lines",
            Self::Objects => "JSON objects",
        }
    }

    /// Splits the first event off; returns its bytes, and the number of bytes with its framing. `None`: it is incomplete.
    #[inline]
    pub(super) fn split(self, received: &[u8]) -> Result<Option<(&[u8], usize)>, Malformed> {
        let event = match self {
            Self::Frames => {
                let Some(len) = payload_len(received) else { return Ok(None) };
                let end = PREFIX_LEN.saturating_add(usize::try_from(len).unwrap_or(usize::MAX));
                if end > MAX_EVENT {
                    return Err(Malformed);
                }
                received.get(PREFIX_LEN..end).map(|payload| (payload, end))
            }
            Self::Lines | Self::Objects => {
                memchr(b'\n', received).map(|newline| (&received[..newline], newline + 1))
            }
        };
        if event.is_none() && received.len() >= MAX_EVENT { Err(Malformed) } else { Ok(event) }
    }

    /// Parses an event, and calls `use_event` with it.
    #[inline]
    pub(super) fn parse<T>(
        self,
        event: &[u8],
        use_event: impl FnOnce(Event<'_>) -> T,
    ) -> Result<T, Malformed> {
        match self {
            Self::Frames => Ok(use_event(parse_frame(event)?)),
            Self::Lines => Ok(use_event(parse_line(event)?)),
            Self::Objects => parse_object(event, use_event),
        }
    }

    /// Appends a message, whose text `write` appends.
    pub(super) fn write_message(
        self,
        len: usize,
        output: &mut Vec<u8>,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        match self {
            Self::Frames => {
                let len = u32::try_from(len).expect("a text has at most 8,192 bytes");
                output.extend_from_slice(&len.to_be_bytes());
                write(output);
            }
            Self::Lines => {
                write(output);
                output.push(b'\n');
            }
            // The texts of a load need no escape.
            Self::Objects => {
                output.extend_from_slice(br#"{"type":"message","text":""#);
                write(output);
                output.extend_from_slice(b"\"}\n");
            }
        }
    }

    /// Appends the request to join a room.
    pub(super) fn write_join(self, room: &str, output: &mut Vec<u8>) {
        if self == Self::Objects {
            let join = JsonInput::Join { room: Some(Cow::Borrowed(room)) };
            output.extend_from_slice(&serde_json::to_vec(&join).expect("an object of text"));
            output.push(b'\n');
            return;
        }
        let command = format!("/join {room}");
        self.write_message(command.len(), output, |output| {
            output.extend_from_slice(command.as_bytes());
        });
    }
}

fn parse_frame(payload: &[u8]) -> Result<Event<'_>, Malformed> {
    let Some(Frame { kind, number, name, text }) = Frame::parse(payload) else {
        return Err(Malformed);
    };
    let as_text = || str::from_utf8(text).map_err(|_| Malformed);
    Ok(match kind {
        Kind::Message => Event::Message { number, name: name.as_bytes(), text },
        Kind::Joined | Kind::Left | Kind::Renamed => Event::Other { number },
        Kind::RelayGap => Event::RelayGap { number, count: parse_number(text).ok_or(Malformed)? },
        Kind::Gap => Event::Gap { first: number, count: parse_number(text).ok_or(Malformed)? },
        Kind::Welcome => Event::Welcome { room: as_text()?, number: Some(number) },
        Kind::Error => Event::Refusal { text: as_text()? },
        Kind::Replayed | Kind::Members | Kind::Info => Event::Ignored,
    })
}

fn parse_line(line: &[u8]) -> Result<Event<'_>, Malformed> {
    let space = memchr(b' ', line).ok_or(Malformed)?;
    let (first, rest) = (&line[..space], &line[space + 1..]);
    match first {
        b"*" => Ok(parse_notice(str::from_utf8(rest).map_err(|_| Malformed)?)),
        b"!" => Ok(Event::Refusal { text: str::from_utf8(rest).map_err(|_| Malformed)? }),
        // A message before the numbers are on.
        _ if first.ends_with(b":") => Ok(Event::Ignored),
        _ => {
            let number = parse_number(first).ok_or(Malformed)?;
            if let Some(notice) = rest.strip_prefix(b"* ") {
                return Ok(parse_numbered_notice(number, notice));
            }
            let colon = memmem::find(rest, b": ").ok_or(Malformed)?;
            Ok(Event::Message { number, name: &rest[..colon], text: &rest[colon + 2..] })
        }
    }
}

/// Parses a notice for one member.
fn parse_notice(notice: &str) -> Event<'_> {
    let parse = || {
        if let Some(welcome) = notice.strip_prefix("You are ") {
            let (room, _) = welcome.split_once(" in ")?.1.split_once(',')?;
            return Some(Event::Welcome { room, number: None });
        }
        if let Some(last) = notice.strip_prefix("Sequence numbers are on; the last one is ") {
            return Some(Event::Numbers { last: last.parse().ok()? });
        }
        let (range, _) = notice.split_once(" lost (")?.1.split_once(')')?;
        let (first, last) = range.split_once('-')?;
        let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
        Some(Event::Gap { first, count: last.checked_sub(first)?.saturating_add(1) })
    };
    parse().unwrap_or(Event::Ignored)
}

/// Parses a notice to all members, after its number.
fn parse_numbered_notice(number: u64, notice: &[u8]) -> Event<'_> {
    let parse = || {
        let (count, rest) = str::from_utf8(notice).ok()?.split_once(' ')?;
        let is_loss =
            rest.strip_prefix("messages of server ").or(rest.strip_prefix("message of server "))?;
        is_loss.ends_with(" lost").then_some(count.parse().ok()?)
    };
    parse().map_or(Event::Other { number }, |count| Event::RelayGap { number, count })
}

fn parse_object<T>(object: &[u8], use_event: impl FnOnce(Event<'_>) -> T) -> Result<T, Malformed> {
    let event: JsonEvent<'_> = serde_json::from_slice(object).map_err(|_| Malformed)?;
    Ok(use_event(match &event {
        JsonEvent::Message { seq, name, text, replayed: false, .. } => {
            Event::Message { number: *seq, name: name.as_bytes(), text: text.as_bytes() }
        }
        JsonEvent::Joined { seq, .. }
        | JsonEvent::Left { seq, .. }
        | JsonEvent::Renamed { seq, .. } => Event::Other { number: *seq },
        JsonEvent::RelayGap { seq, count, .. } => Event::RelayGap { number: *seq, count: *count },
        JsonEvent::Gap { seq, count } => Event::Gap { first: *seq, count: *count },
        JsonEvent::Welcome { room, seq, .. } => Event::Welcome { room, number: Some(*seq) },
        JsonEvent::Error { text } => Event::Refusal { text },
        JsonEvent::Message { .. }
        | JsonEvent::Members { .. }
        | JsonEvent::Info { .. }
        | JsonEvent::Goodbye => Event::Ignored,
    }))
}

fn parse_number(digits: &[u8]) -> Option<u64> {
    str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use common::{frame, room};

    use super::*;

    const EVENTS: [room::Event<'static>; 8] = [
        room::Event::Welcome {
            number: 41,
            room: "lobby",
            name: "bob",
            members: 2,
            is_recorded: true,
        },
        room::Event::Joined { number: 42, name: "ann" },
        room::Event::Message {
            number: 43,
            name: "@bob",
            text: b"m: 1",
            time: 5,
            is_replayed: false,
        },
        room::Event::RelayGap { number: 44, server: "a1b2c3", count: 12 },
        room::Event::Gap { first: 45, count: 3 },
        room::Event::Renamed { number: 48, name: "ann", to: "carol" },
        room::Event::Error { text: "That name is taken" },
        room::Event::Info { text: "You have left lobby" },
    ];

    /// Returns the events of a stream, as text.
    fn parse(form: Form, mut stream: &[u8]) -> Vec<String> {
        let mut events = Vec::new();
        while let Some((event, len)) = form.split(stream).unwrap() {
            events.push(form.parse(event, |event| format!("{event:?}")).unwrap());
            for cut in 0..len {
                assert_eq!(form.split(&stream[..cut]), Ok(None));
            }
            stream = &stream[len..];
        }
        assert_eq!(stream, b"");
        events
    }

    fn expected(welcome: Option<u64>) -> Vec<String> {
        [
            Event::Welcome { room: "lobby", number: welcome },
            Event::Other { number: 42 },
            Event::Message { number: 43, name: b"@bob", text: b"m: 1" },
            Event::RelayGap { number: 44, count: 12 },
            Event::Gap { first: 45, count: 3 },
            Event::Other { number: 48 },
            Event::Refusal { text: "That name is taken" },
            Event::Ignored,
        ]
        .map(|event| format!("{event:?}"))
        .into()
    }

    #[test]
    fn an_event_means_the_same_in_each_form() {
        let (mut frames, mut lines, mut objects) = (Vec::new(), Vec::new(), Vec::new());
        for event in EVENTS {
            let mut payload = Vec::new();
            room::Frame::of(&event, |frame| frame.encode(&mut payload));
            frames.extend_from_slice(&frame::encode(&payload).unwrap());
            event.write_lines(true, &mut lines);
            serde_json::to_writer(&mut objects, &JsonEvent::from(event)).unwrap();
            objects.push(b'\n');
        }
        assert_eq!(parse(Form::Frames, &frames), expected(Some(41)));
        assert_eq!(parse(Form::Objects, &objects), expected(Some(41)));
        let mut of_lines = expected(None);
        // A line of its own.
        of_lines.insert(1, format!("{:?}", Event::Ignored));
        assert_eq!(parse(Form::Lines, &lines), of_lines);
    }

    #[test]
    fn lines_have_numbers_after_their_answer() {
        let answer = b"* Sequence numbers are on; the last one is 41\nbob: hi\n1 * 1 message of server ab was lost\n";
        let events =
            [Event::Numbers { last: 41 }, Event::Ignored, Event::RelayGap { number: 1, count: 1 }];
        assert_eq!(parse(Form::Lines, answer), events.map(|event| format!("{event:?}")));
    }

    #[test]
    fn refuses_what_no_room_sends() {
        assert_eq!(Form::Frames.split(b"* You are"), Err(Malformed));
        assert_eq!(Form::Lines.split(&vec![0; MAX_EVENT]), Err(Malformed));
        for (form, event) in [
            (Form::Frames, &b"hello"[..]),
            (Form::Lines, b"hello"),
            (Form::Lines, b"x bob: hi"),
            (Form::Lines, b"1 bob"),
            (Form::Objects, b"{}"),
        ] {
            assert_eq!(form.parse(event, |_| ()), Err(Malformed), "{form:?} {event:?}");
        }
    }

    #[test]
    fn a_message_and_a_join_are_inputs_of_a_room() {
        let written = |form: Form| {
            let mut output = Vec::new();
            form.write_message(2, &mut output, |output| output.extend_from_slice(b"hi"));
            form.write_join("a-1", &mut output);
            String::from_utf8(output).unwrap()
        };
        assert_eq!(written(Form::Frames), "\0\0\0\x02hi\0\0\0\x09/join a-1");
        assert_eq!(written(Form::Lines), "hi\n/join a-1\n");
        let objects =
            "{\"type\":\"message\",\"text\":\"hi\"}\n{\"type\":\"join\",\"room\":\"a-1\"}\n";
        assert_eq!(written(Form::Objects), objects);
    }
}
