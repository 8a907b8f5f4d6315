//! State that all threads of a server share.

use std::{
    convert::Infallible,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering::SeqCst},
        mpsc::Sender,
    },
    time::{Duration, Instant},
};

use common::reason::reason;
use crossbeam::atomic::AtomicCell;
use log::error;
use mio::{Token, Waker};

use super::{
    dispatch_queue::DispatchQueue,
    phase::{Phase, PhaseCell},
};
use crate::{
    admission::ConnectionLimits,
    config::{Config, limits},
    logging,
    telemetry::Counters,
    udp::{UdpListener, UdpMailboxes, UdpPolicy},
};

/// Token of a thread's waker in its own poll.
pub(crate) const WAKE: Token = Token(usize::MAX);

/// State shared by the threads of one server. `T` is the type of the items in the dispatch queue.
#[derive(Debug)]
pub(crate) struct SharedState<T> {
    pub(crate) phase: PhaseCell,
    pub(crate) limits: ConnectionLimits,
    pub(crate) counters: Counters,
    pub(crate) dispatch: DispatchQueue<T, Waker>,
    /// UDP sockets on their way to workers.
    pub(crate) mailboxes: UdpMailboxes,
    /// Switch for the log of messages. Workers read it once per loop iteration.
    pub(crate) log_messages: AtomicBool,
    pub(crate) drain_timeout: AtomicCell<Duration>,
    drain_deadline: OnceLock<Option<Instant>>,
    failed: AtomicBool,
}

impl<T> SharedState<T> {
    pub(crate) fn new(config: &Config, acceptor: Waker, workers: Vec<Waker>) -> Self {
        Self {
            phase: PhaseCell::default(),
            limits: ConnectionLimits::new(config),
            counters: Counters::new(workers.len()),
            mailboxes: UdpMailboxes::new(workers.len()),
            dispatch: DispatchQueue::new(limits::QUEUE, acceptor, workers),
            log_messages: AtomicBool::new(config.log_messages),
            drain_timeout: AtomicCell::new(config.drain_timeout),
            drain_deadline: OnceLock::new(),
            failed: AtomicBool::new(false),
        }
    }

    /// Advances to `phase` and wakes every thread.
    pub(crate) fn advance(&self, phase: Phase) {
        // Set before the phase: a thread that sees the drain also finds its deadline.
        self.drain_deadline.get_or_init(|| Instant::now().checked_add(self.drain_timeout.load()));
        if self.phase.advance(phase) {
            self.dispatch.wake_all();
        }
    }

    /// Gives one socket of the UDP listener to each worker.
    pub(crate) fn open_udp(&self, listener: UdpListener) {
        self.mailboxes.distribute(listener);
        self.dispatch.wake_all();
    }

    /// Makes each worker answer the datagrams that the listener with this policy has received, and close its
    /// socket. `closed` is dropped when all workers have closed theirs.
    pub(crate) fn close_udp(&self, policy: Arc<UdpPolicy>, closed: Sender<Infallible>) {
        self.mailboxes.close_listener(policy, closed);
        self.dispatch.wake_all();
    }

    /// Returns the end of the drain, the same for all threads. `None`: unlimited, or not draining.
    pub(crate) fn drain_deadline(&self) -> Option<Instant> {
        self.drain_deadline.get().copied().flatten()
    }

    /// Runs one of the server's threads. If the thread fails, all threads stop: a server that has lost a
    /// thread must not keep listening.
    pub(crate) fn run_supervised(&self, thread: impl FnOnce() -> io::Result<()>) {
        match catch_unwind(AssertUnwindSafe(thread)) {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error!("The server stops: a thread failed: {}", reason(&error)),
            Err(_) => error!("The server stops: a bug ended one of its threads"),
        }
        logging::flush();
        self.failed.store(true, SeqCst);
        self.advance(Phase::Stopped);
    }

    /// Returns whether a thread has failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(SeqCst)
    }
}

#[cfg(test)]
pub(crate) mod fixture {
    use mio::{Poll, Waker};

    use super::{SharedState, WAKE};
    use crate::config::Config;

    /// Shared state for tests with this many workers, the acceptor's poll, and the workers' polls.
    pub(crate) fn shared_state<T>(workers: usize) -> (SharedState<T>, Poll, Vec<Poll>) {
        let acceptor = Poll::new().unwrap();
        let workers: Vec<Poll> = (0..workers).map(|_| Poll::new().unwrap()).collect();
        let waker = |poll: &Poll| Waker::new(poll.registry(), WAKE).unwrap();
        let wakers = workers.iter().map(waker).collect();
        let state = SharedState::new(&Config::default(), waker(&acceptor), wakers);
        (state, acceptor, workers)
    }
}

#[cfg(test)]
mod tests {
    use super::{fixture::shared_state, *};

    #[test]
    fn a_thread_that_fails_stops_the_server_and_one_that_returns_does_not() {
        let failures: [fn() -> io::Result<()>; 2] =
            [|| Err(io::ErrorKind::InvalidInput.into()), || panic!("the bug")];
        let (state, ..) = shared_state::<()>(0);
        state.run_supervised(|| Ok(()));
        assert_eq!((state.phase.get(), state.has_failed()), (Phase::Running, false));
        for failure in failures {
            let (state, ..) = shared_state::<()>(0);
            state.run_supervised(failure);
            assert_eq!((state.phase.get(), state.has_failed()), (Phase::Stopped, true));
        }
    }
}
