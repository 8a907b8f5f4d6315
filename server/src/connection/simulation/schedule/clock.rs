//! The clock: time that passes, and deadlines that expire.

use std::time::Duration;

use super::simulation::Simulation;
use crate::{
    config::limits,
    connection::{Connection, Turn, simulation::pair::WRITE_TIMEOUT},
    telemetry::Recorder,
};

impl Simulation {
    /// Time passes. As in a worker, a deadline expires after all events before it have been handled.
    pub(super) fn pass_time(&mut self) {
        self.now += Duration::from_millis(self.rng.u64(1..4000));
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
        if pair.late_connection(self.now).is_none() {
            return;
        }
        let is_in_preamble = pair.is_in_preamble();
        let telemetry = Recorder::new(&pair.counters, true);
        let connection = pair.connection.as_mut().expect("the connection is late");
        if connection.expire(self.now, &telemetry) != Turn::Over {
            return;
        }
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
