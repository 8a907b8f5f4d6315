//! Turns: each ready connection makes progress within its budget.

use std::panic::{AssertUnwindSafe, catch_unwind};

use mio::{Interest, Token, event::Source};

#[cfg(feature = "rooms")]
use super::rooms::ROOMS;
use super::{intake::READ, worker::Worker};
use crate::{
    config::limits,
    connection::{Connection, Stream, Turn, TurnContext},
    telemetry::{CloseReason, ConnectionEvent},
};

impl<S: Stream + Source> Worker<'_, S> {
    /// Adds a connection to its ready list, unless it is in it.
    pub(super) fn queue(&mut self, key: usize) {
        let slot = &mut self.connections[key];
        if !std::mem::replace(&mut slot.queued, true) {
            if slot.connection.is_handshaking() {
                self.ready_handshakes.push_back(key);
            } else {
                self.ready.push(key);
            }
        }
    }

    /// Gives one turn to each connection that is ready at the beginning, and to some of those with a handshake.
    pub(super) fn give_turns(&mut self) {
        let turns = self.ready.len();
        if self.is_sampled() {
            for at in 0..turns {
                self.measure_turn(self.ready[at]);
            }
        } else {
            for at in 0..turns {
                self.give_turn(self.ready[at]);
            }
        }
        self.ready.drain(..turns);
        if !self.ready_handshakes.is_empty() {
            self.give_handshake_turns();
        }
    }

    /// Gives one turn to each of the first connections that are ready for a step of their handshake.
    #[cold]
    fn give_handshake_turns(&mut self) {
        for _ in 0..limits::TURN_HANDSHAKES {
            let Some(key) = self.ready_handshakes.pop_front() else { break };
            self.give_turn(key);
        }
    }

    pub(super) fn give_turn(&mut self, key: usize) {
        let Some(slot) = self.connections.get_mut(key) else {
            return self.give_other_turn(key);
        };
        slot.queued = false;
        slot.load.add_turn(self.rebalancer.checks());
        let mut context =
            TurnContext { buffer: &mut self.buffer[..], telemetry: &self.telemetry, now: self.now };
        // A bug that a peer triggers costs that peer its connection and no other. The half-changed connection
        // is dropped; the buffer has no meaning between turns.
        let turn = catch_unwind(AssertUnwindSafe(|| slot.connection.turn(&mut context)));
        match turn {
            Ok(Turn::Wait) => self.finish_turn(key),
            Ok(Turn::Again) => {
                self.queue(key);
                self.arm(key);
            }
            Ok(Turn::Over) => self.remove(key),
            Err(_) => self.remove_because(key, CloseReason::Panic, ConnectionEvent::Panicked),
        }
    }

    /// Gives the session of a connection its deadline. A turn follows.
    #[cold]
    pub(super) fn expire_session(&mut self, key: usize) {
        self.call(key, Connection::expire_session);
    }

    /// Ends the session of a connection, if a reload has removed its user.
    #[cfg(feature = "login")]
    #[cold]
    pub(super) fn end_removed_user(&mut self, key: usize) {
        self.call(key, Connection::end_removed_user);
    }

    /// Calls a connection outside of its turns. Unless it is over, it needs a turn.
    #[cold]
    #[inline(never)]
    fn call(&mut self, key: usize, call: fn(&mut Connection<S>, &mut TurnContext<'_>) -> Turn) {
        let slot = &mut self.connections[key];
        let mut context =
            TurnContext { buffer: &mut self.buffer[..], telemetry: &self.telemetry, now: self.now };
        match catch_unwind(AssertUnwindSafe(|| call(&mut slot.connection, &mut context))) {
            Ok(Turn::Over) => self.remove(key),
            Ok(Turn::Wait | Turn::Again) => self.queue(key),
            Err(_) => self.remove_because(key, CloseReason::Panic, ConnectionEvent::Panicked),
        }
    }

    #[cold]
    fn give_other_turn(&mut self, key: usize) {
        #[cfg(feature = "rooms")]
        if key == ROOMS {
            return self.give_rooms_turn();
        }
        let mut context =
            TurnContext { buffer: &mut self.buffer[..], telemetry: &self.telemetry, now: self.now };
        let (registry, ready) = (self.poll.registry(), &mut self.ready);
        if let Some(deadline) = self.udp_sockets.give_turn(key, &mut context, registry, ready) {
            self.arm_udp(key, deadline);
        }
    }

    /// Registers interest in writing if the connection needs it, and arms its deadline.
    pub(super) fn finish_turn(&mut self, key: usize) {
        let slot = &mut self.connections[key];
        if slot.connection.wants_write() && !slot.watches_write {
            let interest = READ | Interest::WRITABLE;
            let stream = slot.connection.stream_mut();
            if let Err(error) = self.poll.registry().reregister(stream, Token(key), interest) {
                return self.fail_registration(key, &error);
            }
            slot.watches_write = true;
        }
        // Most connections have no deadline after a message.
        if let Some(deadline) = slot.connection.deadline() {
            self.arm_for(key, deadline);
        }
    }
}
