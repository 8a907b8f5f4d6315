//! Rebalancing: the share of its load that a saturated worker moves to less busy workers.
//!
//! Connections are distributed evenly, but not all of them are busy, and the busy ones may all belong to one
//! worker. Every worker counts the time that it is busy. A worker that was busy most of the time, while another
//! was much less busy, moves half of the difference away. The dispatch queue chooses the new worker by its
//! number of connections, not by its load, so with more than two workers it may take several checks until
//! the load is even. A single busy connection stays: moving it would only move the load.
//!
//! This module knows neither connections nor clocks.

use std::time::{Duration, Instant};

use crate::config::limits::{BALANCE_INTERVAL, SATURATED, SKEW};

/// One worker's record of the busy time of all workers.
#[derive(Debug)]
pub(crate) struct Rebalancer {
    /// Number of checks, modulo 2^16.
    checks: u16,
    last_check: Instant,
    /// Total busy time of each worker at the last check.
    busy: Box<[Duration]>,
}

/// The load of one connection: its turns between two checks.
///
/// Short numbers, because every connection has them: no connection has 2^16 turns between two checks, and one that was idle
/// for 2^16 checks counts once as if it had not been.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Load {
    /// Number of checks before these turns.
    check: u16,
    turns: u16,
}

/// The load that a worker sheds, in whole connections.
#[derive(Debug)]
pub(crate) struct Excess {
    /// Turns that are left to shed.
    turns: f64,
}

impl Rebalancer {
    pub(crate) fn new(workers: usize, now: Instant) -> Self {
        Self { checks: 0, last_check: now, busy: vec![Duration::ZERO; workers].into() }
    }

    /// Returns the number of checks so far.
    pub(crate) fn checks(&self) -> u16 {
        self.checks
    }

    /// Returns the time of the next check.
    pub(crate) fn next(&self) -> Instant {
        self.last_check + BALANCE_INTERVAL
    }

    /// Returns whether the next check is due.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        now >= self.next()
    }

    /// Compares the total busy times of the workers, each with whether it takes connections. Returns the share of its load that
    /// `worker` should shed, if any.
    pub(crate) fn check(
        &mut self,
        now: Instant,
        worker: usize,
        busy: impl Iterator<Item = (Duration, bool)>,
    ) -> Option<f64> {
        self.checks = self.checks.wrapping_add(1);
        let elapsed =
            now.duration_since(std::mem::replace(&mut self.last_check, now)).as_secs_f64();
        let mut own = 0.0;
        let mut least = f64::INFINITY;
        for (index, (before, (now, takes))) in self.busy.iter_mut().zip(busy).enumerate() {
            let share = now.saturating_sub(std::mem::replace(before, now)).as_secs_f64() / elapsed;
            if index == worker {
                own = share;
            } else if takes {
                least = share.min(least);
            }
        }
        (own >= SATURATED && own - least >= SKEW).then(|| (own - least) / 2.0 / own)
    }
}

impl Load {
    /// Adds a turn after this number of checks.
    pub(crate) fn add_turn(&mut self, checks: u16) {
        // Reset here, since a check does not visit every connection.
        if std::mem::replace(&mut self.check, checks) != checks {
            self.turns = 0;
        }
        self.turns = self.turns.saturating_add(1);
    }

    /// Returns the turns between check number `checks` and the one before it.
    pub(crate) fn before(self, checks: u16) -> u32 {
        if self.check == checks.wrapping_sub(1) { self.turns.into() } else { 0 }
    }
}

impl Excess {
    /// Takes this share of the load of all connections.
    pub(crate) fn new(share: f64, loads: impl Iterator<Item = u32>) -> Self {
        Self { turns: share * loads.map(f64::from).sum::<f64>() }
    }

    /// Returns whether a connection with this load is part of the excess, and subtracts it. A connection that
    /// would overshoot by more than it helps is not.
    pub(crate) fn takes(&mut self, load: u32) -> bool {
        let load = f64::from(load);
        let takes = load > 0.0 && load < 2.0 * self.turns;
        if takes {
            self.turns -= load;
        }
        takes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(worker: usize, busy_percent: &[u32]) -> Option<f64> {
        let start = Instant::now();
        let mut rebalancer = Rebalancer::new(busy_percent.len(), start);
        let busy = busy_percent.iter().map(|&percent| (BALANCE_INTERVAL * percent / 100, true));
        assert!(rebalancer.is_due(start + BALANCE_INTERVAL));
        rebalancer.check(start + BALANCE_INTERVAL, worker, busy)
    }

    #[test]
    fn a_saturated_worker_sheds_half_of_the_difference_to_the_least_busy() {
        assert_eq!(check(0, &[100, 0]), Some(0.5));
        assert_eq!(check(1, &[50, 100, 90]), Some(0.25));
    }

    #[test]
    fn a_worker_that_has_time_or_no_less_busy_peer_sheds_nothing() {
        assert_eq!(check(0, &[60, 0]), None);
        assert_eq!(check(0, &[100, 90]), None);
        assert_eq!(check(1, &[100, 0]), None);
        assert_eq!(check(0, &[100]), None);
    }

    #[test]
    fn a_worker_that_takes_no_connections_is_no_place_for_the_load() {
        let start = Instant::now();
        let mut rebalancer = Rebalancer::new(3, start);
        let busy = [(100, true), (90, true), (0, false)];
        let busy = busy.map(|(percent, takes)| (BALANCE_INTERVAL * percent / 100, takes));
        assert_eq!(rebalancer.check(start + BALANCE_INTERVAL, 0, busy.into_iter()), None);
    }

    #[test]
    fn only_the_time_since_the_last_check_counts() {
        let start = Instant::now();
        let mut rebalancer = Rebalancer::new(2, start);
        let busy = |one, other| {
            [(BALANCE_INTERVAL * one, true), (BALANCE_INTERVAL * other, true)].into_iter()
        };
        assert_eq!(rebalancer.check(start + BALANCE_INTERVAL, 0, busy(1, 0)), Some(0.5));
        assert!(!rebalancer.is_due(start + BALANCE_INTERVAL));
        assert_eq!(rebalancer.check(start + 2 * BALANCE_INTERVAL, 0, busy(2, 1)), None);
    }

    fn moved(share: f64, loads: &[u32]) -> Vec<u32> {
        let mut excess = Excess::new(share, loads.iter().copied());
        loads.iter().copied().filter(|&load| excess.takes(load)).collect()
    }

    #[test]
    fn turns_count_for_the_next_check_only() {
        let mut load = Load::default();
        load.add_turn(0);
        load.add_turn(0);
        assert_eq!((load.before(1), load.before(2)), (2, 0));
        load.add_turn(1);
        assert_eq!((load.before(1), load.before(2), load.before(3)), (0, 1, 0));
    }

    #[test]
    fn the_excess_consists_of_whole_connections() {
        assert_eq!(moved(0.5, &[10, 0, 10, 10, 10]), [10, 10]);
        assert_eq!(moved(0.3, &[50, 50]), [50]);
        assert_eq!(moved(0.5, &[100]), [0; 0], "one connection cannot be divided");
        assert_eq!(moved(0.5, &[97, 1, 1, 1]), [97]);
    }
}
