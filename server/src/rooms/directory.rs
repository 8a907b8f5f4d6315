//! The rooms that one worker owns.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use common::room::Event;

use super::{
    message::{Command, Delivery, Join, Notice, RoomId},
    room::Room,
    rooms::Rooms,
};
use crate::config::limits;

/// The rooms of one worker, by their names.
#[derive(Debug)]
pub(crate) struct Directory {
    owner: u32,
    rooms: HashMap<Arc<str>, Room>,
    /// Number of rooms so far.
    created: u64,
    /// Rooms that were without members and are kept for their history, in the order in which they became so.
    kept: VecDeque<Arc<str>>,
}

impl Directory {
    /// Creates the directory of the worker with this index.
    pub(crate) fn new(owner: usize) -> Self {
        let owner = u32::try_from(owner).unwrap_or(u32::MAX);
        Self { owner, rooms: HashMap::new(), created: 0, kept: VecDeque::new() }
    }

    /// Handles the next command. Returns false if there is none, or no room for what it would send.
    pub(crate) fn handle_next(&mut self, rooms: &Rooms) -> bool {
        let Some(command) = rooms.take_command(self.owner as usize) else { return false };
        self.handle(command, rooms);
        true
    }

    pub(super) fn handle(&mut self, command: Command, rooms: &Rooms) {
        match command {
            Command::Join(join) => self.join(*join, rooms),
            Command::Publish { room, member, text } => {
                self.with(&room, |room| room.publish(member, text, now(), rooms));
            }
            Command::Rename { room, member, name } => {
                self.with(&room, |room| room.rename(member, &name, rooms));
            }
            Command::Who { room, member } => self.with(&room, |room| room.who(member, rooms)),
            Command::SetForm { room, member, form } => {
                self.with(&room, |room| room.set_form(member, form, rooms));
            }
            Command::MoveAway { room, member, next } => {
                self.with(&room, |room| room.move_away(member, next));
            }
            Command::Arrive { room, member, worker } => {
                self.with(&room, |room| room.arrive(member, worker, rooms));
            }
            Command::Leave { room, member, awaited_on } => {
                if let Some(worker) = awaited_on {
                    rooms.deliver(worker, Delivery::Notice(member, Notice::Left));
                }
                self.change_members(&room, rooms, |room| room.leave(member, rooms));
                self.close_if_empty(&room);
            }
            #[cfg(feature = "redis")]
            Command::Relayed { room, content } => {
                self.with(&room, |room| room.receive(content, rooms));
            }
        }
    }

    fn with(&mut self, room: &str, act: impl FnOnce(&mut Room)) {
        if let Some(room) = self.rooms.get_mut(room) {
            act(room);
        }
    }

    fn join(&mut self, join: Join, rooms: &Rooms) {
        if !self.rooms.contains_key(&join.room) && !self.create(&join.room, rooms) {
            let text = "The server has too many rooms";
            let mut bytes = Vec::new();
            join.form.encode(&Event::Error { text }, &mut bytes);
            let notice = Delivery::Notice(join.member, Notice::Refused { bytes });
            return rooms.deliver(join.worker, notice);
        }
        let room = Arc::clone(&join.room);
        self.change_members(&room, rooms, |room| room.join(join, rooms));
    }

    /// Changes the members of a room. A room with members is open.
    fn change_members(&mut self, room: &str, rooms: &Rooms, change: impl FnOnce(&mut Room)) {
        let owner = self.owner as usize;
        self.with(room, |room| {
            let was_empty = room.is_empty();
            change(room);
            if room.is_empty() != was_empty {
                rooms.set_open(owner, was_empty);
            }
        });
    }

    /// Creates a room. Returns false if there are too many.
    fn create(&mut self, name: &Arc<str>, rooms: &Rooms) -> bool {
        if self.rooms.len() >= limits::ROOMS + limits::KEPT_ROOMS {
            return false;
        }
        self.created += 1;
        let id = RoomId { owner: self.owner, number: self.created };
        let mut room = Room::new(id, Arc::clone(name), rooms.workers());
        room.restore(rooms.take_past(name));
        self.rooms.insert(Arc::clone(name), room);
        true
    }

    fn close_if_empty(&mut self, name: &Arc<str>) {
        let Some(room) = self.rooms.get(name).filter(|room| room.is_empty()) else { return };
        if !room.has_history() {
            self.rooms.remove(name);
            return;
        }
        // A room that has been empty before is the last one now.
        self.kept.retain(|kept| kept != name);
        self.kept.push_back(Arc::clone(name));
        if self.kept.len() > limits::KEPT_ROOMS
            && let Some(oldest) = self.kept.pop_front()
            && self.rooms.get(&oldest).is_some_and(Room::is_empty)
        {
            self.rooms.remove(&oldest);
        }
    }
}

/// Returns the milliseconds since the Unix epoch.
#[expect(
    clippy::disallowed_methods,
    reason = "members see the time of a message by the wall clock"
)]
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
