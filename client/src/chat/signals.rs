//! Signals that end the program, or tell that the terminal has another size.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGWINCH},
    flag::register_usize,
    low_level::emulate_default_handler,
};

use crate::{
    chat::error::Error,
    net::{self, poll::Interrupt},
};

/// Signals that end the program, and a number for each.
const ENDS: [(i32, usize); 4] = [(SIGHUP, 1), (SIGINT, 2), (SIGQUIT, 3), (SIGTERM, 4)];

/// Signals, which no longer end the program.
#[derive(Debug)]
pub(super) struct Signals {
    interrupt: Interrupt,
    /// The last signal that would have ended the program, or 0.
    last: Arc<AtomicUsize>,
}

impl Signals {
    /// Starts to listen.
    ///
    /// # Errors
    ///
    /// The system has no descriptor left.
    pub(super) fn new() -> Result<Self, Error> {
        let last = Arc::new(AtomicUsize::new(0));
        for (signal, number) in ENDS {
            // It is registered before the interrupt, whose receiver so finds the number.
            register_usize(signal, Arc::clone(&last), number)
                .map_err(net::Error::system("listen for signals"))?;
        }
        let interrupt = Interrupt::on(&[SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGWINCH])?;
        Ok(Self { interrupt, last })
    }

    /// Returns the interrupt that each signal raises, also one about the size of the terminal.
    pub(super) fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    /// Clears the interrupt; returns the signal that ends the program, if there was one.
    pub(super) fn take(&self) -> Option<i32> {
        let _ = self.interrupt.take();
        let last = self.last.swap(0, Ordering::SeqCst);
        ENDS.iter().find(|(_, number)| *number == last).map(|(signal, _)| *signal)
    }
}

/// Ends the program as the signal would have done.
pub(super) fn end_by(signal: i32) {
    let _ = emulate_default_handler(signal);
}
