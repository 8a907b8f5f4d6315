//! The conversation with a member: its messages and commands, and the answers to them.

use std::{sync::Arc, time::Instant};

use common::{
    exit::Newline,
    room::{Command, CommandError, Event, Input},
};

use crate::{
    config::{Room, limits},
    rooms::{Answer, Form, Identity, Member, Notice, Rooms, Send},
    session::attributes::Attributes,
};

const HELP: &str = "Commands: /join NAME, /leave, /who, /name NAME, /seq on, /seq off, exit; \
                    a message that begins with '/' is sent as //";

/// The conversation with one member.
#[derive(Debug)]
pub(crate) struct Conversation {
    member: Member,
    /// The session ends when the member has left its room.
    ending: Option<Ending>,
    /// The time at which a message is sent again for which there was no room.
    retry_at: Option<Instant>,
}

/// How a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The member has sent an exit with this newline.
    Exit(Newline),
    /// The peer has ended its stream.
    EndOfStream,
    Drain,
}

/// How the session continues after an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// It receives the next input.
    Next,
    /// It waits for an answer.
    Wait,
    /// It waits, and receives this input again.
    Again,
    /// It is over.
    End(Ending),
}

impl Conversation {
    pub(crate) fn new(rooms: Arc<Rooms>, options: Arc<Room>, form: Form) -> Self {
        Self { member: Member::new(rooms, options, form), ending: None, retry_at: None }
    }

    /// Joins the first room, or this one.
    pub(crate) fn begin(&mut self, attributes: &Attributes<'_>, room: Option<&str>) {
        let identity = Identity {
            connection: attributes.id,
            worker: attributes.worker,
            peer: attributes.peer.into(),
            listener: attributes.listener.into(),
        };
        self.member.begin(identity, attributes.user, room.map(Into::into));
    }

    pub(crate) fn member(&mut self) -> &mut Member {
        &mut self.member
    }

    /// Returns whether the session receives nothing now.
    pub(crate) fn is_waiting(&self) -> bool {
        self.member.is_waiting() || self.retry_at.is_some() || self.ending.is_some()
    }

    /// Returns the time at which a message is to be tried again.
    pub(crate) fn retry_at(&self) -> Option<Instant> {
        self.retry_at.filter(|_| !self.member.is_waiting())
    }

    /// Tries again.
    pub(crate) fn retry(&mut self) {
        self.retry_at = None;
    }

    /// Handles an input. Appends the immediate answer to `answer`. `newline` is that of the input.
    pub(crate) fn take(
        &mut self,
        input: Result<Input<'_>, CommandError>,
        newline: Newline,
        now: Instant,
        answer: &mut Vec<u8>,
    ) -> Flow {
        let command = match input {
            Ok(Input::Empty) => return Flow::Next,
            Ok(Input::Exit) => return self.end(Ending::Exit(newline)),
            Ok(Input::Message(text)) => return self.publish(text, now, answer),
            Ok(Input::Command(command)) => command,
            Err(error) => {
                self.refuse(&error.to_string(), answer);
                return Flow::Next;
            }
        };
        match command {
            Command::Help => self.inform(HELP, answer),
            Command::Join(room) => return self.join(room, answer),
            Command::Leave if self.member.leave() => return Flow::Wait,
            Command::Who if self.member.ask_who() => return Flow::Wait,
            Command::Leave | Command::Who => self.refuse_outside(answer),
            Command::Name(_) if self.member.is_user() => {
                self.refuse("Your name is that of your login", answer);
            }
            Command::Name(name) if self.member.rename(name) => return Flow::Wait,
            Command::Name(name) => self.inform(&format!("You are now {name}"), answer),
            Command::Numbers(numbered) if self.member.set_numbers(numbered) => return Flow::Wait,
            Command::Numbers(numbered) => {
                let state = if numbered { "on" } else { "off" };
                self.inform(&format!("Sequence numbers are {state}"), answer);
            }
        }
        Flow::Next
    }

    fn publish(&mut self, text: &[u8], now: Instant, answer: &mut Vec<u8>) -> Flow {
        match self.member.publish(text) {
            Send::Sent => return Flow::Next,
            Send::Outside => self.refuse_outside(answer),
            Send::Full => {
                self.retry_at = now.checked_add(limits::ROOM_RETRY);
                return Flow::Again;
            }
        }
        Flow::Next
    }

    fn join(&mut self, room: Option<&str>, answer: &mut Vec<u8>) -> Flow {
        let room: Arc<str> = room.unwrap_or(&self.member.options().first).into();
        if !self.member.may_join(&room) {
            let text = format!("This listener has one room: {}", self.member.options().first);
            self.refuse(&text, answer);
            return Flow::Next;
        }
        if self.member.is_in(&room) {
            self.refuse(&format!("You are in {room} already"), answer);
            return Flow::Next;
        }
        self.member.join(room);
        Flow::Wait
    }

    /// Ends the session, after the member has received everything from before that.
    pub(crate) fn end(&mut self, ending: Ending) -> Flow {
        if self.member.leave() {
            self.ending.get_or_insert(ending);
            return Flow::Wait;
        }
        Flow::End(ending)
    }

    /// Sends the last message of a peer that has ended its stream, and ends the session. Returns whether that takes a while.
    pub(crate) fn depart(&mut self, input: Result<Input<'_>, CommandError>) -> bool {
        if let Ok(Input::Message(text)) = input {
            self.member.publish_last(text);
        }
        self.end(Ending::EndOfStream) == Flow::Wait
    }

    /// Handles an answer of a room.
    pub(crate) fn receive(&mut self, notice: Notice) -> (Vec<u8>, Flow) {
        match self.member.receive(notice) {
            Answer::Bytes(bytes) => (bytes, Flow::Next),
            Answer::Left(room) => {
                let mut bytes = Vec::new();
                if let Some(ending) = self.ending {
                    return (bytes, Flow::End(ending));
                }
                self.inform(&format!("You have left {room}"), &mut bytes);
                (bytes, Flow::Next)
            }
        }
    }

    pub(crate) fn inform(&self, text: &str, answer: &mut Vec<u8>) {
        self.member.form().encode(&Event::Info { text }, answer);
    }

    pub(crate) fn refuse(&self, text: &str, answer: &mut Vec<u8>) {
        self.member.form().encode(&Event::Error { text }, answer);
    }

    fn refuse_outside(&self, answer: &mut Vec<u8>) {
        self.refuse("You are in no room; /join NAME joins one", answer);
    }
}
