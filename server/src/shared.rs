//! What all threads of a server look at, and nothing else do they share.

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

use crate::{
    config::Config,
    counters::Counters,
    datagram::{DatagramListener, Mailboxes, Rules},
    handoff::Handoff,
    limits, logging,
    open::OpenConnections,
    phase::{Phase, PhaseCell},
    reload::Control,
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
    /// UDP sockets on their way to workers.
    pub(crate) mailboxes: Mailboxes,
    pub(crate) control: Control,
    /// Whether every message is logged. Workers look once a round.
    pub(crate) log_messages: AtomicBool,
    pub(crate) drain_timeout: AtomicCell<Duration>,
    drained_by: OnceLock<Option<Instant>>,
    failed: AtomicBool,
}

impl<T> Shared<T> {
    pub(crate) fn new(
        config: &Config,
        control: Control,
        acceptor: Waker,
        workers: Vec<Waker>,
    ) -> Self {
        Self {
            phase: PhaseCell::default(),
            open: OpenConnections::new(config),
            counters: Counters::new(workers.len()),
            mailboxes: Mailboxes::new(workers.len()),
            handoff: Handoff::new(limits::QUEUE, acceptor, workers),
            control,
            log_messages: AtomicBool::new(config.log_messages),
            drain_timeout: AtomicCell::new(config.drain_timeout),
            drained_by: OnceLock::new(),
            failed: AtomicBool::new(false),
        }
    }

    /// Moves on to `phase`, and has every thread notice.
    pub(crate) fn enter(&self, phase: Phase) {
        // Before the phase: whoever sees it draining finds the time.
        self.drained_by.get_or_init(|| Instant::now().checked_add(self.drain_timeout.load()));
        if self.phase.advance(phase) {
            self.handoff.wake_all();
        }
    }

    /// Has each worker serve one of the listener's sockets from now on.
    pub(crate) fn serve(&self, listener: DatagramListener) {
        self.mailboxes.deal(listener);
        self.handoff.wake_all();
    }

    /// Has each worker answer what has come to the UDP listener with these rules, and close its socket.
    /// `closed` is dropped when all have done so.
    pub(crate) fn withdraw(&self, rules: Arc<Rules>, closed: Sender<Infallible>) {
        self.mailboxes.withdraw(rules, closed);
        self.handoff.wake_all();
    }

    /// When the drain is over: the same moment for all threads. `None`: never, or it has not begun.
    pub(crate) fn drained_by(&self) -> Option<Instant> {
        self.drained_by.get().copied().flatten()
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
                Control::new(&Config::default(), &[], &[]),
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
