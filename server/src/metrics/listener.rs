//! The counters of one listener.

use std::{
    array,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use common::fault::Fault;
use crossbeam::utils::CachePadded;

use super::{counter::Counter, histogram::Histogram};

/// The protocol of datagrams.
pub(crate) const UDP: &str = "udp";

/// Room for the reasons of a close.
pub(crate) const REASONS: usize = 32;

/// Number of limits that refuse a connection.
pub(crate) const LIMITS: usize = 5;

/// Number of faults of a PROXY header.
pub(crate) const FAULTS: usize = 4;

/// Number of faults that a server injects on purpose.
pub(crate) const INJECTED_FAULTS: usize = Fault::ALL.len();

/// Number of reasons for which a datagram is not answered.
pub(crate) const DATAGRAM_REASONS: usize = 6;

/// The counters of one listener in one worker, on cache lines of their own.
pub(crate) type WorkerListener = Arc<CachePadded<ListenerCounters>>;

/// The counters of one listener in one thread.
#[derive(Debug, Default)]
pub(crate) struct ListenerCounters {
    /// Bytes that were read from sockets.
    pub(crate) bytes_received: Counter,
    /// Bytes that sockets have taken.
    pub(crate) bytes_sent: Counter,
    /// Messages that sessions have received completely.
    pub(crate) messages_received: Counter,
    /// Messages whose last byte a socket has taken.
    pub(crate) messages_sent: Counter,
    /// Connections that were admitted, counted by the acceptor.
    pub(crate) accepted: Counter,
    /// Connections that a worker took from the dispatch queue.
    pub(crate) assigned: Counter,
    /// Connections that closed without sending data.
    pub(crate) probes: Counter,
    /// Connections that were refused at a limit.
    pub(crate) refused: Reasons<LIMITS>,
    /// Connections that were closed.
    pub(crate) closed: Reasons<REASONS>,
    /// PROXY headers that were refused.
    pub(crate) proxy_headers_refused: Reasons<FAULTS>,
    pub(crate) handshakes: Handshakes,
    #[cfg(feature = "login")]
    pub(crate) logins: Logins,
    /// Datagrams that may be answered.
    pub(crate) datagrams: Counter,
    /// Datagrams that must not be answered.
    pub(crate) datagrams_refused: Reasons<DATAGRAM_REASONS>,
    /// Answers that the system refused to send.
    pub(crate) datagrams_not_sent: Counter,
    /// Faults that were injected on purpose.
    pub(crate) injected_faults: Reasons<INJECTED_FAULTS>,
    /// Connections and datagrams that were lost to a panic.
    pub(crate) panics: Counter,
    /// Bytes that sessions have consumed, which differ from those on the wire.
    #[cfg(test)]
    pub(crate) consumed: Counter,
    /// The time from the beginning of a turn until the socket has taken the last byte of its echoes. A sample.
    pub(crate) latency: Histogram,
}

/// A counter for each reason, by the index of the reason.
#[derive(Debug)]
pub(crate) struct Reasons<const N: usize>([Counter; N]);

impl<const N: usize> Reasons<N> {
    /// Returns the counter of a reason. Each enum of reasons asserts that it has at most `N`.
    pub(crate) fn of(&self, index: usize) -> &Counter {
        &self.0[index]
    }

    /// Returns the sum over all reasons.
    pub(crate) fn sum(&self) -> u64 {
        self.0.iter().map(Counter::get).sum()
    }
}

impl<const N: usize> Default for Reasons<N> {
    fn default() -> Self {
        Self(array::from_fn(|_| Counter::default()))
    }
}

/// Handshakes of a layer, by their result.
#[derive(Debug, Default)]
pub(crate) struct Handshakes {
    pub(crate) completed: Counter,
    pub(crate) failed: Counter,
    pub(crate) timed_out: Counter,
}

/// Logins, by their result.
#[cfg(feature = "login")]
#[derive(Debug, Default)]
pub(crate) struct Logins {
    pub(crate) succeeded: Counter,
    pub(crate) failed: Counter,
}

/// The counters of one listener in all threads.
#[derive(Debug)]
pub(crate) struct ListenerMetrics {
    /// The address as the log names it, and the protocol.
    pub(crate) address: String,
    pub(crate) protocol: &'static str,
    pub(crate) acceptor: CachePadded<ListenerCounters>,
    pub(super) workers: Box<[WorkerListener]>,
    pub(super) is_open: AtomicBool,
    /// It is or was open. A listener that a reload binds and gives up again never is.
    pub(super) was_open: AtomicBool,
    pub(super) has_tls: AtomicBool,
    /// Seconds since 1970; 0: unknown.
    pub(super) certificate_expiry: AtomicU64,
}

impl ListenerMetrics {
    pub(crate) fn new(address: String, protocol: &'static str, workers: usize) -> Self {
        let workers = (0..workers).map(|_| WorkerListener::default()).collect();
        Self {
            address,
            protocol,
            acceptor: CachePadded::default(),
            workers,
            is_open: AtomicBool::new(false),
            was_open: AtomicBool::new(false),
            has_tls: AtomicBool::new(false),
            certificate_expiry: AtomicU64::new(0),
        }
    }

    /// Records that the listener opens or closes.
    pub(crate) fn set_open(&self, is_open: bool) {
        self.was_open.fetch_or(is_open, Relaxed);
        self.is_open.store(is_open, Relaxed);
    }

    /// Records that the listener has TLS, and when its certificate expires, if that is known.
    pub(crate) fn set_tls(&self, has_tls: bool, expiry: Option<SystemTime>) {
        self.has_tls.store(has_tls, Relaxed);
        let since = expiry.and_then(|expiry| expiry.duration_since(UNIX_EPOCH).ok());
        self.certificate_expiry.store(since.map_or(0, |since| since.as_secs()), Relaxed);
    }

    /// Returns the counters of a worker.
    pub(crate) fn worker(&self, index: usize) -> &WorkerListener {
        &self.workers[index]
    }

    /// Returns the sum of one counter over all threads.
    pub(crate) fn sum(&self, of: impl Fn(&ListenerCounters) -> u64) -> u64 {
        let workers = self.workers.iter().map(|worker| of(worker));
        workers.fold(of(&self.acceptor), u64::wrapping_add)
    }
}
