//! Liveness and readiness.

use std::iter;

use common::count::Count;

use crate::{
    config::limits,
    shared::{Phase, SharedState},
};

/// The progress of the server's threads, by checks at an interval.
///
/// It counts checks in place of time: while the process is stopped (`SIGSTOP`), there are none, so no thread is stalled
/// when it continues.
#[derive(Debug, Default)]
pub(super) struct Health {
    /// Loop iterations of each thread at the last check.
    iterations: Vec<u64>,
    /// Number of checks in a row in which the thread had completed no iteration.
    missed: Vec<u32>,
    stalled: Vec<String>,
}

impl Health {
    /// Checks the threads, and wakes them, so that an idle one completes an iteration before the next check.
    ///
    /// In a drain the threads end one by one, and none counts as stalled.
    pub(super) fn check<T>(&mut self, shared: &SharedState<T>) {
        let iterations = shared.counters.iterations();
        self.missed.resize(iterations.len(), 0);
        for ((missed, now), then) in self.missed.iter_mut().zip(&iterations).zip(&self.iterations) {
            *missed = if now > then { 0 } else { missed.saturating_add(1) };
        }
        self.iterations = iterations;
        self.stalled.clear();
        if shared.phase.get() == Phase::Running {
            let names = thread_names(self.missed.len());
            let stalled =
                names.zip(&self.missed).filter(|(_, missed)| **missed >= limits::STALLED_CHECKS);
            self.stalled.extend(stalled.map(|(name, _)| name));
        }
        shared.dispatch.wake_all();
    }

    /// Returns the names of the threads that have completed no iteration of their loop for some checks.
    pub(super) fn stalled(&self) -> &[String] {
        &self.stalled
    }
}

/// Returns the names of the threads, in the order of [`iterations`](crate::metrics::Counters::iterations).
pub(super) fn thread_names(threads: usize) -> impl Iterator<Item = String> {
    (1..threads).map(|worker| format!("worker-{worker}")).chain(iter::once("acceptor".to_owned()))
}

/// Returns the reasons for which the server should receive no new clients; none if it is ready.
pub(super) fn not_ready<T>(shared: &SharedState<T>) -> Vec<String> {
    let is_ending = shared.is_leaving() || shared.phase.get() != Phase::Running;
    let open = shared.limits.open();
    let is_full = open >= shared.limits.max();
    let ending = is_ending.then(|| "the server shuts down".to_owned());
    let connections = Count(open as u64, "connection");
    let full = is_full.then(|| format!("the server is full: it serves {connections}"));
    ending.into_iter().chain(full).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::shared::fixture::shared_state;

    #[test]
    fn a_thread_without_an_iteration_in_three_checks_is_stalled_until_its_next_one() {
        let (shared, ..) = shared_state::<()>(2);
        let mut health = Health::default();
        let counters = &shared.counters;
        let mut check = |workers: &[usize], has_accepted: bool| {
            for &worker in workers {
                counters.workers[worker].iterations.add(1);
            }
            counters.iterations.add(u64::from(has_accepted));
            health.check(&shared);
            health.stalled().join(" ")
        };
        assert_eq!(check(&[], false), "", "the first check has nothing to compare with");
        for _ in 1..limits::STALLED_CHECKS {
            assert_eq!(check(&[0], true), "");
        }
        assert_eq!(check(&[0], true), "worker-2");
        assert_eq!(check(&[0, 1], false), "");
        for _ in 2..limits::STALLED_CHECKS {
            assert_eq!(check(&[0, 1], false), "");
        }
        assert_eq!(check(&[0, 1], false), "acceptor");
        shared.advance(Phase::Draining);
        assert_eq!(check(&[], false), "", "in a drain, threads end");
    }

    #[test]
    fn a_server_is_ready_until_its_shutdown_begins() {
        let (shared, ..) = shared_state::<()>(1);
        assert_eq!(not_ready(&shared), [""; 0]);
        shared.drain_delay.store(Duration::from_hours(1));
        shared.shut_down();
        assert_eq!(not_ready(&shared), ["the server shuts down"]);
        shared.advance(Phase::Draining);
        assert_eq!(not_ready(&shared), ["the server shuts down"]);
    }
}
