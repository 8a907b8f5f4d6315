//! The clock: time that passes, and deadlines that expire.

use std::time::Duration;

use super::simulation::Simulation;
use crate::{
    config::limits,
    connection::{
        Connection, Turn, TurnContext,
        simulation::{application::IDLE_TIMEOUT, pair::WRITE_TIMEOUT},
        stage::Stage,
    },
    telemetry::Recorder,
};

impl Simulation {
    /// Time passes. As in a worker, a deadline expires after all events before it have been handled.
    pub(super) fn pass_time(&mut self) {
        let is_long = self.pairs.iter().any(|pair| pair.application.http().is_some());
        let most = if is_long && self.rng.u8(0..8) == 0 { 80_000 } else { 4000 };
        self.now += Duration::from_millis(self.rng.u64(1..most));
        for index in 0..self.pairs.len() {
            self.poll(index);
            while self.pairs[index].queued {
                self.turn(index);
            }
            // The socket may have room that the poll has not reported.
            if self.pairs[index].late_connection(self.now).is_some_and(Connection::wants_write) {
                self.pairs[index].queued = true;
                self.turn(index);
            }
            self.expire(index);
        }
    }

    /// Expires the deadline of a connection, if it has passed.
    pub(super) fn expire(&mut self, index: usize) {
        let pair = &mut self.pairs[index];
        let due = pair.session_due(self.now);
        if pair.late_connection(self.now).is_none() {
            pair.check_expiry(due, Turn::Wait);
            return;
        }
        let is_in_preamble = pair.is_in_preamble();
        let telemetry = Recorder::new(0, &pair.counters, true);
        let connection = pair.connection.as_mut().expect("the connection is late");
        let is_idle = connection.is_idle(self.now);
        let turn = connection.expire(self.now, &telemetry);
        if is_idle {
            pair.session.is_idle = true;
            if self.now.duration_since(pair.moved_at) < IDLE_TIMEOUT {
                pair.problem = Some("the idle timeout is early".into());
            }
        } else {
            pair.check_expiry(due, turn);
        }
        match turn {
            Turn::Over => self.time_out(index, is_in_preamble),
            Turn::Again => self.expire_session(index),
            Turn::Wait => {}
        }
    }

    /// The session has a deadline.
    fn expire_session(&mut self, index: usize) {
        self.record(index, |_| "a deadline of the session".into());
        let pair = &mut self.pairs[index];
        let received = pair.session_received();
        let telemetry = Recorder::new(0, &pair.counters, true);
        let mut context =
            TurnContext { buffer: &mut self.buffer, telemetry: &telemetry, now: self.now };
        let connection = pair.connection.as_mut().expect("the connection is late");
        let turn = connection.expire_session(&mut context);
        connection.stream_mut().moved = false;
        // A ping that is sent is no sign of the peer, so its other timeouts do not count from it.
        if connection.wants_write() || connection.stage > Stage::Serving {
            pair.moved_at = self.now;
        }
        pair.record_expiry(received, self.now);
        if turn == Turn::Over {
            pair.drop_connection();
        } else {
            pair.queued = true;
            self.turn(index);
        }
    }

    /// The connection has timed out.
    fn time_out(&mut self, index: usize, is_in_preamble: bool) {
        let pair = &mut self.pairs[index];
        // A lingering connection may time out at any time after the half-close.
        let half_closed = pair.stream().half_closed;
        // The timeouts of the preamble count from the start, however many bytes have moved.
        let (since, timeout) = if pair.is_in_header() {
            (self.start, limits::PROXY_TIMEOUT)
        } else if is_in_preamble {
            (self.start, limits::TLS_HANDSHAKE_TIMEOUT)
        } else {
            (pair.moved_at, WRITE_TIMEOUT)
        };
        if !half_closed && self.now.duration_since(since) < timeout {
            pair.problem = Some("timed out early".into());
        }
        pair.faulted = true;
        pair.drop_connection();
        self.record(index, |_| "timed out".into());
    }
}
