//! A member that speaks in lines or in frames.

use std::{borrow::Cow, sync::Arc, time::Instant};

use common::{
    exit::goodbye,
    frame::encode,
    message::Splitter,
    protocol::{MAX_FRAME_PAYLOAD, Protocol},
    room::{CommandError, Input, MAX_TEXT},
};

use super::{
    conversation::{Conversation, Ending, Flow},
    units::{Unit, Units},
};
use crate::{
    config::Room,
    rooms::{Form, Member, Notice, Rooms},
    session::{
        attributes::Attributes,
        step::{EndCause, Next, ProtocolHandler, Reason, Reply, Step},
    },
};

/// Length of the answers to one read after which the session takes no more of it, in bytes.
const ANSWERS: usize = 16 * 1024;

/// The session of a member over a stream.
#[derive(Debug)]
pub(crate) struct RoomSession {
    conversation: Conversation,
    units: Units,
    /// Bytes of the last step, for the log.
    logged: usize,
}

impl RoomSession {
    /// Creates the session of a new connection, with lines or with frames.
    pub(crate) fn new(rooms: Arc<Rooms>, options: Arc<Room>, framing: Protocol) -> Self {
        let (form, units) = match framing {
            Protocol::Length => (Form::Frames, Units::Frames { skipping: 0 }),
            Protocol::Text | Protocol::Raw => (Form::Lines, Units::Lines { is_skipping: false }),
        };
        Self { conversation: Conversation::new(rooms, options, form), units, logged: 0 }
    }

    /// Returns the reply that ends the session.
    fn over(&self, ending: Ending, mut bytes: Vec<u8>) -> Reply {
        let reason = match ending {
            Ending::Exit(newline) => {
                let goodbye = goodbye(newline);
                match self.units {
                    Units::Lines { .. } => bytes.extend_from_slice(goodbye),
                    Units::Frames { .. } => bytes.extend(frame(goodbye)),
                }
                Reason::Exit
            }
            Ending::EndOfStream => Reason::Complete,
            Ending::Drain => {
                self.conversation.inform("The server shuts down", &mut bytes);
                Reason::Drain
            }
        };
        Reply { bytes: bytes.into(), next: Next::Close(reason) }
    }

    fn refuse_frame(&self, payload: u32, mut bytes: Vec<u8>) -> Reply {
        let text = format!("A frame has at most {MAX_FRAME_PAYLOAD} bytes, this one has {payload}");
        self.conversation.refuse(&text, &mut bytes);
        Reply { bytes: bytes.into(), next: Next::Close(Reason::FrameTooLong(payload)) }
    }
}

impl ProtocolHandler for RoomSession {
    fn begin(&mut self, attributes: &Attributes<'_>, _now: Instant) {
        self.conversation.begin(attributes, None);
    }

    fn receive(&mut self, input: &mut [u8], now: Instant) -> Step {
        let (mut at, mut messages, mut answer) = (0, 0, Vec::new());
        let next = loop {
            self.logged = at;
            if self.conversation.is_waiting() {
                break Some(Next::Wait);
            }
            // The rest is received when the peer has taken the answers.
            if answer.len() >= ANSWERS {
                break Some(Next::Continue);
            }
            let (text, newline, len) = match self.units.find(&input[at..]) {
                Unit::Complete { text, newline, len } => (Input::parse(text), newline, len),
                Unit::Skipped { len, is_first } => {
                    if is_first {
                        let text = format!("A message has at most {MAX_TEXT} bytes");
                        self.conversation.refuse(&text, &mut answer);
                    }
                    messages += isize::from(is_first);
                    at += len;
                    continue;
                }
                Unit::Refused { payload } => {
                    let reply = Some(self.refuse_frame(payload, answer));
                    return Step { consumed: at, echo: 0, messages, reply };
                }
                Unit::Incomplete => break None,
            };
            let flow = self.conversation.take(text, newline, now, &mut answer);
            if flow != Flow::Again {
                at += len;
                messages += 1;
            }
            self.logged = at;
            if let Flow::End(ending) = flow {
                let reply = Some(self.over(ending, answer));
                return Step { consumed: at, echo: 0, messages, reply };
            }
        };
        let next = next.or_else(|| (!answer.is_empty()).then_some(Next::Continue));
        let reply = next.map(|next| Reply { bytes: answer.into(), next });
        Step { consumed: at, echo: 0, messages, reply }
    }

    fn splitter(&self) -> Splitter {
        Splitter::new(match self.units {
            Units::Lines { .. } => Protocol::Text,
            Units::Frames { .. } => Protocol::Length,
        })
    }

    fn logged(&self) -> usize {
        self.logged
    }

    /// The room records what it takes, with its number.
    fn recorded_as(&self) -> Option<&'static str> {
        None
    }

    fn unfinished_messages(&self) -> isize {
        0
    }

    fn deadline(&self) -> Option<Instant> {
        self.conversation.retry_at()
    }

    fn expire(&mut self, _now: Instant) -> Reply {
        self.conversation.retry();
        Reply { bytes: Cow::Borrowed(b""), next: Next::Continue }
    }

    fn end(&mut self, cause: EndCause, _now: Instant) -> Cow<'static, [u8]> {
        let text = match cause {
            EndCause::EndOfStream => return Cow::Borrowed(b""),
            EndCause::IdleTimeout => "You were idle for too long",
            #[cfg(feature = "login")]
            EndCause::UserRemoved => "Your user was removed",
        };
        let mut bytes = Vec::new();
        self.conversation.refuse(text, &mut bytes);
        bytes.into()
    }

    fn drain(&mut self, _now: Instant) -> Option<Reply> {
        match self.conversation.end(Ending::Drain) {
            Flow::End(ending) => Some(self.over(ending, Vec::new())),
            _ => None,
        }
    }

    fn depart(&mut self, held: &[u8]) -> bool {
        let last: Result<Input<'_>, CommandError> = Input::parse(self.units.last(held));
        self.conversation.depart(last)
    }

    fn member(&mut self) -> Option<&mut Member> {
        Some(self.conversation.member())
    }

    fn receive_notice(&mut self, notice: Notice, _now: Instant) -> Reply {
        let (bytes, flow) = self.conversation.receive(notice);
        match flow {
            Flow::End(ending) => self.over(ending, bytes),
            _ => Reply { bytes: bytes.into(), next: Next::Continue },
        }
    }
}

fn frame(payload: &[u8]) -> Vec<u8> {
    encode(payload).expect("a sentence is shorter than 4 GiB")
}
