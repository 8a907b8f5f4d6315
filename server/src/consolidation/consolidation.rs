//! What the workers share: the decision, and the times of their threads.

use std::{sync::Mutex, time::Instant};

use super::{
    decision::{Change, Decision, Totals},
    run_times::WorkerThreads,
};
use crate::config::Consolidate;

/// The decision how many workers serve, which any of them may make.
#[derive(Debug)]
pub(crate) struct Consolidation {
    threads: WorkerThreads,
    /// `None`: all workers always serve.
    decision: Option<Mutex<Decision>>,
}

impl Consolidation {
    pub(crate) fn new(setting: Consolidate, workers: usize, now: Instant) -> Self {
        let decides = setting == Consolidate::Auto && workers > 1;
        Self {
            threads: WorkerThreads::new(workers),
            decision: decides.then(|| Mutex::new(Decision::new(workers, now))),
        }
    }

    /// Registers the calling thread as that of `worker`.
    pub(crate) fn register(&self, worker: usize) {
        if self.decision.is_some() {
            self.threads.register(worker);
        }
    }

    /// Decides how many workers serve, if it is time to, with the number of messages that they have received so far. Returns a
    /// change. Any worker may call this at any time; one at a time decides.
    pub(crate) fn check(&self, now: Instant, messages: impl FnOnce() -> u64) -> Option<Change> {
        let mut decision = self.decision.as_ref()?.try_lock().ok()?;
        if !decision.is_due(now) {
            return None;
        }
        let (times, messages) = (self.threads.run_times().collect(), messages());
        // Not `now`: the thread may have waited for a core since then.
        decision.check(Totals { at: Instant::now(), times, messages })
    }
}
