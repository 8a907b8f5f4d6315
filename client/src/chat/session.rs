//! Session of a user in a terminal, without the terminal: what events and keys change.

use common::{
    escape::Escaped,
    protocol::EXIT,
    room::{Command, Input},
};
use jiff::{Timestamp, tz::TimeZone};
use ratatui::Frame;

use super::{
    connection::Connection,
    editor::{
        keys::Action,
        line::{Edit, Editor},
    },
    error::Error,
    event::Event,
    framing::encode::returned_text,
    model::{conversation::Conversation, sequence::Counts},
    screen::draw::{Scroll, TypedLine, View},
};
use crate::net::poll::Deadline;

/// Commands, for completion.
const COMMANDS: [&str; 7] = ["/help", "/join", "/leave", "/name", "/quit", "/seq", "/who"];

/// Answers to `/help`.
const HELP: [&str; 3] = [
    "/join ROOM, /leave, /name NAME, /who, /seq on|off, /quit; //text sends /text",
    "Up and Down: earlier lines; Tab: complete a name or a command; Ctrl+C: leave",
    "Page Up and Page Down: scroll; Ctrl+Home and Ctrl+End: to the ends; Esc: newest message",
];

/// State of the session.
#[derive(Clone, Copy, Debug)]
pub(super) enum State {
    /// The user is in a room, or between two.
    Open,
    /// The exit has been sent, and is to be answered in time.
    Leaving(Deadline),
    /// The user has left.
    Left,
    /// The connection has ended, and the user may still read.
    Ended,
}

/// Session of a user.
#[derive(Debug)]
pub(super) struct Session<'i> {
    connection: Connection<'i>,
    conversation: Conversation,
    editor: Editor,
    view: View,
    state: State,
    /// Why the connection has ended.
    failure: Option<Error>,
    /// The user looks at the terminal.
    has_focus: bool,
}

impl<'i> Session<'i> {
    /// Starts a session over a connection that is in a room.
    pub(super) fn new(connection: Connection<'i>, server: &str, shows_numbers: bool) -> Self {
        Self {
            connection,
            conversation: Conversation::default(),
            editor: Editor::new(),
            view: View::new(server, shows_numbers, TimeZone::system()),
            state: State::Open,
            failure: None,
            has_focus: true,
        }
    }

    /// Returns the connection.
    pub(super) fn connection(&mut self) -> &mut Connection<'i> {
        &mut self.connection
    }

    /// Returns the state.
    pub(super) fn state(&self) -> State {
        self.state
    }

    /// Ends the session: nothing more can be shown, or nothing more comes.
    pub(super) fn end(&mut self) {
        self.state = State::Left;
    }

    /// Returns the faults in the numbers of events.
    pub(super) fn counts(&self) -> Counts {
        self.conversation.membership().counts()
    }

    /// Returns why the connection has ended, unless the user has left.
    pub(super) fn into_failure(self) -> Option<Error> {
        self.failure
    }

    /// Draws the screen.
    pub(super) fn draw(&mut self, frame: &mut Frame<'_>) {
        let is_attended = self.has_focus && self.view.is_following();
        self.conversation.set_attended(is_attended);
        let typed = TypedLine { text: self.editor.text(), cursor: self.editor.cursor() };
        self.view.draw(frame, &self.conversation, typed);
    }

    /// Receives what has arrived.
    pub(super) fn receive_events(&mut self) {
        let mut events = Vec::new();
        let received = self.connection.receive(&mut events);
        self.receive(&events);
        let error = match received {
            Ok(true) => return,
            Ok(false) => Error::Closed,
            Err(error) => error,
        };
        if !matches!(self.state, State::Open) {
            self.state = State::Left;
            return;
        }
        let reason = error.to_string().replace('\n', " ");
        self.conversation.end(&Escaped(reason.as_bytes()).to_string(), now());
        self.failure = Some(error);
        self.state = State::Ended;
    }

    /// Takes events.
    pub(super) fn receive(&mut self, events: &[Event]) {
        for event in events {
            self.conversation.receive(event, now());
            match event {
                // Without a question, the end of the connection follows.
                Event::Goodbye if !matches!(self.state, State::Open) => self.state = State::Left,
                Event::Welcome { .. } => {
                    self.conversation.hide_next_list();
                    self.connection.send(&Input::Command(Command::Who));
                }
                _ => {}
            }
        }
    }

    /// Does what a key means.
    pub(super) fn act(&mut self, action: Action) {
        match action {
            Action::Edit(edit) => {
                if !self.editor.apply(edit) {
                    let text = "The line would be longer than a message can be";
                    self.conversation.refuse(text, now());
                }
            }
            Action::Complete => {
                let names = self.conversation.membership().member_names();
                self.editor.complete(COMMANDS.into_iter().chain(names));
            }
            Action::Submit => self.submit(),
            Action::Scroll(scroll) => self.view.scroll(scroll, &self.conversation),
            Action::Leave => self.leave(),
            Action::LeaveOrDelete if self.editor.text().is_empty() => self.leave(),
            Action::LeaveOrDelete => {
                self.editor.apply(Edit::Delete);
            }
            Action::Focus(has_focus) => self.has_focus = has_focus,
            Action::Redraw => {}
        }
    }

    fn submit(&mut self) {
        self.view.scroll(Scroll::End, &self.conversation);
        if matches!(self.state, State::Ended) {
            return self.leave();
        }
        let line = self.editor.text().to_owned();
        let line = if line.trim() == "/quit" { EXIT } else { &line };
        match Input::parse(line.as_bytes()) {
            Ok(Input::Empty) => return,
            // The line stays, so that the user can correct it.
            Err(error) => return self.conversation.refuse(error.to_string(), now()),
            Ok(Input::Exit) => self.leave(),
            Ok(Input::Command(Command::Help)) => {
                for text in HELP {
                    self.conversation.notify(text, now());
                }
            }
            // The numbers are always on, and shown on request.
            Ok(Input::Command(Command::Numbers(is_on))) => self.view.show_numbers(is_on),
            Ok(input) => {
                if let Input::Message(text) = input {
                    self.conversation.send(returned_text(self.connection.framing(), text));
                }
                self.connection.send(&input);
            }
        }
        self.editor.submit();
    }

    /// Sends an exit. The second time, or without a connection, the user does not wait for the answer.
    pub(super) fn leave(&mut self) {
        match self.state {
            State::Open => {
                self.connection.send(&Input::Exit);
                self.state = State::Leaving(self.connection.deadline());
                self.conversation.notify("Leaving; Ctrl+C does not wait for the server", now());
            }
            State::Leaving(_) | State::Left | State::Ended => self.state = State::Left,
        }
    }
}

/// Returns the time, in milliseconds since the Unix epoch.
#[expect(clippy::disallowed_methods, reason = "it is shown to the user")]
fn now() -> u64 {
    u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default()
}
