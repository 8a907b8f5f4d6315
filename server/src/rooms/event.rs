//! An event of a room, encoded for its members.

use std::{array, sync::Arc};

use bytes::Bytes;
use common::{
    frame,
    room::{Event, Frame, JsonEvent},
    websocket::text_frame,
};

/// The form in which a member receives events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Lines of text.
    Lines,
    /// Lines that begin with the number of their event.
    NumberedLines,
    /// Frames of the `length` protocol.
    Frames,
    /// Messages of a WebSocket, one for each line.
    WebSocketLines,
    WebSocketNumberedLines,
    /// Messages of a WebSocket, each a JSON object.
    WebSocketJson,
}

impl Form {
    /// Number of forms.
    pub(super) const COUNT: usize = 6;

    const ALL: [Self; Self::COUNT] = [
        Self::Lines,
        Self::NumberedLines,
        Self::Frames,
        Self::WebSocketLines,
        Self::WebSocketNumberedLines,
        Self::WebSocketJson,
    ];

    /// Returns the same form with numbers, or without. Frames and objects always have them.
    pub(crate) fn with_numbers(self, numbered: bool) -> Self {
        match (self, numbered) {
            (Self::Lines | Self::NumberedLines, true) => Self::NumberedLines,
            (Self::Lines | Self::NumberedLines, false) => Self::Lines,
            (Self::WebSocketLines | Self::WebSocketNumberedLines, true) => {
                Self::WebSocketNumberedLines
            }
            (Self::WebSocketLines | Self::WebSocketNumberedLines, false) => Self::WebSocketLines,
            (form, _) => form,
        }
    }

    /// Appends an event in this form.
    pub(crate) fn encode(self, event: &Event<'_>, bytes: &mut Vec<u8>) {
        match self {
            Self::Lines => event.write_lines(false, bytes),
            Self::NumberedLines => event.write_lines(true, bytes),
            Self::Frames => encode_frames(event, bytes),
            Self::WebSocketLines => encode_messages(event, false, bytes),
            Self::WebSocketNumberedLines => encode_messages(event, true, bytes),
            Self::WebSocketJson => {
                let json = serde_json::to_vec(&JsonEvent::from(*event));
                text_frame(&json.unwrap_or_default(), bytes);
            }
        }
    }

    /// Appends the header of messages from before the join.
    pub(super) fn encode_header(self, messages: usize, bytes: &mut Vec<u8>) {
        let text = match messages {
            1 => "The last message:".to_owned(),
            _ => format!("The last {messages} messages:"),
        };
        match self {
            Self::Frames | Self::WebSocketJson => {}
            _ => self.encode(&Event::Info { text: &text }, bytes),
        }
    }
}

fn encode_frames(event: &Event<'_>, bytes: &mut Vec<u8>) {
    let mut payload = Vec::new();
    Frame::of(event, |frame| frame.encode(&mut payload));
    bytes.extend(frame::encode(&payload).expect("an event is shorter than 4 GiB"));
    if let Event::Welcome { is_recorded: true, .. } = event {
        encode_frames(&Event::Info { text: "Messages in this room are recorded" }, bytes);
    }
}

fn encode_messages(event: &Event<'_>, numbered: bool, bytes: &mut Vec<u8>) {
    let mut lines = Vec::new();
    event.write_lines(numbered, &mut lines);
    lines.pop();
    for line in lines.split(|&byte| byte == b'\n') {
        text_frame(line, bytes);
    }
}

/// What happens in a room.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Message {
        name: Arc<str>,
        text: Bytes,
        time: u64,
    },
    Joined {
        name: Arc<str>,
    },
    Left {
        name: Arc<str>,
    },
    Renamed {
        name: Arc<str>,
        to: Arc<str>,
    },
    #[cfg(feature = "redis")]
    RelayGap {
        server: Arc<str>,
        count: u64,
    },
}

impl Content {
    /// Returns the length of the text of a message, in bytes; of another event, 0.
    pub(super) fn text_len(&self) -> usize {
        if let Self::Message { text, .. } = self { text.len() } else { 0 }
    }

    /// Returns the name of the member, or of the server, that the event is about.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Message { name, .. }
            | Self::Joined { name }
            | Self::Left { name }
            | Self::Renamed { name, .. } => name,
            #[cfg(feature = "redis")]
            Self::RelayGap { server: name, .. } => name,
        }
    }

    /// Returns the event with this number.
    pub(super) fn event(&self, number: u64, is_replayed: bool) -> Event<'_> {
        match self {
            Self::Message { name, text, time } => {
                Event::Message { number, name, text, time: *time, is_replayed }
            }
            Self::Joined { name } => Event::Joined { number, name },
            Self::Left { name } => Event::Left { number, name },
            Self::Renamed { name, to } => Event::Renamed { number, name, to },
            #[cfg(feature = "redis")]
            Self::RelayGap { server, count } => Event::RelayGap { number, server, count: *count },
        }
    }
}

/// An event of a room. Its bytes exist once for each form, and are shared by all members.
#[derive(Debug)]
pub(crate) struct RoomEvent {
    /// Its number in the room.
    pub(crate) number: u64,
    content: Content,
    /// Empty for the forms that no member had when the event happened.
    encoded: [Bytes; Form::COUNT],
}

impl RoomEvent {
    /// Creates an event, encoded for the forms that have members.
    pub(super) fn new(number: u64, content: Content, members: &[usize; Form::COUNT]) -> Self {
        let event = content.event(number, false);
        let encoded = array::from_fn(|form| {
            let mut bytes = Vec::new();
            if members[form] > 0 {
                Form::ALL[form].encode(&event, &mut bytes);
            }
            Bytes::from(bytes)
        });
        Self { number, content, encoded }
    }

    /// Returns the bytes that all members with this form share. `None`: no member had it when the event happened.
    pub(super) fn encoded(&self, form: Form) -> Option<&Bytes> {
        Some(&self.encoded[form as usize]).filter(|bytes| !bytes.is_empty())
    }

    /// Returns the bytes for a member.
    pub(crate) fn bytes(&self, form: Form) -> Bytes {
        if let Some(shared) = self.encoded(form) {
            return shared.clone();
        }
        // The form of the member has changed since.
        let mut bytes = Vec::new();
        form.encode(&self.content.event(self.number, false), &mut bytes);
        bytes.into()
    }

    /// Returns the event for a member that joins after it. Lines are the same then.
    pub(super) fn replayed_bytes(&self, form: Form) -> Bytes {
        if !matches!(form, Form::Frames | Form::WebSocketJson) {
            return self.bytes(form);
        }
        let mut bytes = Vec::new();
        form.encode(&self.content.event(self.number, true), &mut bytes);
        bytes.into()
    }

    /// Returns whether it is a message of somebody.
    pub(super) fn is_message(&self) -> bool {
        matches!(self.content, Content::Message { .. })
    }

    /// Returns the memory that it takes, in bytes.
    pub(super) fn weight(&self) -> usize {
        size_of::<Self>()
            + self.content.text_len()
            + self.encoded.iter().map(Bytes::len).sum::<usize>()
    }
}
