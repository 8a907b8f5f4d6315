//! Expiry: deadlines of connections, and of UDP sockets.

use std::time::Instant;

use mio::event::Source;

use super::{timing::Armed, worker::Worker};
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
            self.remove_stale_timers();
        }
    }

    /// Arms a timer of a UDP socket, which knows which of its timers are stale.
    #[cold]
    pub(super) fn arm_udp(&mut self, key: usize, deadline: Instant) {
        self.use_precise_timer();
        self.timers.arm(key, &mut Armed::default(), deadline);
        self.remove_stale_timers();
    }

    /// Removes stale timers, if there are more than the limit.
    #[cold]
    fn remove_stale_timers(&mut self) {
        let (slots, udp_sockets) = (&self.connections, &self.udp_sockets);
        if self.timers.len() <= limits::TIMERS + 2 * (slots.len() + udp_sockets.len()) {
            return;
        }
        let is_armed = |key, at| match slots.get(key) {
            Some(slot) => slot.armed.is(at),
            None => udp_sockets.is_armed(key, at),
        };
        self.timers.retain(is_armed);
    }

    /// Closes the connections whose deadline passed before `until`.
    ///
    /// Not inlined: its variables would take registers from the loop over the events, which has an iteration a message.
    #[inline(never)]
    pub(super) fn expire(&mut self, until: Instant) {
        while let Some((key, at)) = self.timers.pop_due(until) {
            let Some(slot) = self.connections.get_mut(key) else {
                self.udp_sockets.expire(key, at, &mut self.ready);
                continue;
            };
            if !slot.armed.fires(at) {
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
