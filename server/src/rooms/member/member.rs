//! A connection as a member of rooms.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    super::{
        event::{Form, RoomEvent},
        message::{Command, Join, Name, Notice, Origin},
        rooms::Rooms,
    },
    backlog::{Backlog, Overflow, Unqueued},
    membership::Membership,
};
use crate::{config::Room, telemetry::ConnectionId};

/// A member, or somebody who may become one. Only the worker of its connection touches it.
#[derive(Debug)]
pub(crate) struct Member {
    rooms: Arc<Rooms>,
    options: Arc<Room>,
    form: Form,
    identity: Identity,
    /// The name that the member wants.
    name: Name,
    /// The name that it has.
    shown: Arc<str>,
    state: State,
    /// Answers of the owner that have not arrived.
    awaited: u32,
    /// Number of the next event for the member.
    next: u64,
    backlog: Backlog,
    /// Number of events that the member was sent.
    delivered: u64,
}

/// Who a member is.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) connection: ConnectionId,
    /// The worker that serves the connection.
    pub(crate) worker: usize,
    pub(crate) peer: Arc<str>,
    pub(crate) listener: Arc<str>,
}

/// The place of a member.
#[derive(Debug)]
enum State {
    Outside,
    /// In a room, or on the way into it.
    Inside(Membership),
    /// On the way out, and then into this room.
    Leaving(Membership, Option<Arc<str>>),
}

/// Whether a message was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Send {
    Sent,
    /// There is no room for it now.
    Full,
    /// The member is in no room.
    Outside,
}

/// What a notice means for the session.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Bytes for the member, which may be none.
    Bytes(Vec<u8>),
    /// The member has left this room, and is in no other.
    Left(Arc<str>),
}

impl Member {
    /// Creates a member that is in no room. It joins one after [`begin`](Self::begin).
    pub(crate) fn new(rooms: Arc<Rooms>, options: Arc<Room>, form: Form) -> Self {
        let none: Arc<str> = Arc::from("");
        let identity = Identity {
            connection: ConnectionId::default(),
            worker: 0,
            peer: Arc::clone(&none),
            listener: none,
        };
        Self {
            rooms,
            options,
            form,
            identity,
            name: Name::Any,
            shown: Arc::from(""),
            state: State::Outside,
            awaited: 0,
            next: 0,
            backlog: Backlog::default(),
            delivered: 0,
        }
    }

    /// Joins the first room, as this peer. A user has logged in, and has its name for ever.
    pub(crate) fn begin(&mut self, identity: Identity, user: Option<&str>, room: Option<Arc<str>>) {
        self.identity = identity;
        if let Some(user) = user {
            self.name = Name::User(format!("@{user}").into());
        }
        self.join(room.unwrap_or_else(|| (*self.options.first).into()));
    }

    pub(crate) fn form(&self) -> Form {
        self.form
    }

    pub(crate) fn options(&self) -> &Room {
        &self.options
    }

    /// Returns the room and the name of the member, for the log.
    pub(crate) fn place(&self) -> (Arc<str>, Arc<str>) {
        let none = || Arc::from("");
        let room = match &self.state {
            State::Inside(place) | State::Leaving(place, _) => Arc::clone(place.room()),
            State::Outside => none(),
        };
        (room, Arc::clone(&self.shown))
    }

    /// Returns whether the member has a name that it cannot change.
    pub(crate) fn is_user(&self) -> bool {
        matches!(self.name, Name::User(_))
    }

    /// Returns whether an answer of the owner has not arrived. Until then, the session receives nothing, and the connection
    /// stays on its worker.
    pub(crate) fn is_waiting(&self) -> bool {
        self.awaited > 0
    }

    /// Returns whether the connection may move to another worker.
    pub(crate) fn may_move(&self) -> bool {
        !self.is_waiting() && self.rooms.allows_move(self.identity.worker)
    }

    /// Returns whether the member is in this room.
    pub(crate) fn is_in(&self, room: &str) -> bool {
        matches!(&self.state, State::Inside(place) if **place.room() == *room)
    }

    /// Returns whether the member may be in this room.
    pub(crate) fn may_join(&self, room: &str) -> bool {
        self.options.may_choose || room == self.options.first
    }

    /// Leaves the present room, if there is one, and joins this one.
    pub(crate) fn join(&mut self, room: Arc<str>) {
        match std::mem::replace(&mut self.state, State::Outside) {
            State::Outside => self.enter(room),
            State::Inside(mut place) => {
                self.awaited += 1;
                place.leave(self.identity.worker);
                self.state = State::Leaving(place, Some(room));
            }
            State::Leaving(place, _) => self.state = State::Leaving(place, Some(room)),
        }
    }

    fn enter(&mut self, room: Arc<str>) {
        let Identity { connection, worker, ref peer, ref listener } = self.identity;
        let place = Membership::new(&self.rooms, room, connection);
        self.awaited += 1;
        let (name, form, options) = (self.name.clone(), self.form, Arc::clone(&self.options));
        let origin = Origin { peer: Arc::clone(peer), listener: Arc::clone(listener) };
        place.force(|room, member| {
            Command::Join(Box::new(Join { room, member, worker, name, form, options, origin }))
        });
        self.state = State::Inside(place);
    }

    /// Leaves the room. Returns false if the member is in none.
    pub(crate) fn leave(&mut self) -> bool {
        match std::mem::replace(&mut self.state, State::Outside) {
            State::Outside => return false,
            State::Inside(mut place) => {
                self.awaited += 1;
                place.leave(self.identity.worker);
                self.state = State::Leaving(place, None);
            }
            State::Leaving(place, _) => self.state = State::Leaving(place, None),
        }
        true
    }

    /// Sends a message to the room.
    pub(crate) fn publish(&self, text: &[u8]) -> Send {
        let State::Inside(place) = &self.state else { return Send::Outside };
        let text = Bytes::copy_from_slice(text);
        match place.send(|room, member| Command::Publish { room, member, text }) {
            Ok(()) => Send::Sent,
            Err(_) => Send::Full,
        }
    }

    /// Sends the last message of a peer that has ended its stream.
    pub(crate) fn publish_last(&self, text: &[u8]) {
        let State::Inside(place) = &self.state else { return };
        let text = Bytes::copy_from_slice(text);
        place.force(|room, member| Command::Publish { room, member, text });
    }

    /// Asks for another name. Returns false if the member is in no room: then it has the name from the next room on.
    pub(crate) fn rename(&mut self, name: &str) -> bool {
        let name: Arc<str> = name.into();
        let State::Inside(place) = &self.state else {
            self.name = Name::Guest(name);
            return false;
        };
        self.awaited += 1;
        place.force(|room, member| Command::Rename { room, member, name });
        true
    }

    /// Asks for the members. Returns false if the member is in no room.
    pub(crate) fn ask_who(&mut self) -> bool {
        let State::Inside(place) = &self.state else { return false };
        self.awaited += 1;
        place.force(|room, member| Command::Who { room, member });
        true
    }

    /// Asks for events with numbers, or without. Returns false if the member is in no room: then it has them from the next
    /// room on.
    pub(crate) fn set_numbers(&mut self, numbered: bool) -> bool {
        let form = self.form.with_numbers(numbered);
        let State::Inside(place) = &self.state else {
            self.form = form;
            return false;
        };
        self.awaited += 1;
        place.force(|room, member| Command::SetForm { room, member, form });
        true
    }

    /// The connection leaves its worker for another one.
    pub(crate) fn move_away(&self) {
        let next = self.next;
        if let State::Inside(place) = &self.state {
            place.force(|room, member| Command::MoveAway { room, member, next });
        }
    }

    /// The connection is on this worker now.
    pub(crate) fn arrive(&mut self, worker: usize) {
        self.identity.worker = worker;
        if let State::Inside(place) = &self.state {
            self.awaited += 1;
            place.force(|room, member| Command::Arrive { room, member, worker });
        }
    }

    /// Receives an answer of the owner.
    pub(crate) fn receive(&mut self, notice: Notice) -> Answer {
        self.awaited = self.awaited.saturating_sub(1);
        match notice {
            Notice::Joined { name, next, chunks, .. } => {
                self.next = next;
                self.shown = name;
                // They may be more than a send buffer takes.
                for chunk in chunks {
                    self.backlog.push_answer(chunk);
                }
                Answer::Bytes(Vec::new())
            }
            Notice::Refused { bytes } => {
                if let State::Inside(_) = self.state {
                    self.state = State::Outside;
                }
                Answer::Bytes(bytes)
            }
            Notice::Answered { form, name, bytes } => {
                self.form = form;
                // A guest that has chosen its name keeps it in the next room.
                if *name != *self.shown {
                    self.name = Name::Guest(Arc::clone(&name));
                    self.shown = name;
                }
                Answer::Bytes(bytes)
            }
            // The worker delivers the events first.
            Notice::Resumed { next, .. } => {
                self.skip_to(next);
                Answer::Bytes(Vec::new())
            }
            Notice::Left => match std::mem::replace(&mut self.state, State::Outside) {
                State::Leaving(place, Some(room)) => {
                    drop(place);
                    self.enter(room);
                    Answer::Bytes(Vec::new())
                }
                State::Leaving(place, None) => Answer::Left(Arc::clone(place.room())),
                other => {
                    self.state = other;
                    Answer::Bytes(Vec::new())
                }
            },
        }
    }

    /// Takes consecutive events that can be sent now. Returns their form. `None`: the member has seen some of them or misses
    /// others, or something waits before them.
    pub(crate) fn take(&mut self, events: &[Arc<RoomEvent>]) -> Option<Form> {
        let first = events.first()?;
        if first.number != self.next || !self.backlog.is_empty() {
            return None;
        }
        self.next += events.len() as u64;
        self.delivered += events.len() as u64;
        Some(self.form)
    }

    /// Adds events that were taken, and that the socket has not taken, to those that wait. Returns the number of events that
    /// were dropped for them.
    ///
    /// # Errors
    ///
    /// If the member is to be disconnected for it.
    pub(crate) fn put_back(&mut self, events: &[Arc<RoomEvent>]) -> Result<u64, Overflow> {
        let mut dropped = 0;
        for event in events {
            dropped += self.backlog.push(event.number, event.bytes(self.form), &self.options)?;
        }
        self.delivered = self.delivered.saturating_sub(dropped);
        Ok(dropped)
    }

    /// Adds an event to those that wait. Returns the number of events that were dropped for it.
    ///
    /// # Errors
    ///
    /// If the member is to be disconnected for it.
    pub(crate) fn wait_for_socket(&mut self, event: &RoomEvent) -> Result<u64, Overflow> {
        if event.number < self.next {
            return Ok(0);
        }
        self.skip_to(event.number);
        self.next += 1;
        self.delivered += 1;
        let dropped = self.backlog.push(event.number, event.bytes(self.form), &self.options)?;
        self.delivered = self.delivered.saturating_sub(dropped);
        Ok(dropped)
    }

    /// Takes the events before this number for lost: the owner no longer had them when the member moved.
    fn skip_to(&mut self, number: u64) {
        if let Some(lost) = number.checked_sub(self.next).filter(|lost| *lost > 0) {
            self.backlog.push_gap(self.next, lost);
            self.next = number;
        }
    }

    /// Adds an answer to what waits, if something does.
    pub(crate) fn queue_answer(&mut self, bytes: &Bytes) -> bool {
        let waits = !self.backlog.is_empty();
        if waits {
            self.backlog.push_answer(bytes.clone());
        }
        waits
    }

    /// Takes what waits, as much as one write takes. Returns also the number of dropped events of which it tells.
    pub(crate) fn take_waiting(&mut self) -> Unqueued {
        self.backlog.take(self.form)
    }

    /// Returns the bytes of events that wait for the socket.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.backlog.bytes()
    }

    /// Returns the number of dropped events of which the member has not been told.
    pub(crate) fn untold(&self) -> u64 {
        self.backlog.untold()
    }

    /// Returns the number of events that the member was sent, or that wait for it.
    pub(crate) fn delivered(&self) -> u64 {
        self.delivered
    }
}
