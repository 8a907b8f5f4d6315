//! A network without further faults: everything passes in both directions.

use super::simulation::Simulation;
use crate::connection::simulation::pair::Pair;

impl Simulation {
    /// All bytes arrive and all peers read, without further faults. Then some of the streams end.
    pub(super) fn settle(&mut self) {
        for index in 0..self.pairs.len() {
            if let Some(stream) = self.stream(index) {
                stream.bug = false;
            }
            self.exchange(index, Pair::finish);
            if self.rng.bool() {
                self.record(index, |_| "end of the stream after everything".into());
                if let Some(stream) = self.stream(index) {
                    stream.fin = true;
                    self.pairs[index].edge = true;
                }
                self.exchange(index, Pair::finish);
            }
        }
    }

    /// A peer with TLS completes its handshake.
    pub(super) fn shake_hands(&mut self, index: usize) {
        self.record(index, |_| "handshake".into());
        self.exchange(index, Pair::read_handshake);
        let room = self.rng.usize(0..40);
        if let Some(stream) = self.stream(index) {
            stream.room = room;
        }
    }

    /// Passes everything in both directions, with a peer that does this.
    pub(super) fn exchange(&mut self, index: usize, act: fn(&mut Pair)) {
        for _ in 0..10_000 {
            act(&mut self.pairs[index]);
            self.deliver(index);
            if let Some(stream) = self.stream(index) {
                stream.room = usize::MAX / 2;
                let blocked = std::mem::take(&mut stream.blocked);
                self.pairs[index].edge |= blocked;
            }
            self.poll(index);
            let pair = &self.pairs[index];
            if !pair.queued && (pair.has_arrived() || pair.connection.is_none()) {
                break;
            }
            self.turn(index);
        }
        act(&mut self.pairs[index]);
    }
}
