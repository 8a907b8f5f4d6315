//! The rooms and members of one worker.

use std::{collections::HashMap, sync::Arc};

use super::{
    directory::Directory,
    event::{Form, RoomEvent},
    message::{Delivery, RoomId},
};
use crate::{config::limits, telemetry::ConnectionId};

/// The rooms of a worker.
#[derive(Debug)]
pub(crate) struct LocalRooms {
    /// The rooms that it owns.
    pub(crate) directory: Directory,
    /// The members of rooms, and connections from other workers that may become members.
    members: HashMap<ConnectionId, Member>,
    rooms: HashMap<RoomId, LocalRoom>,
    /// Events that not all members have received.
    pub(crate) batch: Batch,
    /// A delivery that was taken and does not belong to the batch.
    pub(crate) postponed: Option<Delivery>,
    /// The worker has a turn for its rooms in its ready list.
    pub(crate) is_queued: bool,
}

/// A member on this worker.
#[derive(Clone, Copy, Debug)]
struct Member {
    /// The key of its connection.
    key: usize,
    /// Its room, and its place there.
    place: Option<(RoomId, usize)>,
}

/// The members of one room on this worker.
#[derive(Debug, Default)]
struct LocalRoom {
    /// A member that leaves while the batch is delivered leaves its place vacant, so that no other member changes its place.
    places: Vec<Option<(ConnectionId, usize)>>,
    vacant: usize,
}

/// Consecutive events of one room. They are joined once for each form, however many members receive them.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    events: Vec<Arc<RoomEvent>>,
    /// Bytes of the events in all forms that have members.
    weight: usize,
    /// The joined bytes of several events. Empty for the forms that nobody has needed.
    joined: [Vec<u8>; Form::COUNT],
    room: Option<RoomId>,
    /// The next place.
    next: usize,
}

impl LocalRooms {
    pub(crate) fn new(worker: usize) -> Self {
        Self {
            directory: Directory::new(worker),
            members: HashMap::new(),
            rooms: HashMap::new(),
            batch: Batch::default(),
            postponed: None,
            is_queued: false,
        }
    }

    /// Begins the delivery of events, which are added to the batch.
    pub(crate) fn begin_batch(&mut self, room: RoomId) {
        self.batch.room = Some(room);
    }

    /// Returns the key of the next member for the events in the batch. `None`: all have received them.
    pub(crate) fn next_member(&mut self) -> Option<usize> {
        let room = self.rooms.get(&self.batch.room?)?;
        loop {
            let place = *room.places.get(self.batch.next)?;
            self.batch.next += 1;
            if let Some((_, key)) = place {
                return Some(key);
            }
        }
    }

    /// Ends the delivery of the batch.
    pub(crate) fn end_batch(&mut self) {
        let Some(id) = self.batch.clear() else { return };
        let Some(room) = self.rooms.get_mut(&id).filter(|room| room.vacant > 0) else { return };
        room.vacant = 0;
        room.places.retain(Option::is_some);
        for (index, (member, _)) in room.places.iter().flatten().enumerate() {
            if let Some(member) = self.members.get_mut(member) {
                member.place = Some((id, index));
            }
        }
        if room.places.is_empty() {
            self.rooms.remove(&id);
        }
    }

    /// Returns the key of a connection that has been in a room on this worker, or has come from another worker.
    pub(crate) fn key(&self, member: ConnectionId) -> Option<usize> {
        self.members.get(&member).map(|member| member.key)
    }

    /// Remembers a connection that may be a member.
    pub(crate) fn introduce(&mut self, member: ConnectionId, key: usize) {
        self.members.insert(member, Member { key, place: None });
    }

    /// Adds a member to a room, whose events it receives from now on.
    pub(crate) fn enter(&mut self, member: ConnectionId, room: RoomId, key: usize) {
        self.leave(member);
        let places = &mut self.rooms.entry(room).or_default().places;
        places.push(Some((member, key)));
        let place = Some((room, places.len() - 1));
        self.members.insert(member, Member { key, place });
    }

    /// Removes a member from its room.
    pub(crate) fn leave(&mut self, member: ConnectionId) {
        let place = self.members.get_mut(&member).and_then(|member| member.place.take());
        let Some((id, index)) = place else { return };
        let Some(room) = self.rooms.get_mut(&id) else { return };
        if self.batch.room == Some(id) {
            room.places[index] = None;
            room.vacant += 1;
            return;
        }
        room.places.swap_remove(index);
        if let Some(&Some((moved, _))) = room.places.get(index)
            && let Some(moved) = self.members.get_mut(&moved)
        {
            moved.place = Some((id, index));
        }
        if room.places.is_empty() {
            self.rooms.remove(&id);
        }
    }

    /// Forgets a connection that closes or moves to another worker.
    pub(crate) fn forget(&mut self, member: ConnectionId) {
        self.leave(member);
        self.members.remove(&member);
    }
}

impl Batch {
    /// Adds an event.
    pub(crate) fn push(&mut self, event: Arc<RoomEvent>) {
        self.weight += event.weight();
        self.events.push(event);
    }

    /// Returns whether it takes another event.
    pub(crate) fn has_room(&self) -> bool {
        self.events.len() < limits::ROOM_BATCH && self.weight < limits::ROOM_BATCH_BYTES
    }

    pub(crate) fn events(&self) -> &[Arc<RoomEvent>] {
        &self.events
    }

    /// Returns the bytes of all events for the members with this form.
    pub(crate) fn bytes(&mut self, form: Form) -> &[u8] {
        if let [event] = &self.events[..]
            && let Some(bytes) = event.encoded(form)
        {
            return bytes;
        }
        let joined = &mut self.joined[form as usize];
        if joined.is_empty() {
            self.events.iter().for_each(|event| joined.extend_from_slice(&event.bytes(form)));
        }
        joined
    }

    /// Removes all events, and returns their room.
    fn clear(&mut self) -> Option<RoomId> {
        self.events.clear();
        self.joined.iter_mut().for_each(Vec::clear);
        self.weight = 0;
        self.next = 0;
        self.room.take()
    }
}
