//! The counters of a server: one set per worker, summed when they are read.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crossbeam::utils::CachePadded;

/// Totals since the server was bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Connections that were served or are being served.
    pub connections: u64,
    /// Those of them that closed without sending data, as health checks do.
    pub probes: u64,
    /// Connections that were refused: at a limit, or for lack of a valid PROXY header.
    pub refused: u64,
    /// UDP datagrams that were received and may be answered.
    pub datagrams: u64,
    /// UDP datagrams that must not be answered: from a service port, not unicast, or over the rate limit.
    pub datagrams_refused: u64,
    /// Answers to datagrams that the system refused to send.
    pub datagrams_not_sent: u64,
    /// Bytes received from peers.
    pub bytes_received: u64,
    /// Bytes sent to peers.
    pub bytes_sent: u64,
    /// Connections and datagrams that were lost to a panic in the code that served them.
    pub panics: u64,
    /// Events of rooms that were sent to members: one for each event and member.
    pub room_deliveries: u64,
    /// Events of rooms that were not sent to members because these read too slowly.
    pub room_dropped: u64,
}

/// A counter with one writer at a time and any number of readers.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, more: u64) {
        // One writer, so this need not be the (slower) atomic read-modify-write.
        self.0.store(self.0.load(Relaxed) + more, Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// The counters of one worker.
#[derive(Debug, Default)]
pub(crate) struct WorkerCounters {
    pub(crate) connections: Counter,
    pub(crate) probes: Counter,
    /// Connections that were refused after their PROXY header.
    pub(crate) refused: Counter,
    pub(crate) datagrams: Counter,
    pub(crate) datagrams_refused: Counter,
    pub(crate) datagrams_not_sent: Counter,
    pub(crate) bytes_received: Counter,
    pub(crate) bytes_sent: Counter,
    pub(crate) panics: Counter,
    /// Deliveries of room messages to members.
    pub(crate) room_deliveries: Counter,
    /// Messages that slow members of rooms did not receive.
    pub(crate) room_dropped: Counter,
    /// Iterations of its event loop.
    pub(crate) iterations: Counter,
    /// Nanoseconds that it has spent awake.
    pub(crate) busy_ns: Counter,
}

/// The counters of a server, each worker's on separate cache lines.
#[derive(Debug)]
pub(crate) struct Counters {
    pub(crate) workers: Box<[CachePadded<WorkerCounters>]>,
    /// Connections that the acceptor refused.
    pub(crate) refused: Counter,
    /// Iterations of the acceptor's loop.
    pub(crate) iterations: Counter,
}

impl Counters {
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            workers: (0..workers).map(|_| CachePadded::default()).collect(),
            refused: Counter::default(),
            iterations: Counter::default(),
        }
    }

    /// Returns the loop iterations of every thread.
    pub(crate) fn iterations(&self) -> Vec<u64> {
        let workers = self.workers.iter().map(|worker| &worker.iterations);
        workers.chain([&self.iterations]).map(Counter::get).collect()
    }

    pub(crate) fn stats(&self) -> Stats {
        let sum = |of: fn(&WorkerCounters) -> &Counter| -> u64 {
            self.workers.iter().map(|worker| of(worker).get()).sum()
        };
        let refused = sum(|worker| &worker.refused);
        Stats {
            connections: sum(|worker| &worker.connections).saturating_sub(refused),
            probes: sum(|worker| &worker.probes),
            refused: self.refused.get() + refused,
            datagrams: sum(|worker| &worker.datagrams),
            datagrams_refused: sum(|worker| &worker.datagrams_refused),
            datagrams_not_sent: sum(|worker| &worker.datagrams_not_sent),
            bytes_received: sum(|worker| &worker.bytes_received),
            bytes_sent: sum(|worker| &worker.bytes_sent),
            panics: sum(|worker| &worker.panics),
            room_deliveries: sum(|worker| &worker.room_deliveries),
            room_dropped: sum(|worker| &worker.room_dropped),
        }
    }
}
