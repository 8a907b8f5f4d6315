//! Signals that end the watch, or tell that the terminal has another size.

use std::{
    io::{self, Read as _},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGWINCH},
    flag::register_usize,
    low_level::{emulate_default_handler, pipe},
};

/// Signals that end the program, and a number for each.
const ENDS: [(i32, usize); 4] = [(SIGHUP, 1), (SIGINT, 2), (SIGQUIT, 3), (SIGTERM, 4)];

/// How a signal ends the watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Ctrl+C, or a key: the exit status is that of the last sample.
    User,
    /// The signal ends the program.
    Signal(i32),
}

/// Signals, which no longer end the program.
#[derive(Debug)]
pub(super) struct Signals {
    receiver: UnixStream,
    /// The last signal that would have ended the program, or 0.
    last: Arc<AtomicUsize>,
}

impl Signals {
    /// Starts to listen.
    pub(super) fn new() -> io::Result<Self> {
        let (receiver, sender) = UnixStream::pair()?;
        receiver.set_nonblocking(true)?;
        let last = Arc::new(AtomicUsize::new(0));
        for (signal, number) in ENDS {
            // It is registered before the pipe, whose receiver so finds the number.
            register_usize(signal, Arc::clone(&last), number)?;
            pipe::register(signal, sender.try_clone()?)?;
        }
        pipe::register(SIGWINCH, sender)?;
        Ok(Self { receiver, last })
    }

    /// Returns how the watch ends, if a signal has ended it.
    pub(super) fn take(&self) -> Option<End> {
        // It is non-blocking, and another read follows if more has arrived.
        let _ = (&self.receiver).read(&mut [0; 64]);
        let last = self.last.swap(0, Ordering::SeqCst);
        let signal = ENDS.iter().find(|(_, number)| *number == last).map(|(signal, _)| *signal)?;
        Some(if signal == SIGINT { End::User } else { End::Signal(signal) })
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.receiver.as_fd()
    }
}

impl End {
    /// Ends the program if a signal does.
    pub(super) fn apply(self) {
        if let Self::Signal(signal) = self {
            let _ = emulate_default_handler(signal);
        }
    }
}
