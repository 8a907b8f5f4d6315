//! The place of a member in a room.

use std::sync::Arc;

use super::super::{message::Command, rooms::Rooms};
use crate::telemetry::ConnectionId;

/// The place of a member in a room, from its join on. Dropping it leaves the room.
#[derive(Debug)]
pub(super) struct Membership {
    rooms: Arc<Rooms>,
    owner: usize,
    room: Arc<str>,
    member: ConnectionId,
    has_left: bool,
}

impl Membership {
    /// Counts the member. A command to join follows.
    pub(super) fn new(rooms: &Arc<Rooms>, room: Arc<str>, member: ConnectionId) -> Self {
        rooms.add_member();
        let owner = rooms.owner(&room);
        Self { rooms: Arc::clone(rooms), owner, room, member, has_left: false }
    }

    pub(super) fn room(&self) -> &Arc<str> {
        &self.room
    }

    /// Sends a command to the owner of the room.
    ///
    /// # Errors
    ///
    /// If there is no room for it now.
    pub(super) fn send(
        &self,
        command: impl FnOnce(Arc<str>, ConnectionId) -> Command,
    ) -> Result<(), Command> {
        self.rooms.command(self.owner, command(Arc::clone(&self.room), self.member))
    }

    /// Sends a command that must not wait.
    pub(super) fn force(&self, command: impl FnOnce(Arc<str>, ConnectionId) -> Command) {
        self.rooms.force_command(self.owner, command(Arc::clone(&self.room), self.member));
    }

    /// Leaves the room. The answer comes to this worker, behind all events before it.
    pub(super) fn leave(&mut self, worker: usize) {
        self.has_left = true;
        let awaited_on = Some(worker);
        self.force(|room, member| Command::Leave { room, member, awaited_on });
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        if !self.has_left {
            self.force(|room, member| Command::Leave { room, member, awaited_on: None });
        }
        self.rooms.remove_member();
    }
}
