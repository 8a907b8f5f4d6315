//! The turn of a worker's rooms: deliveries to its members, then commands to the rooms that it owns.

use std::panic::{AssertUnwindSafe, catch_unwind};

use mio::event::Source;

use crate::{
    config::limits,
    connection::{Stream, Turn, TurnContext},
    rooms::{Delivery, LocalRooms, Notice},
    shared::WAKE,
    telemetry::{CloseReason, ConnectionEvent, ConnectionId},
    udp::LAST_TOKEN,
    worker::worker::Worker,
};

/// Key of the rooms in the ready list of their worker. No connection or UDP socket has it.
pub(in crate::worker) const ROOMS: usize = WAKE.0;

const _: () = assert!(ROOMS > LAST_TOKEN);

impl<S: Stream + Source> Worker<'_, S> {
    /// Adds the rooms to the ready list, unless they are in it.
    #[cold]
    #[inline(never)]
    pub(in crate::worker) fn queue_rooms(&mut self) {
        let new = || Box::new(LocalRooms::new(self.index));
        let rooms = self.rooms.get_or_insert_with(new);
        if !std::mem::replace(&mut rooms.is_queued, true) {
            self.ready.push(ROOMS);
        }
    }

    /// Introduces a connection that has come from another worker to its rooms.
    pub(in crate::worker) fn introduce(&mut self, key: usize) {
        let connection = &mut self.connections[key].connection;
        if !connection.is_member() {
            return;
        }
        let new = || Box::new(LocalRooms::new(self.index));
        self.rooms.get_or_insert_with(new).introduce(connection.id(), key);
        connection.arrive(self.index);
    }

    /// Gives the rooms one turn.
    #[cold]
    #[inline(never)]
    pub(in crate::worker) fn give_rooms_turn(&mut self) {
        let Some(rooms) = &mut self.rooms else { return };
        rooms.is_queued = false;
        self.shared.rooms.begin(self.index);
        let mut left = limits::TURN_DELIVERIES;
        while left > 0 && self.deliver_next() {
            left -= 1;
        }
        let has_commands = self.handle_commands();
        if left == 0 || has_commands {
            self.queue_rooms();
        }
    }

    /// Handles some commands to the rooms that the worker owns. Returns whether there may be more.
    fn handle_commands(&mut self) -> bool {
        let Some(rooms) = &mut self.rooms else { return false };
        (0..limits::TURN_COMMANDS).all(|_| rooms.directory.handle_next(&self.shared.rooms))
    }

    /// Sends the batch to the next member, or takes the next delivery. Returns false if there is none.
    fn deliver_next(&mut self) -> bool {
        let Some(rooms) = &mut self.rooms else { return false };
        if !rooms.batch.events().is_empty() {
            match rooms.next_member() {
                Some(key) => self.deliver_batch(key),
                None => rooms.end_batch(),
            }
            return true;
        }
        let next = rooms.postponed.take().or_else(|| self.shared.rooms.take_delivery(self.index));
        match next {
            None => return false,
            Some(Delivery::Notice(member, notice)) => self.pass_on(member, notice),
            Some(Delivery::Event(room, event)) => {
                rooms.begin_batch(room);
                rooms.batch.push(event);
                while rooms.batch.has_room() {
                    match self.shared.rooms.take_delivery(self.index) {
                        Some(Delivery::Event(other, event)) if other == room => {
                            rooms.batch.push(event);
                        }
                        other => {
                            rooms.postponed = other;
                            break;
                        }
                    }
                }
            }
        }
        true
    }

    /// Sends the events of the batch to one member.
    fn deliver_batch(&mut self, key: usize) {
        let Some(rooms) = &mut self.rooms else { return };
        let batch = &mut rooms.batch;
        let slot = &mut self.connections[key];
        slot.load.add_turn(self.rebalancer.checks());
        let context =
            TurnContext { buffer: &mut self.buffer[..], telemetry: &self.telemetry, now: self.now };
        let had_waiting = slot.connection.wants_write();
        let delivered = catch_unwind(AssertUnwindSafe(|| slot.connection.deliver(batch, &context)));
        match delivered {
            Ok(Turn::Wait) if had_waiting || !slot.connection.wants_write() => {}
            Ok(Turn::Wait) => self.finish_turn(key),
            Ok(Turn::Again) => self.queue(key),
            Ok(Turn::Over) => self.remove(key),
            Err(_) => self.remove_because(key, CloseReason::Panic, ConnectionEvent::Panicked),
        }
    }

    /// Passes an answer of a room to one member.
    fn pass_on(&mut self, member: ConnectionId, notice: Notice) {
        let Some(key) = self.key_of(member) else { return };
        let Some(rooms) = &mut self.rooms else { return };
        match &notice {
            Notice::Joined { room, .. } | Notice::Resumed { room, .. } => {
                rooms.enter(member, *room, key);
            }
            Notice::Left => rooms.leave(member),
            Notice::Refused { .. } | Notice::Answered { .. } => {}
        }
        let slot = &mut self.connections[key];
        let mut context =
            TurnContext { buffer: &mut self.buffer[..], telemetry: &self.telemetry, now: self.now };
        let receive = || slot.connection.receive_notice(notice, &mut context);
        match catch_unwind(AssertUnwindSafe(receive)) {
            Ok(Turn::Over) => self.remove(key),
            Ok(Turn::Wait | Turn::Again) => self.queue(key),
            Err(_) => self.remove_because(key, CloseReason::Panic, ConnectionEvent::Panicked),
        }
    }

    /// Returns the key of a connection. `None`: it is closed.
    fn key_of(&self, member: ConnectionId) -> Option<usize> {
        let known = self.rooms.as_ref().and_then(|rooms| rooms.key(member));
        let slot = usize::try_from(member.slot).unwrap_or(usize::MAX);
        let key = known.unwrap_or(slot);
        let is_same = |connection_id: ConnectionId| connection_id == member;
        self.connections.get(key).filter(|slot| is_same(slot.connection.id())).map(|_| key)
    }
}
