//! The counters of a server: one set per worker and listener, summed when they are read.

use std::sync::Arc;

use crossbeam::utils::CachePadded;

use super::{
    counter::Counter, listener::ListenerCounters, registry::Registry, stats::Stats,
    worker::WorkerCounters,
};

/// The counters of a server, each worker's on separate cache lines.
#[derive(Debug)]
pub(crate) struct Counters {
    pub(crate) workers: Box<[CachePadded<WorkerCounters>]>,
    /// The counters of the listeners.
    pub(crate) listeners: Arc<Registry>,
    /// Iterations of the acceptor's loop.
    pub(crate) iterations: Counter,
}

impl Counters {
    pub(crate) fn new(workers: usize, listeners: Arc<Registry>) -> Self {
        Self {
            workers: (0..workers).map(|_| CachePadded::default()).collect(),
            listeners,
            iterations: Counter::default(),
        }
    }

    /// Returns the loop iterations of every thread.
    pub(crate) fn iterations(&self) -> Vec<u64> {
        let workers = self.workers.iter().map(|worker| &worker.iterations);
        workers.chain([&self.iterations]).map(Counter::get).collect()
    }

    /// Returns the sum of one counter over all workers.
    pub(crate) fn sum(&self, of: fn(&WorkerCounters) -> &Counter) -> u64 {
        self.workers.iter().map(|worker| of(worker).get()).sum()
    }

    pub(crate) fn stats(&self) -> Stats {
        let listeners = &self.listeners;
        let refused = listeners.sum(refused);
        let all = listeners.listeners();
        let by_acceptor: u64 = all.iter().map(|all| all.acceptor.refused.sum()).sum();
        let assigned = listeners.sum(|all| all.assigned.get());
        Stats {
            connections: assigned.saturating_sub(refused.saturating_sub(by_acceptor)),
            probes: listeners.sum(|all| all.probes.get()),
            refused,
            datagrams: listeners.sum(|all| all.datagrams.get()),
            datagrams_refused: listeners.sum(|all| all.datagrams_refused.sum()),
            datagrams_not_sent: listeners.sum(|all| all.datagrams_not_sent.get()),
            bytes_received: listeners.sum(|all| all.bytes_received.get()),
            bytes_sent: listeners.sum(|all| all.bytes_sent.get()),
            panics: listeners.sum(|all| all.panics.get()),
            room_deliveries: self.sum(|worker| &worker.room_deliveries),
            room_dropped: self.sum(|worker| &worker.room_dropped),
        }
    }
}

/// Returns the number of connections that were refused before their session.
fn refused(listener: &ListenerCounters) -> u64 {
    let handshakes = &listener.handshakes;
    listener.refused.sum()
        + listener.proxy_headers_refused.sum()
        + handshakes.failed.get()
        + handshakes.timed_out.get()
}
