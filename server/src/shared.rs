//! What all threads of a server look at, and nothing else do they share.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use common::reason::reason;
use log::error;
use mio::{Token, Waker};

use crate::{
    config::Config,
    counters::Counters,
    handoff::Handoff,
    limits, logging,
    open::OpenConnections,
    phase::{Phase, PhaseCell},
};

/// The token of a thread's waker in its own poll.
pub(crate) const WAKE: Token = Token(usize::MAX);

/// What the threads of one server share. `T` is what is handed to workers.
#[derive(Debug)]
pub(crate) struct Shared<T> {
    pub(crate) phase: PhaseCell,
    pub(crate) open: OpenConnections,
    pub(crate) counters: Counters,
    pub(crate) handoff: Handoff<T, Waker>,
    drain_began: OnceLock<Instant>,
    failed: AtomicBool,
}

impl<T> Shared<T> {
    pub(crate) fn new(config: &Config, acceptor: Waker, workers: Vec<Waker>) -> Self {
        Self {
            phase: PhaseCell::default(),
            open: OpenConnections::new(config),
            counters: Counters::new(workers.len()),
            handoff: Handoff::new(limits::QUEUE, acceptor, workers),
            drain_began: OnceLock::new(),
            failed: AtomicBool::new(false),
        }
    }

    /// Moves on to `phase`, and has every thread notice.
    pub(crate) fn enter(&self, phase: Phase) {
        // Before the phase: whoever sees it draining finds the time.
        self.drain_began.get_or_init(Instant::now);
        if self.phase.advance(phase) {
            self.handoff.wake_all();
        }
    }

    /// When a drain that takes `timeout` is over: the same moment for all threads. `None`: never, or
    /// it has not begun.
    pub(crate) fn drained_by(&self, timeout: Duration) -> Option<Instant> {
        self.drain_began.get()?.checked_add(timeout)
    }

    /// Runs one of the server's threads. A server that has lost one must not pretend to be whole:
    /// if the thread fails, all stop.
    pub(crate) fn keep_going(&self, thread: impl FnOnce() -> io::Result<()>) {
        match catch_unwind(AssertUnwindSafe(thread)) {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error!("The server cannot go on: {}", reason(&error)),
            Err(_) => error!("The server cannot go on: a bug ended one of its threads"),
        }
        logging::hand_over();
        self.failed.store(true, SeqCst);
        self.enter(Phase::Stopped);
    }

    /// Whether a thread has failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use mio::Poll;

    use super::*;

    /// A worker thread dies and the server still listens: it must not, however the thread has died.
    #[test]
    fn a_thread_that_fails_stops_the_server_and_one_that_is_done_does_not() {
        let deaths: [fn() -> io::Result<()>; 2] =
            [|| Err(io::ErrorKind::InvalidInput.into()), || panic!("the bug")];
        let shared = || {
            let acceptor = Poll::new().unwrap();
            Shared::<()>::new(
                &Config::default(),
                Waker::new(acceptor.registry(), WAKE).unwrap(),
                Vec::new(),
            )
        };
        let well = shared();
        well.keep_going(|| Ok(()));
        assert_eq!((well.phase.get(), well.has_failed()), (Phase::Running, false));
        for death in deaths {
            let shared = shared();
            shared.keep_going(death);
            assert_eq!((shared.phase.get(), shared.has_failed()), (Phase::Stopped, true));
        }
    }
}
