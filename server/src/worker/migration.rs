//! Moving connections from a worker that is overloaded or suspended to others, through the dispatch queue.

use std::time::{Duration, Instant};

use mio::event::Source;

use super::{rebalance::Excess, slot::Slot, worker::Worker};
use crate::{
    connection::{Incoming, Stream},
    logging,
    shared::SharedState,
};

impl<S: Stream + Source> Worker<'_, S> {
    /// Checks whether the worker should move part of its load, because another one is less busy, or all of it, because it is
    /// suspended, and moves it.
    // In the loop, its code would take registers from that for each event.
    #[inline(never)]
    pub(super) fn rebalance(&mut self) {
        let share = self.excess_share().filter(|_| !self.draining);
        // Otherwise this worker would take back the connections that it moves.
        self.overloaded = share.is_some();
        self.shared.dispatch.set_overloaded(self.index, self.overloaded);
        let Some(share) = share else { return };
        let checks = self.rebalancer.checks();
        let load = |slot: &Slot<S>| slot.load.before(checks);
        let mut excess = Excess::new(share, self.connections.iter().map(|(_, slot)| load(slot)));
        let moving = self.connections.iter().filter(|(_, slot)| excess.takes(load(slot)));
        let moving: Vec<usize> = moving.map(|(key, _)| key).collect();
        #[cfg(feature = "rooms")]
        let moving: Vec<usize> = {
            let connections = &mut self.connections;
            let may_move = |&key: &usize| connections[key].connection.may_move();
            moving.into_iter().filter(may_move).collect()
        };
        // Records of this worker precede those of the new worker.
        logging::flush();
        // After a full queue, the others would not find a place either.
        let moved = moving.into_iter().take_while(|&key| self.migrate(key)).count();
        if moved > 0 {
            self.telemetry.migrated(moved);
        }
    }

    /// Returns the share of its load that the worker should shed, if any.
    fn excess_share(&mut self) -> Option<f64> {
        let SharedState { counters, dispatch, consolidation, .. } = self.shared;
        let busy = counters.workers.iter().enumerate().map(|(worker, counters)| {
            (Duration::from_nanos(counters.busy_ns.get()), dispatch.is_accepting(worker))
        });
        let excess = self.rebalancer.check(self.now, self.index, busy);
        let messages = || counters.listeners.sum(|all| all.messages_received.get());
        if !self.draining
            && let Some(change) = consolidation.check(self.now, messages)
        {
            dispatch.set_serving(change.serving());
            self.telemetry.consolidated(change);
        }
        let is_suspended = self.index >= dispatch.serving();
        if is_suspended { Some(1.0) } else { excess }
    }

    /// Puts a connection back into the dispatch queue. Returns false if that fails or the queue is full.
    fn migrate(&mut self, key: usize) -> bool {
        let stream = self.connections[key].connection.stream_mut();
        if let Err(error) = self.poll.registry().deregister(stream) {
            self.fail_registration(key, &error);
            return false;
        }
        #[cfg_attr(not(feature = "rooms"), expect(unused_mut, reason = "there are no rooms"))]
        let mut connection = Box::new(self.take_out(key).connection);
        #[cfg(feature = "rooms")]
        connection.move_away();
        match self.shared.dispatch.requeue(self.index, Incoming::Migrated(connection)) {
            Ok(()) => true,
            Err(Incoming::Migrated(connection)) => {
                self.add(*connection, true);
                false
            }
            Err(Incoming::New { .. }) => {
                unreachable!("the queue returns the item that it was given")
            }
        }
    }

    /// Counts the time until `now` as busy.
    pub(super) fn count_busy(&mut self, now: Instant) {
        let busy = now.saturating_duration_since(self.busy_since).as_nanos();
        self.busy_since = now;
        self.telemetry.iteration(u64::try_from(busy).unwrap_or(u64::MAX));
    }
}
