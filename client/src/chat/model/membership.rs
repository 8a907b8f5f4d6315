//! State of a member: its name and room, the other members, the check of numbers, and its messages in flight.

use super::{
    in_flight::InFlight,
    members::Members,
    sequence::{Counts, Fault, Sequence},
};
use crate::chat::event::Event;

/// Member of at most one room.
#[derive(Debug, Default)]
pub(in crate::chat) struct Membership {
    room: Option<String>,
    name: String,
    /// Its own join has been announced.
    has_joined: bool,
    members: Members,
    sequence: Sequence,
    in_flight: InFlight,
}

impl Membership {
    /// Takes an event; returns the fault that it shows.
    pub(in crate::chat) fn observe(&mut self, event: &Event) -> Option<Fault> {
        match event {
            Event::Message { is_replayed: true, .. } | Event::Error { .. } | Event::Goodbye => None,
            Event::Message { .. }
            | Event::Joined { .. }
            | Event::Left { .. }
            | Event::Renamed { .. }
            | Event::RelayGap { .. } => {
                self.observe_in_order(event);
                self.sequence.check(event.number()?)
            }
            Event::Welcome { room, name, number, members, .. } => {
                self.room = Some(room.clone());
                self.name.clone_from(name);
                self.has_joined = false;
                self.members.start(*members);
                self.sequence.start(*number);
                None
            }
            Event::Numbered { last } => {
                self.sequence.expect_after(*last);
                None
            }
            Event::Gap { first, count } => self.sequence.drop_events(*first, *count),
            Event::Members { room, count, names } => {
                if self.room.as_ref() == Some(room) {
                    self.members.list(*count, names);
                }
                None
            }
            Event::Info { .. } => {
                if event.has_left() {
                    self.room = None;
                    self.members.start(None);
                    self.sequence.start(None);
                }
                if let Some(name) = event.new_name() {
                    name.clone_into(&mut self.name);
                }
                None
            }
        }
    }

    /// Takes an event of the room, which all members have in one order.
    fn observe_in_order(&mut self, event: &Event) {
        match event {
            Event::Message { name, text, .. } if *name == self.name => self.in_flight.confirm(text),
            // This member is counted in the welcome. A user may join a second time.
            Event::Joined { name, .. } if *name == self.name && !self.has_joined => {
                self.has_joined = true;
            }
            Event::Joined { name, .. } => self.members.join(name),
            Event::Left { name, .. } => self.members.leave(name),
            Event::Renamed { name, to, .. } => {
                self.members.rename(name, to);
                if *name == self.name {
                    self.name.clone_from(to);
                }
            }
            _ => {}
        }
    }

    /// Adds a message that is sent, in the form in which it returns.
    pub(in crate::chat) fn expect(&mut self, text: String) {
        self.in_flight.expect(text);
    }

    /// Returns the room. `None`: it is in no room.
    pub(in crate::chat) fn room(&self) -> Option<&str> {
        self.room.as_deref()
    }

    /// Returns its name.
    pub(in crate::chat) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the number of members of the room, if it is known.
    pub(in crate::chat) fn member_count(&self) -> Option<u64> {
        self.members.count()
    }

    /// Returns the names of members that are known, in order.
    pub(in crate::chat) fn member_names(&self) -> impl Iterator<Item = &str> {
        self.members.names()
    }

    /// Returns the faults of the numbers so far.
    pub(in crate::chat) fn counts(&self) -> Counts {
        self.sequence.counts()
    }

    /// Returns the own messages in flight.
    pub(in crate::chat) fn in_flight(&self) -> &InFlight {
        &self.in_flight
    }
}
