//! The counters of one worker.

use super::{counter::Counter, histogram::Histogram};

/// The counters of one worker, besides those of its listeners.
#[derive(Debug, Default)]
pub(crate) struct WorkerCounters {
    /// Deliveries of room messages to members.
    pub(crate) room_deliveries: Counter,
    /// Messages that slow members of rooms did not receive.
    pub(crate) room_dropped: Counter,
    /// Iterations of its event loop.
    pub(crate) iterations: Counter,
    /// Nanoseconds that it has spent awake.
    pub(crate) busy_ns: Counter,
    /// Time that each iteration took, without the sleep.
    pub(crate) iteration_times: Histogram,
    /// Time that each of its new connections has waited in the dispatch queue.
    pub(crate) dispatch_waits: Histogram,
    /// Connections that it has moved to less busy workers.
    pub(crate) migrated: Counter,
}
