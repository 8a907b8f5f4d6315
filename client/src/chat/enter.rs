//! The way into the room, under the name, that the arguments have.
//!
//! Each step waits for the answer of the server, so that a refusal is known before the first message.

use common::room::{Command, Input};

use super::{
    config::ChatConfig, connection::Connection, error::Error, event::Event, framing::kind::Framing,
};
use crate::net::poll::Deadline;

/// Enters the room; returns the events from its welcome on.
///
/// # Errors
///
/// The server has no room, refuses the client, or does not answer in time.
pub(super) fn enter(
    connection: &mut Connection<'_>,
    config: &ChatConfig,
    is_in_path: bool,
) -> Result<Vec<Event>, Error> {
    let mut entrance = Entrance { connection, events: Vec::new(), next: 0 };
    let is_text = entrance.connection.framing() == Framing::Text;
    if is_text {
        entrance.send(Command::Numbers(true));
    }
    let (room, name) = entrance.wait_for(welcome, Error::Refused)?;
    if is_text {
        let is_on = |event: &Event| matches!(event, Event::Numbered { .. }).then_some(());
        entrance.wait_for(is_on, Error::Refused)?;
    }
    let other_room = config.room.as_ref().filter(|&wanted| !is_in_path && *wanted != room);
    let other_name = config.name.as_ref().filter(|&wanted| *wanted != name);
    match (other_room, other_name) {
        (Some(room), None) => {
            entrance.join(room)?;
        }
        (Some(room), Some(name)) => entrance.join_as(room, name)?,
        (None, Some(name)) => entrance.take_name(name)?,
        (None, None) => {}
    }
    let mut events = entrance.events;
    let start = events.iter().rposition(|event| welcome(event).is_some());
    events.drain(..start.unwrap_or_default());
    Ok(events)
}

fn welcome(event: &Event) -> Option<(String, String)> {
    match event {
        Event::Welcome { room, name, .. } => Some((room.clone(), name.clone())),
        _ => None,
    }
}

/// Events that have arrived so far.
struct Entrance<'e, 'i> {
    connection: &'e mut Connection<'i>,
    events: Vec<Event>,
    /// Index of the first event that no step has seen.
    next: usize,
}

impl Entrance<'_, '_> {
    fn send(&mut self, command: Command<'_>) {
        self.connection.send(&Input::Command(command));
    }

    /// Joins a room; returns the name there.
    fn join(&mut self, room: &str) -> Result<String, Error> {
        self.send(Command::Join(Some(room)));
        let is_there = |event: &Event| welcome(event).filter(|(at, _)| at == room);
        let refused = |text| Error::Room { room: room.to_owned(), text };
        Ok(self.wait_for(is_there, refused)?.1)
    }

    /// Takes a name in the present room, or for the next one.
    fn take_name(&mut self, name: &str) -> Result<(), Error> {
        self.send(Command::Name(name));
        let refused = |text| Error::Name { name: name.to_owned(), text };
        self.wait_for(|event| (event.new_name() == Some(name)).then_some(()), refused)
    }

    /// Joins a room under a name. Between rooms nobody else has the name, and the new room decides.
    fn join_as(&mut self, room: &str, name: &str) -> Result<(), Error> {
        self.send(Command::Leave);
        self.wait_for(|event| event.has_left().then_some(()), Error::Refused)?;
        self.take_name(name)?;
        if self.join(room)? == name {
            return Ok(());
        }
        // The reason follows the welcome.
        self.wait_for(|_| None, |text| Error::Name { name: name.to_owned(), text })
    }

    /// Waits for the first event that `accept` returns something for, or for a refusal.
    fn wait_for<T>(
        &mut self,
        accept: impl Fn(&Event) -> Option<T>,
        refused: impl FnOnce(String) -> Error,
    ) -> Result<T, Error> {
        let deadline = self.connection.deadline();
        loop {
            while let Some(event) = self.events.get(self.next) {
                self.next += 1;
                if let Event::Error { text } = event {
                    return Err(refused(text.clone()));
                }
                if let Some(accepted) = accept(event) {
                    return Ok(accepted);
                }
            }
            self.receive(deadline)?;
        }
    }

    fn receive(&mut self, deadline: Deadline) -> Result<(), Error> {
        self.connection.wait(None, deadline)?;
        let is_open = self.connection.receive(&mut self.events)?;
        if is_open { Ok(()) } else { Err(Error::Closed) }
    }
}
