//! A sample of the time that echoes take in the server.
//!
//! All turns of one iteration in [`SAMPLED_ITERATIONS`](limits::SAMPLED_ITERATIONS) are measured, so every echo has the same chance. Reading
//! the clock around each turn would cost more than the count of its message.

use std::time::Instant;

use mio::event::Source;

use super::worker::Worker;
use crate::{config::limits, connection::Stream};

impl<S: Stream + Source> Worker<'_, S> {
    /// Returns whether the turns of this iteration are measured.
    pub(super) fn is_sampled(&self) -> bool {
        let iteration = self.shared.counters.workers[self.index].iterations.get();
        iteration.is_multiple_of(limits::SAMPLED_ITERATIONS)
    }

    /// Gives a turn, and records the time until its echo is sent.
    #[cold]
    pub(super) fn measure_turn(&mut self, key: usize) {
        let Some(slot) = self.connections.get(key) else { return self.give_turn(key) };
        let before = slot.connection.progress();
        let begun = Instant::now();
        self.give_turn(key);
        // The connection may have ended in its turn.
        if let Some(slot) = self.connections.get_mut(key) {
            slot.connection.record_latency(before, begun);
        }
    }
}
