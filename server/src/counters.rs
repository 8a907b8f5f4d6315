//! What the server has counted: one set of counters for each worker, added up when asked.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crossbeam::utils::CachePadded;

/// Everything counted since the server was bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Connections that were served, those still being served included.
    pub connections: u64,
    /// Those of them that came and went without a word, as a monitor's probes do.
    pub probes: u64,
    /// Connections that were turned away: at a limit, or for want of a PROXY header.
    pub refused: u64,
    /// UDP datagrams received that might be answered.
    pub datagrams: u64,
    /// Those that must not be: from the port of a service, sent to many, or too often.
    pub datagrams_refused: u64,
    /// Answers to datagrams that the system would not send.
    pub datagrams_not_sent: u64,
    /// Bytes received from peers.
    pub bytes_received: u64,
    /// Bytes sent to peers.
    pub bytes_sent: u64,
    /// Connections and datagrams that were lost to a panic in the code that served them.
    pub panics: u64,
}

/// A number that only one thread at a time adds to, and anyone may read.
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

/// What one worker counts.
#[derive(Debug, Default)]
pub(crate) struct WorkerCounters {
    pub(crate) connections: Counter,
    pub(crate) probes: Counter,
    /// Those of the connections that it did not serve, once it knew whose they were.
    pub(crate) refused: Counter,
    pub(crate) datagrams: Counter,
    pub(crate) datagrams_refused: Counter,
    pub(crate) datagrams_not_sent: Counter,
    pub(crate) bytes_received: Counter,
    pub(crate) bytes_sent: Counter,
    pub(crate) panics: Counter,
    /// Rounds of its loop.
    pub(crate) rounds: Counter,
    /// Nanoseconds that it has spent on other things than waiting.
    pub(crate) busy: Counter,
}

/// The counters of a whole server, each worker's on cache lines of its own.
#[derive(Debug)]
pub(crate) struct Counters {
    pub(crate) workers: Box<[CachePadded<WorkerCounters>]>,
    /// Counted by the acceptor.
    pub(crate) refused: Counter,
    /// Rounds of the acceptor's loop.
    pub(crate) rounds: Counter,
}

impl Counters {
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            workers: (0..workers).map(|_| CachePadded::default()).collect(),
            refused: Counter::default(),
            rounds: Counter::default(),
        }
    }

    /// The rounds of every thread's loop.
    pub(crate) fn rounds(&self) -> Vec<u64> {
        let workers = self.workers.iter().map(|worker| &worker.rounds);
        workers.chain([&self.rounds]).map(Counter::get).collect()
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
        }
    }
}
