//! Expiry: deadlines of connections.

use std::time::Instant;

use mio::event::Source;

use super::worker::Worker;
use crate::{
    config::limits,
    connection::{Stream, Turn},
};

impl<S: Stream + Source> Worker<'_, S> {
    /// Arms the timer of a connection for its present deadline.
    pub(super) fn arm(&mut self, key: usize) {
        if let Some(deadline) = self.connections[key].connection.deadline() {
            self.arm_for(key, deadline);
        }
    }

    /// Arms the timer of a connection.
    pub(super) fn arm_for(&mut self, key: usize, deadline: Instant) {
        self.timers.arm(key, &mut self.connections[key].armed, deadline);
        // Closed connections leave their entries behind.
        if self.timers.len() > limits::TIMERS + 2 * self.connections.len() {
            let slots = &self.connections;
            self.timers.retain(|key, at| slots.get(key).is_some_and(|slot| slot.armed.is(at)));
        }
    }

    /// Closes the connections whose deadline passed before `until`.
    pub(super) fn expire(&mut self, until: Instant) {
        while let Some((key, at)) = self.timers.pop_due(until) {
            if !self.connections.get_mut(key).is_some_and(|slot| slot.armed.fires(at)) {
                continue;
            }
            // The poll reports a socket as writable when a third of its buffer is free. A slow reader may need
            // longer for that than the write timeout, so the socket is tried first.
            if self.is_late(key, until) && self.connections[key].connection.wants_write() {
                self.give_turn(key);
            }
            let turn = if self.is_late(key, until) {
                self.connections[key].connection.expire(until, &self.telemetry)
            } else {
                Turn::Wait
            };
            match turn {
                Turn::Over => self.remove(key),
                Turn::Again => self.expire_session(key),
                Turn::Wait if self.connections.contains(key) => self.arm(key),
                Turn::Wait => {}
            }
        }
    }

    /// Returns whether a connection is open and its deadline passed before `until`.
    fn is_late(&self, key: usize, until: Instant) -> bool {
        let slot = self.connections.get(key);
        let deadline = slot.and_then(|slot| slot.connection.deadline());
        deadline.is_some_and(|deadline| deadline <= until)
    }
}
