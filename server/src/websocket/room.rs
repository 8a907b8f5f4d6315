//! A member of rooms that speaks by messages of a WebSocket.
//!
//! The frames are those of [`WebSocket`]: its echo of a frame is the message of the member. A step takes one frame, so that a
//! message for which there is no room yet holds back those behind it.

use std::{borrow::Cow, sync::Arc, time::Instant};

use common::{
    exit::{Newline, goodbye},
    message::Splitter,
    room::{
        Command, CommandError, Input, JsonEvent, JsonInput, MAX_TEXT, is_guest_name, is_room_name,
    },
    websocket::text_frame,
};

use super::{close::Closing, handler::WebSocket};
use crate::{
    config::{Http, Room},
    rooms::{Form, Member, Notice, Rooms},
    session::{
        Attributes, Conversation, EndCause, Ending, Flow, Next, ProtocolHandler, Reply, Step,
    },
};

/// What a member must send with the subprotocol.
const JSON_FORM: &str = r#"Expected an object such as {"type":"message","text":"hello"}"#;

/// Maximum length of an object: each byte of its text may be an escape such as `\u0000`.
const MAX_OBJECT: usize = 6 * MAX_TEXT + 64;

/// A WebSocket whose client is a member of rooms.
#[derive(Debug)]
pub(crate) struct RoomSocket {
    socket: WebSocket,
    conversation: Conversation,
    /// The room that the client has chosen.
    room: Option<Box<str>>,
    is_json: bool,
    /// The payload of the frames of the present message, or a little more than the longest message.
    text: Vec<u8>,
    /// The message is complete, and there was no room for it.
    is_pending: bool,
    /// Finds the payload in the echo of frames.
    splitter: Splitter,
    /// Bytes of the last step for the log.
    logged: usize,
}

impl RoomSocket {
    /// Creates the session of a client that has chosen this room and, with `is_json`, the subprotocol.
    pub(crate) fn new(
        (rooms, options): (Arc<Rooms>, Arc<Room>),
        http: Arc<Http>,
        room: Option<&str>,
        is_json: bool,
        now: Instant,
    ) -> Self {
        let form = if is_json { Form::WebSocketJson } else { Form::WebSocketLines };
        Self {
            socket: WebSocket::without_exit(http, now),
            conversation: Conversation::new(rooms, options, form),
            room: room.map(Into::into),
            is_json,
            text: Vec::new(),
            is_pending: false,
            splitter: Splitter::websocket(),
            logged: 0,
        }
    }

    /// Adds the payload in the echo of a frame to the message.
    fn add(&mut self, mut echo: &[u8]) {
        while let Some(piece) = self.splitter.next(echo) {
            let max = if self.is_json { MAX_OBJECT } else { MAX_TEXT };
            let room = (max + 1).saturating_sub(self.text.len());
            self.text.extend_from_slice(&piece.text[..piece.text.len().min(room)]);
            echo = &echo[piece.len..];
        }
    }

    /// Handles the message that is complete. Returns the reply of the session.
    fn take_message(&mut self, now: Instant) -> Reply {
        let mut answer = Vec::new();
        let text = std::mem::take(&mut self.text);
        let flow = if self.is_json {
            self.take_object(&text, now, &mut answer)
        } else {
            self.conversation.take(Input::parse(&text), Newline::None, now, &mut answer)
        };
        self.is_pending = flow == Flow::Again;
        if self.is_pending {
            self.text = text;
        }
        let next = match flow {
            Flow::End(ending) => return self.over(ending, answer),
            Flow::Wait | Flow::Again => Next::Wait,
            Flow::Next => Next::Continue,
        };
        Reply { bytes: answer.into(), next }
    }

    fn take_object(&mut self, text: &[u8], now: Instant, answer: &mut Vec<u8>) -> Flow {
        if text.len() > MAX_OBJECT {
            let refusal = format!("An object has at most {MAX_OBJECT} bytes");
            self.conversation.refuse(&refusal, answer);
            return Flow::Next;
        }
        let Ok(object) = serde_json::from_slice::<JsonInput<'_>>(text) else {
            self.conversation.refuse(JSON_FORM, answer);
            return Flow::Next;
        };
        let input = match &object {
            JsonInput::Message { text } if text.len() > MAX_TEXT => {
                Err(CommandError::TooLong(text.len()))
            }
            JsonInput::Message { text } if text.is_empty() => Ok(Input::Empty),
            JsonInput::Message { text } => Ok(Input::Message(text.as_bytes())),
            JsonInput::Join { room: None } => Ok(Input::Command(Command::Join(None))),
            JsonInput::Join { room: Some(room) } if is_room_name(room) => {
                Ok(Input::Command(Command::Join(Some(room))))
            }
            JsonInput::Join { .. } => Err(CommandError::Room),
            JsonInput::Leave => Ok(Input::Command(Command::Leave)),
            JsonInput::Name { name } if is_guest_name(name) => {
                Ok(Input::Command(Command::Name(name)))
            }
            JsonInput::Name { .. } => Err(CommandError::Name),
            JsonInput::Who => Ok(Input::Command(Command::Who)),
            JsonInput::Exit => Ok(Input::Exit),
        };
        self.conversation.take(input, Newline::None, now, answer)
    }

    /// Returns the reply that ends the conversation. The socket closes when its peer has answered.
    fn over(&mut self, ending: Ending, mut bytes: Vec<u8>) -> Reply {
        match ending {
            Ending::Exit(_) if self.is_json => {
                let goodbye = serde_json::to_vec(&JsonEvent::Goodbye).unwrap_or_default();
                text_frame(&goodbye, &mut bytes);
            }
            Ending::Exit(_) => text_frame(goodbye(Newline::None), &mut bytes),
            Ending::EndOfStream | Ending::Drain => {}
        }
        let closing = match ending {
            Ending::Exit(_) => Closing::Exit,
            Ending::EndOfStream | Ending::Drain => Closing::Drain,
        };
        bytes.extend(self.socket.close(closing));
        Reply { bytes: bytes.into(), next: Next::Continue }
    }
}

impl ProtocolHandler for RoomSocket {
    fn begin(&mut self, attributes: &Attributes<'_>, _now: Instant) {
        let room = self.room.take();
        self.conversation.begin(attributes, room.as_deref());
    }

    fn receive(&mut self, input: &mut [u8], now: Instant) -> Step {
        if self.conversation.is_waiting() && !self.socket.is_closing() {
            self.logged = 0;
            let reply = Some(Reply { bytes: Cow::Borrowed(b""), next: Next::Wait });
            return Step { consumed: 0, echo: 0, messages: 0, reply };
        }
        let is_closing = self.socket.is_closing();
        let len = if is_closing { input.len() } else { self.socket.frame_len(input) };
        let is_all = len == input.len();
        let step = self.socket.receive(&mut input[..len], now);
        self.logged = self.socket.logged();
        if is_closing {
            return step;
        }
        self.add(&input[..step.echo]);
        let mut reply = step.reply;
        let is_complete = step.echo > 0 && !self.socket.is_in_message();
        if is_complete && reply.is_none() {
            reply = Some(self.take_message(now));
        } else if reply.is_none() && !is_all && step.consumed == len {
            reply = Some(Reply { bytes: Cow::Borrowed(b""), next: Next::Continue });
        }
        Step { consumed: step.consumed, echo: 0, messages: step.messages, reply }
    }

    fn splitter(&self) -> Splitter {
        self.socket.splitter()
    }

    fn logged(&self) -> usize {
        self.logged
    }

    /// The room records what it takes, with its number.
    fn recorded_as(&self) -> Option<&'static str> {
        None
    }

    fn is_websocket(&self) -> bool {
        true
    }

    fn unfinished_messages(&self) -> isize {
        self.socket.unfinished_messages()
    }

    fn deadline(&self) -> Option<Instant> {
        [self.conversation.retry_at(), self.socket.deadline()].into_iter().flatten().min()
    }

    fn expire(&mut self, now: Instant) -> Reply {
        if self.conversation.retry_at().is_some_and(|at| at <= now) {
            self.conversation.retry();
            if self.is_pending {
                return self.take_message(now);
            }
        }
        if self.socket.deadline().is_some_and(|at| at <= now) {
            return self.socket.expire(now);
        }
        Reply { bytes: Cow::Borrowed(b""), next: Next::Continue }
    }

    fn end(&mut self, cause: EndCause, now: Instant) -> Cow<'static, [u8]> {
        self.socket.end(cause, now)
    }

    fn drain(&mut self, now: Instant) -> Option<Reply> {
        if self.socket.is_closing() {
            return self.socket.drain(now);
        }
        match self.conversation.end(Ending::Drain) {
            Flow::End(ending) => Some(self.over(ending, Vec::new())),
            _ => None,
        }
    }

    fn member(&mut self) -> Option<&mut Member> {
        Some(self.conversation.member())
    }

    fn receive_notice(&mut self, notice: Notice, now: Instant) -> Reply {
        let (mut bytes, flow) = self.conversation.receive(notice);
        if let Flow::End(ending) = flow {
            return self.over(ending, bytes);
        }
        if !self.is_pending || self.conversation.is_waiting() {
            let next = if self.conversation.is_waiting() { Next::Wait } else { Next::Continue };
            return Reply { bytes: bytes.into(), next };
        }
        let reply = self.take_message(now);
        bytes.extend_from_slice(&reply.bytes);
        Reply { bytes: bytes.into(), next: reply.next }
    }
}

#[cfg(test)]
mod tests {
    use mio::{Poll, Token, Waker};

    use super::*;

    /// The log took the bytes of an earlier step from an empty input, and the connection ended.
    #[test]
    fn a_step_that_waits_has_nothing_for_the_log() {
        let poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
        let rooms = Arc::new(Rooms::new(&[waker]));
        let (options, now) = (Arc::new(Room::default()), Instant::now());
        let mut socket = RoomSocket::new((rooms, options), Arc::default(), None, true, now);
        socket.logged = 7;
        socket.begin(&Attributes::for_tests(), now);
        let step = socket.receive(&mut [], now);
        assert_eq!((step.consumed, socket.logged()), (0, 0));
    }
}
