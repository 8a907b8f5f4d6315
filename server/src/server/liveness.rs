//! Detection of stalled threads, for a watchdog (`sd_watchdog_enabled(3)`).

use std::sync::Arc;

use crate::{
    connection::{Incoming, Socket},
    shared::{Phase, SharedState},
};

/// Detects stalled threads of a server. Call [`check`](Self::check) at regular intervals.
#[derive(Debug)]
pub struct Liveness {
    shared: Arc<SharedState<Incoming<Socket>>>,
    /// Loop iterations of each thread at the last check.
    iterations: Vec<u64>,
}

impl Liveness {
    pub(crate) fn new(shared: Arc<SharedState<Incoming<Socket>>>) -> Self {
        Self { shared, iterations: Vec::new() }
    }

    /// Returns whether every thread of the server has completed a loop iteration since the last check. The
    /// first check returns true. Wakes the threads, so that an idle thread completes an iteration before the
    /// next check.
    ///
    /// Returns true as well for a server that drains or has stopped, because its threads end one by one.
    pub fn check(&mut self) -> bool {
        let iterations = self.shared.counters.iterations();
        let is_alive = iterations.iter().zip(&self.iterations).all(|(now, then)| now > then);
        self.iterations = iterations;
        self.shared.dispatch.wake_all();
        is_alive || self.shared.phase.get() != Phase::Running
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::fixture::shared_state;

    #[test]
    fn a_stalled_thread_fails_the_check() {
        let (shared, ..) = shared_state(1);
        let shared = Arc::new(shared);
        let mut liveness = Liveness::new(Arc::clone(&shared));
        let counters = &shared.counters;
        let (acceptor, worker) = (&counters.iterations, &counters.workers[0].iterations);

        assert!(liveness.check(), "the first check has nothing to compare with");
        acceptor.add(1);
        worker.add(1);
        assert!(liveness.check());
        acceptor.add(1);
        assert!(!liveness.check(), "the worker is stalled");
        worker.add(1);
        assert!(!liveness.check(), "the acceptor is stalled");
        shared.advance(Phase::Draining);
        assert!(liveness.check(), "a draining server always passes");
    }
}
